"""No baseline: the paper's."""

from torch import Tensor

from rlgan.learning.group import Group
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings


class NoBaseline:
    """The advantage of a choice is its Q."""

    def __init__(self, settings: BaselineSettings, networks: TextNetworks, group: Group) -> None: ...

    def advantage(self, q_values: Tensor, mask: Tensor, states: Tensor) -> tuple[Tensor, None]:  # noqa: ARG002
        """Q itself, [B, T], 0 where not mask."""
        return q_values * mask, None
