"""A learned baseline, also called a critic."""

from typing import cast

from torch import Tensor, nn

from rlgan.learning.group import Group
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings


class LearnedBaseline(nn.Module):
    """A linear function of what the generator knows when it chooses, trained to predict Q.

    Example:
        >>> import torch
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)
        >>> baseline, states = LearnedBaseline(BaselineSettings(), networks, Group()), torch.zeros(1, 2, 5)
        >>> bias = nn.init.ones_(baseline.output.bias)  # of states of 0 it predicts 1
        >>> advantages, loss = baseline.advantage(torch.tensor([[3.0, 1.0]]), torch.tensor([[True, True]]), states)
        >>> advantages, loss.item()  # (2^2 + 0^2) / 2
        (tensor([[2., 0.]]), 2.0)
    """

    def __init__(self, settings: BaselineSettings, networks: TextNetworks, group: Group) -> None:  # noqa: ARG002
        super().__init__()
        self.group = group
        self.output = nn.Linear(networks.hidden_size, 1)

    def forward(self, states: Tensor) -> Tensor:
        """The predicted Q [B, T] of states [B, T, H]."""
        return cast(Tensor, self.output(states))[..., 0]

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Q less its prediction, and the mean squared error of the prediction over the places that count."""
        predicted: Tensor = self(states)
        loss = self.group.masked_mean((predicted - q_values).square(), mask)
        # Detached: the prediction learns from its own loss, not from the policy's.
        return (q_values - predicted.detach()) * mask, loss
