"""The perceptron pair of Yala & Song, section 2.1, in any size: there tanh, layers (1, 6), (6, 5), (5, 1)."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from rlgan.gaussian.batch_features import MinibatchGroup

LIMIT = 5.0  # of samples in every dimension, where they are bounded (Yala & Song, section 2.1)

Activation = Callable[[], nn.Module]


def bounded_output(last: Tensor, scale: float) -> Tensor:  # noqa: ARG001 - of outputs in units of the data
    """Samples in [-5, 5], whatever the scale of the data: 5 tanh(last).

    Example:
        >>> bounded_output(torch.tensor([0.0, 100.0]), scale=4.0)
        tensor([0., 5.])
    """
    return LIMIT * last.tanh()


def linear_output(last: Tensor, scale: float) -> Tensor:
    """Samples in units of the data's scale, without bounds: scale * last.

    Example:
        >>> linear_output(torch.tensor([0.5, 100.0]), scale=4.0).tolist()
        [2.0, 400.0]
    """
    return scale * last


class PerceptronGenerator(nn.Module):
    """Noise [B, Z] -> samples [B, X].

    Example:
        >>> PerceptronGenerator([1, 6, 5, 1])(torch.zeros(200, 1)).shape
        torch.Size([200, 1])

    Args:
        sizes: Z, the hidden layers, X.
        scale: of the data.
        output: (last layer, scale) -> samples.
        activation: of each hidden layer.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        scale: float = 1.0,
        output: Callable[[Tensor, float], Tensor] = bounded_output,
        activation: Activation = nn.Tanh,
    ) -> None:
        super().__init__()
        self.hidden = _hidden(sizes[:-1], activation)
        self.output = nn.Linear(sizes[-2], sizes[-1])
        self.scale = scale
        self.to_samples = output

    def forward(self, noise: Tensor) -> Tensor:
        """Samples [B, X] of noise [B, Z]."""
        return self.to_samples(self.output(self.hidden(noise)), self.scale)


class PerceptronDiscriminator(nn.Module):
    """Samples [B, X] -> log-odds, whose sigmoid is D.

    Args:
        sizes: X, the hidden layers, 1.
        group: how samples are judged beside each other.
        scale: what samples are divided by when they are read.
        activation: of each hidden layer.

    Example:
        >>> PerceptronDiscriminator([2, 6, 1])(torch.zeros(20, 2)).shape
        torch.Size([20])
        >>> packs = MinibatchGroup(size=5, packed=True)
        >>> PerceptronDiscriminator([2, 6, 1], packs)(torch.zeros(20, 2)).shape  # an answer for each pack
        torch.Size([4])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        group: MinibatchGroup | None = None,
        *,
        scale: float = 1.0,
        activation: Activation = nn.Tanh,
    ) -> None:
        super().__init__()
        group = group or MinibatchGroup()
        self.minibatch_group_size = group.size
        self.packed = group.packed
        self.scale = scale
        # PacGAN (Lin et al. 2018) widens the input alone, by the size of a group; all later layers stay as they are.
        self.hidden = _hidden([sizes[0] * group.size if group.packed else sizes[0], *sizes[1:-1]], activation)
        self.feature = group.feature
        self.output = nn.Linear(sizes[-2] + (group.feature.width if group.feature else 0), sizes[-1])

    def forward(self, samples: Tensor) -> Tensor:
        """Log-odds [B] of samples [B, X], or [B / g] where they are packed. Groups are neighbours in B."""
        if self.packed:
            # One row per group, without a rest: settings check that a group's size divides the batch's.
            samples = samples.reshape(len(samples) // self.minibatch_group_size, -1)
        # Divided by the data's scale, so that first weights that suit N(0, 1) suit
        # the grid too, whose centres reach to 4.
        hidden = self.hidden(samples / self.scale)
        if self.feature is not None:
            # The features join the units that they were computed from, as in Salimans et al. 2016, section 3.2.
            features = self.feature(hidden.reshape(-1, self.minibatch_group_size, hidden.shape[-1]))
            hidden = torch.cat([hidden, features.flatten(0, 1)], dim=-1)
        # Without the paper's sigmoid: the losses take it inside softplus, which stays finite where D is sure.
        return cast(Tensor, self.output(hidden))[:, 0]


def _hidden(sizes: Sequence[int], activation: Activation) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        # A new module for each layer, since an activation from outside may have weights of its own, as PReLU does.
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers)
