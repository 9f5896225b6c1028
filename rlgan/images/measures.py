"""Measures of generated pictures beside real ones, over their features, and what they are without a generator.

Pictures are uint8 [N, S, S, 3], also those of a memory map: of many, only as many are read as are needed. Features are
float64 [N, F], of `rlgan.images.features.Features` or of any function of yours.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rlgan.learning.distances import Double, frechet_distance
from rlgan.types import Metrics

Pictures = NDArray[np.uint8]

# k of the k-th nearest neighbour: Kynkäänniemi et al.'s; Naeem et al. take 5 for coverage, which is larger then.
NEIGHBOURS = 3
# A squared distance below this share of the squared lengths is rounding: 0.
ROUNDING = 1e-12
FITTED = 4096  # pictures that a PCA is fitted to, at most
CHUNK = 4096  # pictures that are summed at a time


def measures(made: Double, real: Double) -> Metrics:
    """How near generated pictures are to real ones, by their features float64 [N, F] and [M, F], N, M >= 2.

    - `rfid`: the Fréchet distance. Never "FID", which is that of Inception features.
    - `kernel_distance`: the squared maximum mean discrepancy with the kernel (x . y / F + 1)^3, as in KID (Binkowski et
      al. 2018). Without bias, so it may fall below 0.
    - `precision`: the share of generated pictures within the manifold of the real ones, the balls around each that
      reach to its 3rd nearest neighbour; `recall`: the share of real ones within that of the generated (Kynkäänniemi et
      al. 2019). Precision alone says little: an average picture has 1.
    - `coverage`: the share of real pictures whose ball holds a generated one (Naeem et al. 2020).

    All but the kernel distance depend on N and M: compare only as many.

    Example:
        >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> found = measures(real + 100, real)  # as wide as the real ones, and far from them
        >>> round(found["rfid"], 3), found["precision"], found["recall"], found["coverage"]
        (10000.0, 0.0, 0.0, 0.0)
        >>> found = measures(real, real)
        >>> round(found["rfid"], 3), found["precision"], found["recall"], found["coverage"]
        (0.0, 1.0, 1.0, 1.0)
    """
    between = _distances(made, real)
    made_radii, real_radii = _radii(made), _radii(real)
    return {
        "rfid": frechet_distance(made, real),
        "kernel_distance": kernel_distance(made, real),
        "precision": float((between <= real_radii).any(axis=1).mean()),
        "recall": float((between <= made_radii[:, None]).any(axis=0).mean()),
        "coverage": float((between.min(axis=0) <= real_radii).mean()),
    }


def kernel_distance(one: Double, other: Double) -> float:
    """The unbiased squared maximum mean discrepancy of features [N, F] and [M, F] with the kernel (x . y / F + 1)^3.

    Binkowski et al. 2018, section 4; without bias, so it may fall below 0.

    Args:
        one: float64 [N, F], N >= 2.
        other: float64 [M, F], M >= 2.

    Example:
        >>> kernel_distance(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))  # (0 + 1)^3 + (1 + 1)^3 - 2 (0 + 1)^3
        7.0
    """

    def kernel(a: Double, b: Double) -> Double:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    def within(a: Double) -> float:
        values = kernel(a, a)
        # Without the diagonal: a sample is no independent other of itself.
        return float((values.sum() - np.trace(values)) / (len(a) * (len(a) - 1)))

    return within(one) + within(other) - 2 * float(kernel(one, other).mean())


def baselines(
    train: Pictures,
    test: Pictures,
    count: int,
    rng: np.random.Generator,
    features: Callable[[Pictures], Double],
) -> Metrics:
    """What the measures are without a generator: `*_floor`, `*_mean_picture` and `*_pca200`, each against `test`.

    Args:
        train: real pictures that a generator learns from; `count` of them, drawn by chance, are the floor (all, where
            there are fewer).
        test: real pictures that it has not seen, all that it is measured against.
        count: as many as are generated.
        rng: a random stream; the same for every evaluation, so that they compare.
        features: of `Features`.
    """
    real = features(test)
    # In the order of the file, so that a memory map is read from its beginning to its end.
    chosen = np.sort(rng.choice(len(train), min(count, len(train)), replace=False))
    references = {
        "floor": train[chosen],
        # As often as there are generated pictures, because all measures but one change with the count.
        "mean_picture": np.repeat(mean_picture(train)[None], count, axis=0),
        "pca200": pca_gaussian(train, count, rng),
    }
    return {
        f"{name}_{reference}": value
        for reference, pictures in references.items()
        for name, value in measures(features(pictures), real).items()
    }


def mean_picture(train: Pictures) -> Pictures:
    """The average picture, uint8 [S, S, 3]: the paper's baseline, most likely under a square loss.

    Example:
        >>> black_and_white = np.stack([np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 254, np.uint8)])
        >>> mean_picture(black_and_white).tolist()
        [[[127, 127, 127]]]
    """
    total = np.zeros(train.shape[1:])
    # Some at a time: the pictures lie in a file on disk, and may be more than memory holds.
    for i in range(0, len(train), CHUNK):
        # In float64: float32 has whole numbers up to 2^24 alone, which 66,000 white pictures exceed.
        total += train[i : i + CHUNK].sum(axis=0, dtype=np.float64)
    return _rounded(total / len(train))


def pca_gaussian(train: Pictures, count: int, rng: np.random.Generator, components: int = 200) -> Pictures:
    """Draw `count` pictures from the Gaussian that has the mean and the first principal components of real pixels.

    The components are those of at most 4,096 pictures, drawn by chance, found with a randomised range of 20 dimensions
    more and two power iterations (Halko et al. 2011, algorithm 4.4).

    Example:
        >>> equal = np.full((5, 8, 8, 3), 100, np.uint8)  # without variance: all that is drawn is their mean
        >>> drawn = pca_gaussian(equal, count=3, rng=np.random.default_rng(0), components=2)
        >>> drawn.shape, int(drawn.min()), int(drawn.max())
        ((3, 8, 8, 3), 100, 100)
    """
    chosen = np.sort(rng.choice(len(train), min(FITTED, len(train)), replace=False))
    # In float32, 4,096 pictures of 64 x 64 take 200 MB; in float64 they would take twice as much.
    pixels = train[chosen].reshape(len(chosen), -1).astype(np.float32)
    mean = pixels.mean(axis=0)
    pixels -= mean
    # By products with a thin matrix: the covariance of the pixels of a 64 x 64 picture would take 600 MB.
    directions = rng.standard_normal((pixels.shape[1], components + 20), dtype=np.float32)
    for _ in range(2):
        # Made orthonormal after each product: all columns would otherwise turn to the first
        # component, and the small ones be lost to rounding.
        directions = np.linalg.qr(pixels.T @ np.linalg.qr(pixels @ directions).Q).Q
    range_ = np.linalg.qr(pixels @ directions).Q
    _, values, axes = np.linalg.svd(range_.T @ pixels, full_matrices=False)
    deviations = values[:components] / np.sqrt(max(len(pixels) - 1, 1))
    drawn = rng.standard_normal((count, len(deviations)), dtype=np.float32) * deviations
    return _rounded(drawn @ axes[: len(deviations)] + mean).reshape(count, *train.shape[1:])


def feature_spread(features: Double) -> float:
    """The median distance of features [N, F], N >= 2, to the nearest other: 0 where more than half are repeated.

    For a collapse alarm: generated over real. It falls when all pictures become one as when they become a few, which a
    covariance does not see. It falls with N, too: compare only as many.

    Example:
        >>> feature_spread(np.array([[0.0], [1.0], [3.0], [7.0], [20.0]]))  # the median of 1, 1, 2, 4, 13
        2.0
    """
    apart = _distances(features, features)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def _distances(one: Double, other: Double) -> Double:
    """Euclidean distances [N, M] of rows [N, F] and [M, F]."""
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    # By lengths and products, N x M numbers, and not by differences, N x M x F.
    squares = lengths - 2 * one @ other.T
    return np.sqrt(np.where(squares > ROUNDING * lengths, squares, 0.0))


def _radii(features: Double) -> Double:
    """How far each row's 3rd nearest other is, [N]; the farthest, where there are fewer."""
    k = min(NEIGHBOURS, len(features) - 1)
    return np.asarray(np.partition(_distances(features, features), k, axis=1)[:, k])  # it is itself the nearest


def _rounded(pixels: NDArray[np.floating]) -> Pictures:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)
