"""The mean of Q over the steps before: one number, or one for each position."""

import torch
from torch import Tensor, nn

from rlgan.learning.group import Group
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings


class MovingAverage(nn.Module):
    """Exponential mean of Q over the steps before, one number or one per position.

    It starts at 0, and is corrected for that as Adam's moments are (Kingma & Ba 2015, section 3).

    Args:
        size: 1, or T for one number per position.
        decay: per step.
        group: the learners that share every batch: the mean is over all of it.

    Example:
        >>> baseline = MovingAverage(1, decay=0.9, group=Group())
        >>> mask, states = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, 5)
        >>> for q_value in (4.0, 6.0):  # before the first step it expects 0, after it 4 and not 0.4
        ...     print(baseline.advantage(torch.tensor([[q_value]]), mask, states)[0])
        tensor([[4.]])
        tensor([[2.]])
    """

    def __init__(self, size: int, decay: float, group: Group) -> None:
        super().__init__()
        self.decay = decay
        self.group = group
        # Named for mypy, which does not see what `register_buffer` sets.
        self.sums: Tensor
        self.weights: Tensor
        self.register_buffer("sums", torch.zeros(size))
        self.register_buffer("weights", torch.zeros(size))

    def forward(self) -> Tensor:
        """The baseline [size]: 0 before the first step."""
        # Both are 0 before the first step, and 0 / 0 would be NaN.
        return self.sums / self.weights.clamp(min=1e-8)

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, None]:  # noqa: ARG002
        """Q less the mean of the steps before this one, which then counts for those after it."""
        # Before this batch is taken in: a mean that has seen these choices would add a bias.
        baseline: Tensor = self()
        self.update(self.group.gather(q_values), self.group.gather(mask))
        return (q_values - baseline) * mask, None

    @torch.no_grad()
    def update(self, q_values: Tensor, mask: Tensor) -> None:
        """Take in the Q [B, T] of a step; a position where no token was chosen stays as it is."""
        totals, counts = (q_values * mask).sum(dim=0), mask.sum(dim=0)
        if len(self.sums) == 1:
            totals, counts = totals.sum(dim=0, keepdim=True), counts.sum(dim=0, keepdim=True)
        # A share of 0 leaves a position alone, without a choice of rows, for which a GPU would have to wait.
        share = torch.where(counts > 0, 1 - self.decay, 0.0)
        self.sums.lerp_(totals / counts.clamp(min=1), share)
        self.weights.lerp_(torch.ones_like(self.weights), share)


def moving_average(settings: BaselineSettings, networks: TextNetworks, group: Group) -> MovingAverage:  # noqa: ARG001
    """One mean for all positions.

    Example:
        >>> networks = TextNetworks(9, 4, 5, 2, "gru", "gru", scores_all_tokens=False)  # sequences of 2 tokens
        >>> baseline = moving_average(BaselineSettings(), networks, Group())
        >>> baseline.update(torch.tensor([[8.0, 0.0]]), torch.tensor([[True, True]]))
        >>> baseline()
        tensor([4.])
    """
    return MovingAverage(1, settings.baseline_decay, group)


def per_position(settings: BaselineSettings, networks: TextNetworks, group: Group) -> MovingAverage:
    """One mean for each position.

    Example:
        >>> networks = TextNetworks(9, 4, 5, 2, "gru", "gru", scores_all_tokens=False)  # sequences of 2 tokens
        >>> baseline = per_position(BaselineSettings(), networks, Group())
        >>> baseline.update(torch.tensor([[8.0, 0.0]]), torch.tensor([[True, True]]))
        >>> baseline()
        tensor([8., 0.])
    """
    return MovingAverage(networks.length, settings.baseline_decay, group)
