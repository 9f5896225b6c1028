"""Gaussian data and the noise that a generator makes it from: every batch a pure function of its random stream."""

from dataclasses import dataclass

import numpy as np

from rlgan.types import Float

NOISE_LIMIT = 5.0  # z ~ U[-5, 5] in every dimension (Yala & Song, section 2)


@dataclass(frozen=True)
class Mixture:
    """Equal parts of M Gaussians in X dimensions, of one standard deviation in all of them.

    Example:
        >>> pair = Mixture("two", centres=np.array([[0.0], [10.0]], np.float32), deviation=1.0)
        >>> pair.sample(np.random.default_rng(0), 200).shape
        (200, 1)
    """

    name: str  # for people
    centres: Float  # [M, X]
    deviation: float
    scale: float = 1.0  # the largest coordinate of a centre, or 1

    @property
    def dimensions(self) -> int:
        """X, the coordinates of a sample."""
        return int(self.centres.shape[1])

    def sample(self, rng: np.random.Generator, count: int) -> Float:
        """Real samples: float32 [count, X]."""
        # The order of both draws is part of the data: exchanged, they would give other samples for the same seed.
        around = np.float32(self.deviation) * rng.standard_normal((count, self.dimensions), dtype=np.float32)
        return self.centres[rng.integers(len(self.centres), size=count)] + around


_ANGLES = 2 * np.pi * np.arange(8) / 8
_STEPS = np.array([-4, -2, 0, 2, 4])
# Yala & Song, section 2; the ring and the grid are those of PacGAN (Lin et al. 2018), section 4.1.
STANDARD_NORMAL = Mixture("N(0, 1)", np.zeros((1, 1), np.float32), 1.0)
RING = Mixture("8 Gaussians on a ring", np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1).astype(np.float32), 0.01)
GRID = Mixture(
    "25 Gaussians on a grid",
    np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2).astype(np.float32),
    0.05,
    4.0,
)


def uniform(rng: np.random.Generator, count: int, dimensions: int = 1) -> Float:
    """Noise: float32 [count, dimensions] from U[-5, 5].

    Example:
        >>> noise = uniform(np.random.default_rng(0), 1000, dimensions=2)
        >>> noise.shape, round(float(noise.min())), round(float(noise.max()))
        ((1000, 2), -5, 5)
    """
    # Not by numpy's `uniform`, which draws in float64 alone.
    return NOISE_LIMIT * (2 * rng.random((count, dimensions), dtype=np.float32) - 1)


def normal(rng: np.random.Generator, count: int, dimensions: int = 1) -> Float:
    """Noise: float32 [count, dimensions] from N(0, 1).

    Example:
        >>> noise = normal(np.random.default_rng(0), 10_000, dimensions=2)
        >>> noise.shape, round(float(noise.std()), 1)
        ((10000, 2), 1.0)
    """
    return rng.standard_normal((count, dimensions), dtype=np.float32)
