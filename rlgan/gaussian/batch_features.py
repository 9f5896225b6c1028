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
    """Numbers about a group of samples. An `nn.Module`.

    Example:
        >>> class Mean(nn.Module):
        ...     width = 1
        ...
        ...     def forward(self, hidden):
        ...         return hidden.mean(dim=(1, 2), keepdim=True).expand(-1, hidden.shape[1], 1)
        >>> Mean()(torch.tensor([[[1.0], [3.0]]])).tolist()  # a group of two: both read its mean
        [[[2.0], [2.0]]]
    """

    width: int  # E, how many numbers

    def __call__(self, hidden: Tensor, /) -> Tensor:
        """Compute the feature: E numbers [N, g, E] for each sample of groups [N, g, H]."""
        ...


@dataclass(frozen=True)
class MinibatchGroup:
    """How the discriminator judges samples; by default each by itself.

    Example:
        >>> from rlgan.gaussian.networks import PerceptronDiscriminator
        >>> discriminator = PerceptronDiscriminator([2, 6, 1], MinibatchGroup(size=2, feature=MinibatchDeviation()))
        >>> same, different = torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [1.0, 1.0]])
        >>> bool(discriminator(same)[0] == discriminator(different)[0])  # of one sample, beside another neighbour
        False
    """

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

    Example:
        >>> feature = MinibatchDiscrimination(hidden=3, kernels=2, dimension=4)
        >>> feature(torch.zeros(1, 5, 3))[0, 0].tolist()  # of each kernel: four others at no distance, exp(0) each
        [4.0, 4.0]
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
    """The standard deviation over the group of each hidden unit, averaged over the units (Karras et al. 2018, 3).

    Example:
        >>> MinibatchDeviation()(torch.tensor([[[0.0, 0.0], [2.0, 6.0]]])).tolist()  # the mean of 1 and 3
        [[[2.0], [2.0]]]
    """

    width = 1

    def forward(self, hidden: Tensor) -> Tensor:
        """Groups [N, g, H] -> [N, g, 1], the same for all of a group."""
        # The square root has no gradient at 0, where all of a group are the same.
        deviations = (hidden.var(dim=1, correction=0) + 1e-8).sqrt()
        return deviations.mean(dim=-1)[:, None, None].expand(-1, hidden.shape[1], 1)


def one_by_one(_: GroupOptions) -> MinibatchGroup:
    """Each sample by itself, as in the paper.

    Example:
        >>> one_by_one(GroupOptions(hidden=5, size=25, kernels=3, kernel_dimension=2))  # whatever the size of groups is
        MinibatchGroup(size=1, feature=None, packed=False)
    """
    return MinibatchGroup()


def discrimination(options: GroupOptions) -> MinibatchGroup:
    """Minibatch discrimination, as the settings describe it."""
    feature = MinibatchDiscrimination(options.hidden, options.kernels, options.kernel_dimension)
    return MinibatchGroup(options.size, feature)


def deviation(options: GroupOptions) -> MinibatchGroup:
    """The minibatch standard deviation, as a batch feature."""
    return MinibatchGroup(options.size, MinibatchDeviation())


def packing(options: GroupOptions) -> MinibatchGroup:
    """All of a group at once (PacGAN, Lin et al. 2018).

    Example:
        >>> packing(GroupOptions(hidden=5, size=25, kernels=3, kernel_dimension=2))
        MinibatchGroup(size=25, feature=None, packed=True)
    """
    return MinibatchGroup(options.size, packed=True)
