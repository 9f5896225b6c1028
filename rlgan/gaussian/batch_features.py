"""Batch features: the discriminator judges samples in groups, against mode collapse.

Yala & Song name it in section 2.2. D's last layer reads some numbers about the group that a sample is in, beside the
sample's own hidden units (Salimans et al. 2016), or D reads all of a group as one input (Lin et al. 2018). A batch
feature of your own is a function from `GroupOptions` to a `MinibatchGroup`; the names that settings offer are in
`rlgan.gaussian.tables`.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


class BatchFeature(Protocol):
    """Numbers about a group of samples. An `nn.Module`."""

    width: int  # E, how many numbers

    def __call__(self, hidden: Tensor, /) -> Tensor:
        """Compute the feature: E numbers [N, g, E] for each sample of groups [N, g, H]."""
        ...


@dataclass(frozen=True)
class MinibatchGroup:
    """How the discriminator judges samples; by default each by itself."""

    size: int = 1  # g, neighbours in the batch that make a group; divides B
    feature: BatchFeature | None = None  # what D reads of a sample's group
    packed: bool = False  # the group is one input, and gets one answer


@dataclass(frozen=True)
class GroupOptions:
    """What a recipe says of batch features."""

    hidden: int  # H, units of D's last hidden layer
    size: int  # g
    kernels: int  # of minibatch discrimination
    kernel_dimension: int


class MinibatchDiscrimination(nn.Module):
    """How near the others of its group are to a sample, as K learned kernels see it (Salimans et al. 2016, 3.2).

    o_b(i) = sum over j != i of exp(-|m_b(i) - m_b(j)|_1), m_b(i) in R^C a linear map of the hidden units of sample i.

    Args:
        hidden: H.
        kernels: K.
        dimension: C.
    """

    def __init__(self, hidden: int, kernels: int, dimension: int) -> None:
        super().__init__()
        self.width = kernels
        self.dimension = dimension
        self.projection = nn.Parameter(torch.randn(hidden, kernels * dimension))

    def forward(self, hidden: Tensor) -> Tensor:
        """Groups [N, g, H] -> [N, g, K]."""
        projected = (hidden @ self.projection).reshape(*hidden.shape[:-1], self.width, self.dimension)
        distances = (projected.unsqueeze(1) - projected.unsqueeze(2)).abs().sum(dim=-1)
        # A sample's distance to itself is 0: less exp(0) = 1.
        return torch.exp(-distances).sum(dim=2) - 1


class MinibatchDeviation(nn.Module):
    """The standard deviation over the group of each hidden unit, averaged over the units (Karras et al. 2018, 3)."""

    width = 1

    def forward(self, hidden: Tensor) -> Tensor:
        """Groups [N, g, H] -> [N, g, 1], the same for all of a group."""
        # The square root has no gradient at 0, where all of a group are the same.
        deviations = (hidden.var(dim=1, correction=0) + 1e-8).sqrt()
        return deviations.mean(dim=-1)[:, None, None].expand(-1, hidden.shape[1], 1)


def one_by_one(_: GroupOptions) -> MinibatchGroup:
    """Each sample by itself, as in the paper."""
    return MinibatchGroup()


def discrimination(options: GroupOptions) -> MinibatchGroup:
    """Minibatch discrimination, as the settings describe it."""
    feature = MinibatchDiscrimination(options.hidden, options.kernels, options.kernel_dimension)
    return MinibatchGroup(options.size, feature)


def deviation(options: GroupOptions) -> MinibatchGroup:
    """The minibatch standard deviation, as a batch feature."""
    return MinibatchGroup(options.size, MinibatchDeviation())


def packing(options: GroupOptions) -> MinibatchGroup:
    """All of a group at once (PacGAN, Lin et al. 2018)."""
    return MinibatchGroup(options.size, packed=True)
