"""Samples of the Gaussian task's generator."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from rlgan.device import prepare
from rlgan.gaussian.networks import PerceptronGenerator
from rlgan.gaussian.players import make_networks
from rlgan.gaussian.settings import GaussianSettings
from rlgan.gaussian.tables import NOISES, TARGETS
from rlgan.learning.weights import load
from rlgan.rng import Purpose, stream
from rlgan.settings import resolve
from rlgan.task import LoadedRun, NoOptions
from rlgan.types import Float, Weights

CHUNK = 1_000


def draw_noise(settings: GaussianSettings, rng: np.random.Generator, count: int) -> Float:
    """The generator's input z: float32 [count, Z]; Z is the number of dimensions of the target.

    Example:
        >>> draw_noise(GaussianSettings(target="ring"), np.random.default_rng(0), 3).shape  # the ring lies in the plane
        (3, 2)
    """
    dimensions = resolve(settings.target, TARGETS).mixture.dimensions
    noise: Float = resolve(settings.networks.noise, NOISES)(rng, count, dimensions)
    return noise


@torch.inference_mode()
def generate(settings: GaussianSettings, generator: PerceptronGenerator, count: int, rng: np.random.Generator) -> Float:
    """Generate float32 [count, X] samples; the first n are the same however many are asked for.

    Example:
        >>> settings = GaussianSettings()
        >>> generator = make_networks(settings)[0]
        >>> few, many = (generate(settings, generator, count, np.random.default_rng(0)) for count in (2, 1_500))
        >>> many.shape, bool((many[:2] == few).all())
        ((1500, 1), True)
    """
    device = generator.output.weight.device
    # A product of other rows may round otherwise: always so many.
    rounds = [draw_noise(settings, rng, CHUNK) for _ in range(math.ceil(count / CHUNK))]
    return np.concatenate([generator(torch.from_numpy(z).to(device)).cpu().numpy() for z in rounds])[:count]


def sample(settings: GaussianSettings, weights: Weights, count: int, seed: int, device: torch.device) -> Float:
    """Samples float32 [count, X] that weights generate."""
    generator = make_networks(settings)[0].to(device)
    load(generator, weights.generator)
    return generate(settings, generator, count, stream(seed, Purpose.EVALUATION, 0))


def draw_samples(run: LoadedRun, count: int, seed: int, _: NoOptions) -> Iterator[list[float]]:
    """Draw samples for `rlgan sample RUN`: the coordinates of each."""
    for one in sample(run.settings, run.weights, count, seed, prepare(run.device)):
        yield one.tolist()
