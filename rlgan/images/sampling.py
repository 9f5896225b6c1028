"""Pictures that the image task's generator makes."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rlgan.device import prepare
from rlgan.drawing import save_png
from rlgan.images.grids import grid
from rlgan.images.players import make_networks
from rlgan.images.settings import ImageSettings, SampleOptions
from rlgan.learning.weights import load, sample_noise
from rlgan.rng import Purpose, stream
from rlgan.settings import new_picture
from rlgan.task import LoadedRun
from rlgan.types import Float, Weights

Pixels = NDArray[np.uint8]  # [N, S, S, 3]

# A product of other rows may round otherwise: always so many at once.
CHUNK = 50


@torch.inference_mode()
def generate(generator: nn.Module, noise: Float) -> Pixels:
    """Pictures uint8 [N, S, S, 3] of noise [N, Z]; each the same, whatever comes with it."""
    device = next(generator.parameters()).device
    made = []
    for start in range(0, len(noise), CHUNK):
        rows = noise[start : start + CHUNK]
        padded = np.zeros((CHUNK, noise.shape[1]), np.float32)
        padded[: len(rows)] = rows
        pictures = generator(torch.from_numpy(padded).to(device))[: len(rows)]
        made.append((255 * pictures.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(made)


def sample(settings: ImageSettings, weights: Weights, count: int, seed: int, device: torch.device) -> Pixels:
    """Pictures [count, S, S, 3] that weights generate."""
    # As in training: by how many threads a sum is shared changes how it is rounded.
    torch.set_num_threads(settings.threads)
    generator = make_networks(settings)[0].to(device).eval()
    load(generator, weights.generator)
    rng = stream(seed, Purpose.EVALUATION, 0)
    return generate(generator, sample_noise(rng, count, settings.architecture.noise_size))


def draw_samples(run: LoadedRun, count: int, seed: int, options: SampleOptions) -> Iterator[str]:
    """Draw a grid of samples into a file for `rlgan sample RUN`, and give the file's name."""
    out = new_picture("--out", "samples" if options.out is None else options.out, force=options.force)
    made = sample(run.settings, run.weights, count, seed, prepare(run.device))
    save_png(grid(made, math.ceil(math.sqrt(count))), out)
    yield str(out)
