"""Both players of a recipe of the Gaussian task."""

from rlgan.gaussian.batch_features import GroupOptions, MinibatchGroup
from rlgan.gaussian.networks import PerceptronDiscriminator, PerceptronGenerator
from rlgan.gaussian.settings import GaussianSettings
from rlgan.gaussian.tables import ACTIVATIONS, BATCH_FEATURES, OUTPUTS, TARGETS
from rlgan.settings import resolve
from rlgan.task import LoadedRun

HIDDEN = (6, 5)  # units of the hidden layers (Yala & Song, section 2.1)


def make_networks(settings: GaussianSettings) -> tuple[PerceptronGenerator, PerceptronDiscriminator]:
    """The pair of section 2.1: layers (1, 6), (6, 5), (5, 1), in width and depth as the recipe says.

    Noise and samples have as many dimensions as the target.
    """
    networks, minibatch = settings.networks, settings.minibatch
    hidden = [size * networks.width for size in HIDDEN for _ in range(networks.depth)]
    mixture, activation = resolve(settings.target, TARGETS).mixture, resolve(networks.activation, ACTIVATIONS)
    options = GroupOptions(hidden[-1], minibatch.minibatch_group_size, minibatch.kernels, minibatch.kernel_dimension)
    group: MinibatchGroup = resolve(minibatch.batch_features, BATCH_FEATURES)(options)
    dimensions, scale = mixture.dimensions, mixture.scale
    output = resolve(networks.output, OUTPUTS)
    return (
        PerceptronGenerator([dimensions, *hidden, dimensions], scale=scale, output=output, activation=activation),
        PerceptronDiscriminator([dimensions, *hidden, 1], group, scale=scale, activation=activation),
    )


def networks_of(run: LoadedRun) -> tuple[PerceptronGenerator, PerceptronDiscriminator]:
    """Both networks of a run, with fresh weights."""
    return make_networks(run.settings)
