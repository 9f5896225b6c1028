"""What a reward control is, and those that are a line."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs import Array
from envs.arrays import namespace
from rlgan.settings import resolve
from rlgan.text.controls import CONTROLS


@dataclass(frozen=True)
class RewardControl:
    """What becomes of rewards before anything is learned from them.

    Args:
        apply: `(rewards, mask, rng) -> rewards`: of the sampled tokens, numpy float32 [B, T] with a mask of [B, T], or
            of every next token, a torch tensor [B, T, V] with a mask of [B, T, 1]. The mask is true where a token was
            chosen; rewards of sampled tokens must stay 0 where it is not.
        reads_rewards: whether `apply` looks at the rewards; where it does not, no discriminator is asked for them, and
            they come as zeros.
        random_discriminator: whether the rewards are those of a discriminator that never learns.

    Example:
        >>> rewards, mask = np.float32([[0.2, 0.9, 0.0]]), np.array([[True, True, False]])
        >>> CONSTANT.apply(rewards, mask, np.random.default_rng(0))
        array([[1., 1., 0.]], dtype=float32)
    """

    apply: Callable[[Array, Array, np.random.Generator], Array]
    reads_rewards: bool = True
    random_discriminator: bool = False


def unchanged(rewards: Array, mask: Array, rng: np.random.Generator) -> Array:  # noqa: ARG001
    """The rewards as they are."""
    return rewards


def constant(rewards: Array, mask: Array, rng: np.random.Generator) -> Array:  # noqa: ARG001
    """1 for every token.

    Example:
        >>> rewards, mask = np.float32([[[0.2, 0.9], [0.4, 0.1]]]), np.array([[[True], [False]]])  # of every next token
        >>> constant(rewards, mask, np.random.default_rng(0))
        array([[[1., 1.],
                [0., 0.]]], dtype=float32)
    """
    # Arrays of ones and zeros, since `numpy.where` of two numbers would give float64.
    xp = namespace(rewards)
    return xp.where(mask, xp.ones_like(rewards), xp.zeros_like(rewards))


NONE = RewardControl(unchanged)
CONSTANT = RewardControl(constant, reads_rewards=False)
RANDOM_DISCRIMINATOR = RewardControl(unchanged, random_discriminator=True)


def find_control(name: str) -> RewardControl:
    """The control of a name in `CONTROLS`, or `module:object`.

    Example:
        >>> find_control("constant").reads_rewards, find_control("random_discriminator").random_discriminator
        (False, True)
    """
    control: RewardControl = resolve(name, CONTROLS)
    return control
