"""Networks on pictures: the maxout pair of Goodfellow et al. 2014, and a convolutional pair.

Pictures are float32 [B, 3, S, S] in [0, 1]. Log-odds are float32 [B].
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = 3
FIRST = 4  # side of the smallest map of the convolutional pair
SLOPE = 0.2  # of rectifiers below 0, as in DCGAN


class MaxoutGenerator(nn.Module):
    """Noise [B, Z] through two layers of rectifiers to a sigmoid (Goodfellow et al. 2014; Yala & Song, section 3).

    Example:
        >>> MaxoutGenerator(noise_size=2, units=8, size=16)(torch.zeros(5, 2)).shape
        torch.Size([5, 3, 16, 16])

    Args:
        noise_size: Z.
        units: of each hidden layer.
        size: S.
    """

    def __init__(self, noise_size: int, units: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.hidden = nn.Sequential(nn.Linear(noise_size, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU())
        self.output = nn.Linear(units, CHANNELS * size**2)

    def forward(self, noise: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] of noise [B, Z]."""
        pixels = torch.sigmoid(self.output(self.hidden(noise)))
        return pixels.reshape(-1, CHANNELS, self.size, self.size)


class Maxout(nn.Module):
    """The largest of `pieces` linear functions, for each of `outputs` units (Goodfellow et al. 2013).

    Args:
        inputs: how many numbers it reads.
        outputs: how many units.
        pieces: linear functions of each unit.

    Example:
        >>> layer = Maxout(inputs=1, outputs=1, pieces=2)
        >>> _ = layer.linear.load_state_dict({"weight": torch.tensor([[1.0], [-1.0]]), "bias": torch.zeros(2)})
        >>> layer(torch.tensor([[-3.0], [2.0]])).tolist()  # the larger of x and -x
        [[3.0], [2.0]]
    """

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Inputs float32 [B, inputs] -> float32 [B, outputs]."""
        return cast(Tensor, self.linear(x)).reshape(len(x), -1, self.pieces).amax(dim=-1)


class MaxoutDiscriminator(nn.Module):
    """Two maxout layers with dropout on what they read (Goodfellow et al. 2014; Yala & Song, section 3).

    Args:
        units: of each hidden layer.
        pieces: of each unit.
        size: S.
        dropout: share of what a hidden layer gives that is left out.
        input_dropout: share of the pixels.

    Example:
        >>> network = MaxoutDiscriminator(units=8, pieces=2, size=16, dropout=0.5, input_dropout=0.2)
        >>> pictures = torch.ones(5, 3, 16, 16)
        >>> network(pictures).shape
        torch.Size([5])
        >>> torch.equal(network.eval()(pictures), network(pictures))  # without dropout: it is for learning alone
        True
    """

    def __init__(self, units: int, pieces: int, size: int, dropout: float, input_dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            Maxout(CHANNELS * size**2, units, pieces),
            nn.Dropout(dropout),
            Maxout(units, units, pieces),
            nn.Dropout(dropout),
        )
        self.output = nn.Linear(units, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Log-odds [B] of pictures [B, 3, S, S]."""
        return cast(Tensor, self.output(self.layers(pictures.flatten(1))))[:, 0]


class ConvolutionalGenerator(nn.Module):
    """Noise [B, Z] -> pictures: transposed convolutions of 4 x 4 that double the side, from 4 x 4 on.

    The layout of DCGAN (Radford et al. 2016). The output is linear, as in R3GAN (Huang et al. 2024): what lies outside
    of [0, 1] is cut when it becomes a picture.

    Example:
        >>> ConvolutionalGenerator(2, channels=[4, 8], mixed=False)(torch.zeros(5, 2)).shape
        torch.Size([5, 3, 16, 16])

    Args:
        noise_size: Z.
        channels: of the maps, the largest map's first; n of them give S = 4 * 2^n.
        mixed: compute in bfloat16 where that loses little (`torch.autocast`).
    """

    def __init__(self, noise_size: int, channels: Sequence[int], *, mixed: bool) -> None:
        super().__init__()
        self.mixed = mixed
        self.basis = nn.Linear(noise_size, channels[-1] * FIRST**2)
        _initialise(self.basis, noise_size, gain=1.0)
        widths = [*reversed(channels), CHANNELS]
        layers = [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths)]
        norms = [nn.BatchNorm2d(width) for width in widths[:-1]]
        for norm in norms:
            # An integer that nothing depends on: tensors of a state are float32.
            norm.num_batches_tracked = None
        for layer in layers:
            # A pixel reads 2 x 2 of the 4 x 4. The output starts in the middle of its range.
            _initialise(layer, 4 * layer.in_channels, gain=0.5 if layer is layers[-1] else math.sqrt(2))
        self.layers, self.norms = nn.ModuleList(layers), nn.ModuleList(norms)

    def forward(self, noise: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] of noise [B, Z]."""
        with torch.autocast(noise.device.type, torch.bfloat16, enabled=self.mixed):
            x = self.basis(noise).reshape(len(noise), -1, FIRST, FIRST).contiguous(memory_format=torch.channels_last)
            for layer, norm in zip(self.layers, self.norms, strict=True):
                x = layer(functional.leaky_relu(norm(x), SLOPE))
        # In float32 from here on: losses and penalties are not computed in bfloat16.
        return 0.5 + 0.5 * cast(Tensor, x).float()


class ConvolutionalDiscriminator(nn.Module):
    """Pictures -> log-odds: convolutions of 4 x 4 that halve the side, down to 4 x 4.

    Without normalisation, as in R3GAN: batch statistics would mix the samples whose gradients the penalties bound.

    Args:
        channels: of the maps, the largest map's first, as in the generator.
        mixed: compute in bfloat16 where that loses little (`torch.autocast`).

    Example:
        >>> network = ConvolutionalDiscriminator(channels=[4, 8], mixed=False)  # 16 x 16 to 8 x 8 to 4 x 4
        >>> network(torch.zeros(5, 3, 16, 16)).shape
        torch.Size([5])
    """

    def __init__(self, channels: Sequence[int], *, mixed: bool) -> None:
        super().__init__()
        self.mixed = mixed
        layers = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise([CHANNELS, *channels])]
        for layer in layers:
            _initialise(layer, 16 * layer.in_channels, gain=math.sqrt(2))
        self.layers = nn.ModuleList(layers)
        self.output = nn.Linear(channels[-1] * FIRST**2, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Log-odds [B] of pictures [B, 3, S, S]."""
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self.mixed):
            x = (2 * pictures - 1).contiguous(memory_format=torch.channels_last)
            for layer in self.layers:
                x = functional.leaky_relu(layer(x), SLOPE)
            odds = cast(Tensor, self.output(x.flatten(1)))
        return odds.float()[:, 0]


def _initialise(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, inputs: int, gain: float) -> None:
    """Weights from N(0, gain^2 / inputs), which keeps the variance from layer to layer (He et al. 2015); biases 0."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(inputs))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
