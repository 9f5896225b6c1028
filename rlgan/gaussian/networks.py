"""The perceptron pair of Yala & Song, section 2.1, in any size: there tanh throughout, layers (1, 6), (6, 5), (5, 1).

Batch features let D judge samples by their company, the cure that the section names (Salimans et al. 2016): D's last
layer then reads some numbers about the group that a sample is in, beside the sample's own hidden units.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, cast

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


class BatchFeature(Protocol):
    """Numbers about a group of samples. An `nn.Module`."""

    width: int  # E, how many numbers

    def __call__(self, hidden: Tensor, /) -> Tensor:
        """For each sample of groups [N, g, H], numbers [N, g, E]."""
        ...


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


class PerceptronGenerator(nn.Module):
    """Noise [B, Z] -> samples [B, X] = scale * tanh(...), or scale * (...) where they are not bounded.

    Args:
        sizes: Z, the hidden layers, X.
        scale: the largest sample there can be, where they are bounded.
        bounded: by tanh.
        activation: after each hidden layer, a name in `ACTIVATIONS`.
    """

    def __init__(self, sizes: Sequence[int], scale: float, *, bounded: bool = True, activation: str = "tanh") -> None:
        super().__init__()
        self.hidden = _hidden(sizes[:-1], activation)
        self.output = nn.Linear(sizes[-2], sizes[-1])
        self.scale = scale
        self.bounded = bounded

    def forward(self, noise: Tensor) -> Tensor:
        """Samples [B, X] of noise [B, Z]."""
        samples = cast(Tensor, self.output(self.hidden(noise)))
        return self.scale * (samples.tanh() if self.bounded else samples)


class PerceptronDiscriminator(nn.Module):
    """Samples [B, X] -> log-odds, whose sigmoid is D.

    Args:
        sizes: X, the hidden layers, 1.
        group: samples that are judged in each other's company; divides B.
        feature: what D is told of the company, or None.
        packed: the group is one input, and gets one answer (PacGAN, Lin et al. 2018).
        scale: what samples are divided by when they are read.
        activation: after each hidden layer, a name in `ACTIVATIONS`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        group: int,
        feature: BatchFeature | None,
        *,
        packed: bool = False,
        scale: float = 1.0,
        activation: str = "tanh",
    ) -> None:
        super().__init__()
        self.group = group
        self.packed = packed
        self.scale = scale
        self.hidden = _hidden([sizes[0] * group if packed else sizes[0], *sizes[1:-1]], activation)
        self.feature = feature
        self.output = nn.Linear(sizes[-2] + (feature.width if feature else 0), sizes[-1])

    def forward(self, samples: Tensor) -> Tensor:
        """Log-odds [B] of samples [B, X], or [B / group] where they are packed. Groups are neighbours in B."""
        if self.packed:
            samples = samples.reshape(len(samples) // self.group, -1)
        hidden = self.hidden(samples / self.scale)
        if self.feature is not None:
            told = self.feature(hidden.reshape(-1, self.group, hidden.shape[-1]))
            hidden = torch.cat([hidden, told.flatten(0, 1)], dim=-1)
        return cast(Tensor, self.output(hidden))[:, 0]


def _hidden(sizes: Sequence[int], activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)
