"""Measures of pictures, over features that depend on no run and need no download.

Pictures are uint8 [N, S, S, 3], also those of a memory map: of many, only as many are read as are needed.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rlgan.errors import RunError
from rlgan.learning.distances import Double, frechet_distance
from rlgan.types import Metrics

Pictures = NDArray[np.uint8]

CHANNELS = 16  # of every level
REGIONS = 2  # across and down
# Twice the spread that the features of each level, means in regions and deviations, have over noise of 1/f amplitude,
# which is the spectrum of natural pictures. Divided by it, every level weighs alike.
SPREADS = ((0.072, 0.026), (0.132, 0.040), (0.142, 0.058), (0.224, 0.094))
CHUNK = 100  # pictures at a time

# k of the k-th nearest neighbour: Kynkäänniemi et al.'s; Naeem et al. take 5 for coverage, which is larger then.
NEIGHBOURS = 3
# A squared distance below this share of the squared lengths is rounding: 0.
ROUNDING = 1e-12
FITTED = 4096  # pictures that a PCA is fitted to, at most

CPU = torch.device("cpu")
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"


class Features:
    """A fixed network of random convolutions, `settings.FEATURES`: 4 levels, each half as large as the one before.

    Naeem et al. 2020 propose random weights where pictures are unlike ImageNet's. Of each level: the mean of every
    channel in 2 x 2 regions, which sees where things are, and its deviation over the whole, which sees texture.
    Most filters of the first level sum to 0, so that brightness does not cover all else.

    The weights are the raw numbers of a Philox counter, so that they are the same on every machine and in every version
    of numpy and torch.
    """

    def __init__(self, device: torch.device) -> None:
        counter = np.random.Philox(0)
        self.device = device
        self.weights = []
        size = 3
        for level in range(len(SPREADS)):
            weight = _uniform(counter, (CHANNELS, size, 3, 3))
            if level == 0:
                weight[CHANNELS // 4 :] -= weight[CHANNELS // 4 :].mean(axis=(2, 3), keepdims=True)
            weight *= np.sqrt(2 / (9 * size))  # He et al. 2015: as large at every level
            bias = 0.1 * _uniform(counter, (CHANNELS,))
            self.weights.append([torch.tensor(w, dtype=torch.float32, device=device) for w in (weight, bias)])
            size = CHANNELS

    def __call__(self, pictures: Pictures) -> Double:
        """Features float64 [N, 320] of uint8 [N, S, S, 3]; a picture has the same, whatever stands beside it."""
        return np.concatenate([self._chunk(pictures[i : i + CHUNK]) for i in range(0, len(pictures), CHUNK)])

    @torch.inference_mode()
    def _chunk(self, pictures: Pictures) -> Double:
        # Always as many rows: kernels are chosen by shape, and differ in the last bits.
        padded = np.zeros((CHUNK, *pictures.shape[1:]), dtype=np.uint8)
        padded[: len(pictures)] = pictures
        x = torch.from_numpy(padded).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        features = []
        for (weight, bias), (of_means, of_deviations) in zip(self.weights, SPREADS, strict=True):
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias, stride=2)
            x = functional.leaky_relu(x, 0.2)
            features.append(functional.adaptive_avg_pool2d(x, REGIONS).flatten(1) / of_means)
            features.append(x.flatten(2).std(dim=2, correction=0) / of_deviations)
        return torch.cat(features, dim=1)[: len(pictures)].double().cpu().numpy()


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
    """The unbiased squared maximum mean discrepancy of features [N, F] and [M, F] with the kernel (x . y / F + 1)^3."""

    def kernel(a: Double, b: Double) -> Double:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    def within(a: Double) -> float:
        values = kernel(a, a)
        return float((values.sum() - np.trace(values)) / (len(a) * (len(a) - 1)))

    return within(one) + within(other) - 2 * float(kernel(one, other).mean())


def baselines(
    train: Pictures,
    test: Pictures,
    count: int,
    numbers: np.random.Generator,
    features: Callable[[Pictures], Double],
) -> Metrics:
    """What the measures are without a generator: `*_floor`, `*_mean_picture` and `*_pca200`, each against `test`.

    Args:
        train: real pictures that a generator learns from; `count` of them, drawn by chance, are the floor (all, where
            there are fewer).
        test: real pictures that it has not seen, all that it is measured against.
        count: as many as are generated.
        numbers: a stream; the same for every evaluation, so that they compare.
        features: of `Features`.
    """
    real = features(test)
    chosen = np.sort(numbers.choice(len(train), min(count, len(train)), replace=False))
    rivals = {
        "floor": train[chosen],
        "mean_picture": np.repeat(mean_picture(train)[None], count, axis=0),
        "pca200": pca_gaussian(train, count, numbers),
    }
    return {
        f"{name}_{rival}": value
        for rival, pictures in rivals.items()
        for name, value in measures(features(pictures), real).items()
    }


def mean_picture(train: Pictures) -> Pictures:
    """The average picture, uint8 [S, S, 3]: the paper's baseline, most likely under a square loss."""
    total = np.zeros(train.shape[1:])
    for i in range(0, len(train), FITTED):
        total += train[i : i + FITTED].sum(axis=0, dtype=np.float64)
    return _rounded(total / len(train))


