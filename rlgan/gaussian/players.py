"""Both players of a recipe of the Gaussian task."""

from rlgan.gaussian.networks import (
    BatchFeature,
    MinibatchDeviation,
    MinibatchDiscrimination,
    PerceptronDiscriminator,
    PerceptronGenerator,
)
from rlgan.gaussian.settings import TARGETS, GaussianSettings
from rlgan.settings import resolve

HIDDEN = (6, 5)  # units of the hidden layers (Yala & Song, section 2.1)
LIMIT = 5.0  # of samples, in every dimension


def make_networks(settings: GaussianSettings) -> tuple[PerceptronGenerator, PerceptronDiscriminator]:
    """The pair of section 2.1: layers (1, 6), (6, 5), (5, 1), in width and depth as the recipe says.

    Noise and samples have as many dimensions as the target.
    """
    networks, minibatch = settings.networks, settings.minibatch
    hidden = [size * networks.width for size in HIDDEN for _ in range(networks.depth)]
    mixture = resolve(settings.target, TARGETS).mixture
    dimensions, scale = mixture.dimensions, mixture.scale
    feature: BatchFeature | None = None
    if minibatch.batch_features == "discrimination":
        feature = MinibatchDiscrimination(hidden[-1], minibatch.kernels, minibatch.kernel_dimension)
    elif minibatch.batch_features == "deviation":
        feature = MinibatchDeviation()
    group = 1 if minibatch.batch_features == "none" else minibatch.minibatch_group_size
    bounded = networks.output == "tanh"
    generator = PerceptronGenerator(
        [dimensions, *hidden, dimensions], LIMIT if bounded else scale, bounded=bounded, activation=networks.activation
    )
    discriminator = PerceptronDiscriminator(
        [dimensions, *hidden, 1],
        group,
        feature,
        packed=minibatch.batch_features == "packing",
        scale=scale,
        activation=networks.activation,
    )
    return generator, discriminator
