"""The same rewards as ever, given to others."""

import numpy as np

from envs import Array
from envs.arrays import namespace
from rlgan.text.controls.control import RewardControl
from rlgan.types import Float, Mask


def shuffled(rewards: Array, mask: Array, rng: np.random.Generator) -> Array:
    """Give the rewards of sampled tokens, [B, T], to other sequences, and those of every token, [B, T, V], to others.

    Given to other sequences alone, the rewards of every token would still tell which words real text has.

    Example:
        >>> rewards, mask = np.float32([[[1, 2, 4], [10, 20, 40]]]), np.ones((1, 2, 1), dtype=bool)
        >>> first, second = shuffled(rewards, mask, np.random.default_rng(0))[0]
        >>> sorted(first.tolist()), (second / first).tolist()  # the words change their rewards, at every place alike
        ([1.0, 2.0, 4.0], [10.0, 10.0, 10.0])
    """
    if rewards.ndim == 3:
        order = namespace(rewards).asarray(rng.permutation(rewards.shape[-1]), device=rewards.device)
        return rewards[..., order]
    return to_other_sequences(rewards, mask, rng)


def to_other_sequences(rewards: Float, mask: Mask, rng: np.random.Generator) -> Float:
    """Give the rewards [B, T] of each position to other sequences that chose a token there.

    None keeps its own, which would be a share of the truth: the sequences stand in a circle in a random order, and each
    gets the reward of the one a random number of places on. A sequence that is alone at a position gets 0.

    Example:
        >>> rewards, mask = np.float32([[1, 5], [2, 0]]), np.array([[True, True], [True, False]])
        >>> to_other_sequences(rewards, mask, np.random.default_rng(0))  # of two each has the other's; 5 was alone
        array([[2., 0.],
               [1., 0.]], dtype=float32)
    """
    given = np.zeros_like(rewards)
    for t in range(rewards.shape[1]):
        there = rng.permutation(np.flatnonzero(mask[:, t]))
        if len(there) > 1:
            # From 1: a circle that is turned by 0 places gives all their own.
            given[there, t] = rewards[np.roll(there, rng.integers(1, len(there))), t]
    return given


SHUFFLED = RewardControl(shuffled)