def pca_gaussian(train: Pictures, count: int, numbers: np.random.Generator, components: int = 200) -> Pictures:
    """Draw `count` pictures from the Gaussian that has the mean and the first principal components of real pixels.

    The components are those of at most 4,096 pictures, drawn by chance, found with a randomised range of 20 dimensions
    more and two power iterations (Halko et al. 2011, algorithm 4.4).
    """
    chosen = np.sort(numbers.choice(len(train), min(FITTED, len(train)), replace=False))
    pixels = train[chosen].reshape(len(chosen), -1).astype(np.float32)
    mean = pixels.mean(axis=0)
    pixels -= mean
    directions = numbers.standard_normal((pixels.shape[1], components + 20), dtype=np.float32)
    for _ in range(2):
        directions = np.linalg.qr(pixels.T @ np.linalg.qr(pixels @ directions).Q).Q
    reach = np.linalg.qr(pixels @ directions).Q
    _, values, axes = np.linalg.svd(reach.T @ pixels, full_matrices=False)
    deviations = values[:components] / np.sqrt(max(len(pixels) - 1, 1))
    drawn = numbers.standard_normal((count, len(deviations)), dtype=np.float32) * deviations
    return _rounded(drawn @ axes[: len(deviations)] + mean).reshape(count, *train.shape[1:])


def feature_spread(features: Double) -> float:
    """The median distance of features [N, F], N >= 2, to the nearest other: 0 where more than half are repeated.

    For a collapse alarm: generated over real. It falls when all pictures become one as when they become a few, which a
    covariance does not see. It falls with N, too: compare only as many.
    """
    apart = _distances(features, features)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def inception_fid(made: Pictures, real: Pictures, weights: Path, device: torch.device = CPU) -> float:
    """The Fréchet Inception Distance (Heusel et al. 2017), with torch-fidelity's network and resizing to 299 x 299.

    It is larger for fewer pictures, and with fewer than 2,049 on a side the covariances are singular: compare only as
    many. The customary count is 50,000.

    Args:
        made: uint8 [N, S, S, 3], N >= 2.
        real: uint8 [M, S, S, 3], M >= 2.
        weights: torch-fidelity's file, `INCEPTION`.
        device: where the network computes.

    Raises:
        RunError: torch-fidelity can't be imported, or `weights` is no file of its.
    """
    features = _Inception(weights, device)
    return frechet_distance(features(made), features(real))


class _Inception:
    """Inception's 2,048 features, by torch-fidelity."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        not_weights = f"{weights} has no weights of Inception: give torch-fidelity's {INCEPTION}"
        try:
            # Tensors alone: the library would run what a file says.
            torch.load(weights, map_location="cpu", weights_only=True)
        except OSError as error:
            raise RunError(f"{weights} can't be read: {error.strerror or error}") from error
        except (RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError) as error:
            raise RunError(not_weights) from error
        network = _network()
        try:
            self.network = network("inception", ["2048"], str(weights)).to(device)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise RunError(not_weights) from error
        self.device = device

    @torch.inference_mode()
    def __call__(self, pictures: Pictures) -> Double:
        chunks = (torch.from_numpy(pictures[i : i + CHUNK].copy()) for i in range(0, len(pictures), CHUNK))
        found = [self.network(chunk.to(self.device).permute(0, 3, 1, 2))[0].double().cpu() for chunk in chunks]
        return torch.cat(found).numpy()


def _network() -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise RunError(f"the FID needs torch-fidelity ({error}): pip install 'rlgan[fid]'") from error
    except RuntimeError as error:  # from torchvision, where it was built for another torch
        raise RunError(
            f"torch-fidelity needs a torchvision built for torch {torch.__version__} ({error}): "
            "install both from one index"
        ) from error
    return FeatureExtractorInceptionV3


def _uniform(counter: np.random.Philox, shape: tuple[int, ...]) -> Double:
    """Numbers from U[-sqrt(3), sqrt(3)), of variance 1, by the counter alone: numpy may change its distributions."""
    bits = np.asarray(counter.random_raw(int(np.prod(shape))), dtype=np.uint64)
    return np.asarray(((bits >> np.uint64(11)) * 2.0**-52 - 1) * np.sqrt(3)).reshape(shape)


def _distances(one: Double, other: Double) -> Double:
    """Euclidean distances [N, M] of rows [N, F] and [M, F]."""
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    squares = lengths - 2 * one @ other.T
    return np.sqrt(np.where(squares > ROUNDING * lengths, squares, 0.0))


def _radii(features: Double) -> Double:
    """How far each row's 3rd nearest other is, [N]; the farthest, where there are fewer."""
    k = min(NEIGHBOURS, len(features) - 1)
    return np.asarray(np.partition(_distances(features, features), k, axis=1)[:, k])  # it is itself the nearest


def _rounded(pixels: NDArray[np.floating]) -> Pictures:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)
