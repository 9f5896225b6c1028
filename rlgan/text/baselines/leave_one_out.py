"""The mean of the other sequences of the batch."""

import numpy as np
import torch
from torch import Tensor

from rlgan.learning.group import Group
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings
from rlgan.types import Float, Mask


class LeaveOneOut:
    """Subtracts from each Q the mean of the other sequences at the same position; see `leave_one_out_mean`."""

    def __init__(self, settings: BaselineSettings, networks: TextNetworks, group: Group) -> None:  # noqa: ARG002
        self.group = group

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, None]:  # noqa: ARG002
        """Q less the mean of the others, [B, T], 0 where not mask."""
        # Of the batch of all learners: else the baseline would depend on how many share it.
        whole_q, whole_mask = (self.group.gather(own).cpu().numpy() for own in (q_values, mask))
        baseline = torch.tensor(self.group.rows(leave_one_out_mean(whole_q, whole_mask)), device=q_values.device)
        return (q_values - baseline) * mask, None


def leave_one_out_mean(q_values: Float, mask: Mask) -> Float:
    """Baseline b[i, t]: the mean of q[j, t] over the other sequences j that chose a token at t.

    Where there is no other, q[i, t] itself: nothing is learned from what can't be compared.

    It leaves the sequence itself out, so it does not depend on that sequence's choices and adds no bias (Kool et al.
    2019, "Buy 4 REINFORCE samples, get a baseline for free").

    Args:
        q_values: float32 [B, T], 0 where not mask.
        mask: bool [B, T].

    Returns:
        float32 [B, T].

    Example:
        >>> leave_one_out_mean(np.float32([[1], [2], [6]]), np.ones((3, 1), dtype=bool))
        array([[4. ],
               [3.5],
               [1.5]], dtype=float32)
    """
    # In float64: of equal values the mean must be that value, else scaling would make advantages of the rounding.
    others = mask.sum(axis=0) - mask
    baseline = (q_values.sum(axis=0, dtype=np.float64) - q_values) / np.maximum(others, 1)
    return np.where(others > 0, baseline, q_values).astype(np.float32)
