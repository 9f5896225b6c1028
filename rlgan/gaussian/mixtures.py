"""Gaussian data and the noise that a generator makes it from: every batch a pure function of its stream."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlgan.types import Float

NOISE_LIMIT = 5.0  # z ~ U[-5, 5] in every dimension (Yala & Song, section 2)


@dataclass(frozen=True)
class Mixture:
    """Equal parts of M Gaussians in X dimensions, of one standard deviation in all of them."""

    name: str  # for people
    centres: Float  # [M, X]
    deviation: float
    scale: float = 1.0  # the largest coordinate of a centre, or 1

    @property
    def dimensions(self) -> int:
        """X."""
        return int(self.centres.shape[1])

    def sample(self, numbers: np.random.Generator, count: int) -> Float:
        """Real samples: float32 [count, X]."""
        around = np.float32(self.deviation) * numbers.standard_normal((count, self.dimensions), dtype=np.float32)
        return self.centres[numbers.integers(len(self.centres), size=count)] + around


_ANGLES = 2 * np.pi * np.arange(8) / 8
_STEPS = np.array([-4, -2, 0, 2, 4])
# Yala & Song, section 2; the ring and the grid are those of PacGAN (Lin et al. 2018), section 4.1.
MIXTURES: dict[str, Mixture] = {
    "normal": Mixture("N(0, 1)", np.zeros((1, 1), np.float32), 1.0),
    "ring": Mixture(
        "8 Gaussians on a ring", np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1).astype(np.float32), 0.01
    ),
    "grid": Mixture(
        "25 Gaussians on a grid",
        np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2).astype(np.float32),
        0.05,
        4.0,
    ),
}


def uniform(numbers: np.random.Generator, count: int, dimensions: int = 1) -> Float:
    """Noise: float32 [count, dimensions] from U[-5, 5]."""
    return NOISE_LIMIT * (2 * numbers.random((count, dimensions), dtype=np.float32) - 1)


def normal(numbers: np.random.Generator, count: int, dimensions: int = 1) -> Float:
    """Noise: float32 [count, dimensions] from N(0, 1)."""
    return numbers.standard_normal((count, dimensions), dtype=np.float32)


NOISES: dict[str, Callable[[np.random.Generator, int, int], Float]] = {"uniform": uniform, "normal": normal}
