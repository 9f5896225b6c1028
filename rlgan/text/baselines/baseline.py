"""What a baseline is."""

from typing import Protocol

from torch import Tensor

from rlgan.learning.group import Group
from rlgan.settings import resolve
from rlgan.text.baselines import BASELINES
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings


class Baseline(Protocol):
    """Says how much better than expected each choice was.

    Example:
        >>> import torch
        >>> class Five:  # expects 5 of every choice
        ...     def advantage(self, q_values, mask, states):
        ...         return (q_values - 5) * mask, None
        >>> Five().advantage(torch.tensor([[7.0, 3.0]]), torch.tensor([[True, True]]), torch.zeros(1, 2, 4))
        (tensor([[ 2., -2.]]), None)
    """

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Subtract the baseline from Q, and take up the batch where something is kept from step to step.

        Args:
            q_values: float32 [B, T], 0 where not mask.
            mask: bool [B, T], true where a token was chosen.
            states: float32 [B, T, H], what the generator knew when it chose, without gradient.

        Returns:
            The advantages, float32 [B, T], without gradient and 0 where not mask; and the loss of a baseline that
            learns, with gradient.
        """
        ...


def make_baseline(settings: BaselineSettings, networks: TextNetworks, group: Group) -> Baseline:
    """The baseline that settings name.

    Example:
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)
        >>> baseline = make_baseline(BaselineSettings(baseline="expected"), networks, Group())
        >>> type(baseline).__name__  # of what comes after the token, whose own reward is centred elsewhere
        'LeaveOneOut'
    """
    baseline: Baseline = resolve(settings.baseline, BASELINES)(settings, networks, group)
    return baseline
