"""Gaussian data and the noise that a generator makes it from: every batch a pure function of its stream."""

import numpy as np

from rlgan.types import Float

NOISE_LIMIT = 5.0  # z ~ U[-5, 5] (Yala & Song, section 2)


def gaussian(numbers: np.random.Generator, count: int) -> Float:
    """Real samples: float32 [count, 1] from N(0, 1)."""
    return numbers.standard_normal((count, 1), dtype=np.float32)


def uniform(numbers: np.random.Generator, count: int) -> Float:
    """Noise: float32 [count, 1] from U[-5, 5]."""
    return NOISE_LIMIT * (2 * numbers.random((count, 1), dtype=np.float32) - 1)
