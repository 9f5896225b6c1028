"""The mean of the other sequences of the batch."""

from torch import Tensor

from rlgan.learning.group import Group
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings


class LeaveOneOut:
    """Subtracts from each Q the mean of the other sequences at the same position; see `leave_one_out_mean`.

    Example:
        >>> import torch
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)
        >>> baseline, q_values = LeaveOneOut(BaselineSettings(), networks, Group()), torch.tensor([[0.0], [2.0], [4.0]])
        >>> advantages, _ = baseline.advantage(q_values, torch.ones(3, 1, dtype=torch.bool), torch.zeros(3, 1, 5))
        >>> advantages.T  # less 3, 2 and 1
        tensor([[-3.,  0.,  3.]])
    """

    def __init__(self, settings: BaselineSettings, networks: TextNetworks, group: Group) -> None:  # noqa: ARG002
        self.group = group

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, None]:  # noqa: ARG002
        """Q less the mean of the others, [B, T], 0 where not mask."""
        # Of the batch of all learners: else the baseline would depend on how many share it.
        whole_q, whole_mask = (self.group.gather(own) for own in (q_values, mask))
        baseline = self.group.rows(leave_one_out_mean(whole_q, whole_mask))
        return (q_values - baseline) * mask, None


def leave_one_out_mean(q_values: Tensor, mask: Tensor) -> Tensor:
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
        >>> import torch
        >>> leave_one_out_mean(torch.tensor([[1.0], [2.0], [6.0]]), torch.ones(3, 1, dtype=torch.bool))
        tensor([[4.0000],
                [3.5000],
                [1.5000]])
    """
    # In float64: of equal values the mean must be that value, else scaling would make advantages of the rounding.
    others = mask.sum(dim=0) - mask.long()
    baseline = (q_values.double().sum(dim=0) - q_values) / others.clamp(min=1)
    return baseline.to(q_values.dtype).where(others > 0, q_values)
