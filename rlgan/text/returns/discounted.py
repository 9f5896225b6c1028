"""The paper's return."""

import numpy as np

from rlgan.types import Float, Mask


def discounted_q(rewards: Float, mask: Mask, discount: float) -> Float:  # noqa: ARG001 (other returns need the mask)
    """Sum the rewards from each step on: q[t] = r[t] + discount * q[t+1].

    Yala & Song, section 4.1, where discount is lambda.

    Args:
        rewards: float32 [B, T], 0 where not mask.
        mask: bool [B, T], true where a token was chosen.
        discount: in [0, 1].

    Returns:
        float32 [B, T].

    Example:
        >>> discounted_q(np.array([[0, 0, 8]], dtype=np.float32), np.ones((1, 3), dtype=bool), discount=0.5)
        array([[2., 4., 8.]], dtype=float32)
    """
    q_values = np.empty_like(rewards)
    later = np.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        later = rewards[:, t] + discount * later
        q_values[:, t] = later
    return q_values
