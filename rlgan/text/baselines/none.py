"""No baseline: the paper's."""

from torch import Tensor

from rlgan.learning.group import Group
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings


class NoBaseline:
    """The advantage of a choice is its Q.

    Example:
        >>> import torch
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)
        >>> baseline = NoBaseline(BaselineSettings(), networks, Group())
        >>> baseline.advantage(torch.tensor([[2.0, 7.0]]), torch.tensor([[True, False]]), torch.zeros(1, 2, 5))
        (tensor([[2., 0.]]), None)
    """

    def __init__(self, settings: BaselineSettings, networks: TextNetworks, group: Group) -> None: ...

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, None]:  # noqa: ARG002
        """Q itself, [B, T], 0 where not mask."""
        return q_values * mask, None
