"""From rewards to what REINFORCE weighs each choice with. Pure functions on numpy arrays."""

import numpy as np

from rlgan.types import Float, Mask


def discounted_q(rewards: Float, discount: float) -> Float:
    """Sum the rewards from each step on: q[t] = r[t] + discount * q[t+1].

    Rewards after the end of a sequence must be 0. Yala & Song, section 4.1, where discount is lambda.

    Args:
        rewards: float32 [B, T].
        discount: in [0, 1].

    Returns:
        float32 [B, T].
    """
    q_values = np.empty_like(rewards)
    following = np.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        following = rewards[:, t] + discount * following
        q_values[:, t] = following
    return q_values


def mean_of_others(q_values: Float, mask: Mask) -> Float:
    """Baseline b[i, t]: the mean of q[j, t] over the other sequences j that chose a token at t.

    Where there is no other, q[i, t] itself: nothing is learned from what can't be compared.

    It leaves the sequence itself out, so it does not depend on that sequence's choices and adds no bias (Kool et al.
    2019, "Buy 4 REINFORCE samples, get a baseline for free").

    Args:
        q_values: float32 [B, T], 0 where not mask.
        mask: bool [B, T].

    Returns:
        float32 [B, T].
    """
    # In float64: of equal values the mean must be that value, else scaling would make advantages of the rounding.
    others = mask.sum(axis=0) - mask
    baseline = (q_values.sum(axis=0, dtype=np.float64) - q_values) / np.maximum(others, 1)
    return np.where(others > 0, baseline, q_values).astype(np.float32)


def unit_variance(advantages: Float, mask: Mask) -> Float:
    """Divide by the root mean square of each position over the batch, so that no position drowns another.

    Args:
        advantages: float32 [B, T].
        mask: bool [B, T].

    Returns:
        float32 [B, T]; a position whose advantages are all 0 stays 0.
    """
    count = np.maximum(mask.sum(axis=0, dtype=np.float32), 1)
    scale = np.sqrt((np.square(advantages) * mask).sum(axis=0) / count)
    normalised: Float = advantages / np.maximum(scale, np.float32(1e-8))
    return normalised
