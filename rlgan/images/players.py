"""Both players of a recipe of the image task."""

import math

from torch import nn

from rlgan.images.networks import (
    FIRST,
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    MaxoutDiscriminator,
    MaxoutGenerator,
)
from rlgan.images.settings import ImageSettings
from rlgan.images.tables import IMAGE_NETWORKS
from rlgan.settings import resolve
from rlgan.task import LoadedRun

Pair = tuple[nn.Module, nn.Module]


def make_networks(settings: ImageSettings) -> Pair:
    """The generator and the discriminator of a recipe: what the name in IMAGE_NETWORKS makes of the settings."""
    pair: Pair = resolve(settings.architecture.networks, IMAGE_NETWORKS)(settings)
    return pair


def maxout_pair(settings: ImageSettings) -> Pair:
    """The paper's pair, after Goodfellow et al. 2013 and 2014."""
    a, size = settings.architecture, settings.pictures.size
    return (
        MaxoutGenerator(a.noise_size, a.generator_units, size),
        MaxoutDiscriminator(a.units, a.pieces, size, a.dropout, a.input_dropout),
    )


def convolutional_pair(settings: ImageSettings) -> Pair:
    """A small modern pair: channels double as maps get smaller, up to 8 times as many."""
    a, maps = settings.architecture, int(math.log2(settings.pictures.size // FIRST))
    channels = [min(2**i, 8) * a.width for i in range(maps)]
    return (
        ConvolutionalGenerator(a.noise_size, channels, mixed=a.mixed_precision),
        ConvolutionalDiscriminator(channels, mixed=a.mixed_precision),
    )


def networks_of(run: LoadedRun) -> Pair:
    """Both networks of a run, with fresh weights."""
    return make_networks(run.settings)
