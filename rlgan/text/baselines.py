"""Baselines that keep or learn something from step to step; those of one batch alone are in `rlgan.text.returns`."""

from typing import cast

import torch
from torch import Tensor, nn


class RunningMean(nn.Module):
    """Exponential mean of Q over the steps before, one number or one per position.

    As Adam's moments it is freed from the zero that it starts with (Kingma & Ba 2015, section 3).

    Args:
        places: 1, or T for one number per position.
        decay: per step.
    """

    def __init__(self, places: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.sums: Tensor
        self.weights: Tensor
        self.register_buffer("sums", torch.zeros(places))
        self.register_buffer("weights", torch.zeros(places))

    def forward(self) -> Tensor:
        """The baseline [places]: 0 before anything was taken in."""
        return self.sums / self.weights.clamp(min=1e-8)

    @torch.no_grad()
    def take(self, values: Tensor, mask: Tensor) -> None:
        """Take in the values [B, T] of a step; a position that none counts at stays as it is."""
        totals, counts = (values * mask).sum(dim=0), mask.sum(dim=0)
        if len(self.sums) == 1:
            totals, counts = totals.sum(dim=0, keepdim=True), counts.sum(dim=0, keepdim=True)
        share = torch.where(counts > 0, 1 - self.decay, 0.0)
        self.sums.lerp_(totals / counts.clamp(min=1), share)
        self.weights.lerp_(torch.ones_like(self.weights), share)


class Critic(nn.Module):
    """A learned baseline: a linear function of what the generator knows when it chooses."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.output = nn.Linear(hidden_size, 1)

    def forward(self, states: Tensor) -> Tensor:
        """Values [B, T] of states [B, T, H]."""
        return cast(Tensor, self.output(states))[..., 0]
