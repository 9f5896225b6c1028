"""Features that pictures are measured by: those of a fixed random network, which depends on no run and no download."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rlgan.learning.distances import Double

Pictures = NDArray[np.uint8]

CHANNELS = 16  # of every level
REGIONS = 2  # across and down
# Twice the spread that the features of each level, means in regions and deviations, have over noise of 1/f amplitude,
# which is the spectrum of natural pictures. Divided by it, every level weighs alike.
SPREADS = ((0.072, 0.026), (0.132, 0.040), (0.142, 0.058), (0.224, 0.094))
CHUNK = 100  # pictures at a time


class Features:
    """A fixed network of random convolutions, `settings.FEATURES`: 4 levels, each half as large as the one before.

    Naeem et al. 2020 propose random weights where pictures are unlike ImageNet's. Of each level: the mean of every
    channel in 2 x 2 regions, which sees where things are, and its deviation over the whole, which sees texture.
    Most filters of the first level sum to 0, so that brightness does not cover all else.

    Example:
        >>> Features(torch.device("cpu"))(np.zeros((2, 32, 32, 3), np.uint8)).shape
        (2, 320)

    Args:
        device: where the network computes.
    """

    def __init__(self, device: torch.device) -> None:
        # The raw numbers of a counter: the same on every machine and in every version of numpy and torch, which
        # distributions and seeded initialisations are not.
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
            # The edge repeated, and not zeros: a frame of grey would be a texture that every picture has.
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias, stride=2)
            x = functional.leaky_relu(x, 0.2)
            features.append(functional.adaptive_avg_pool2d(x, REGIONS).flatten(1) / of_means)
            # Without the usual correction, which makes NaN of a single place, as the
            # last levels of a small picture have.
            features.append(x.flatten(2).std(dim=2, correction=0) / of_deviations)
        return torch.cat(features, dim=1)[: len(pictures)].double().cpu().numpy()


def _uniform(counter: np.random.Philox, shape: tuple[int, ...]) -> Double:
    """Numbers from U[-sqrt(3), sqrt(3)), of variance 1, out of the upper 53 bits of the counter's."""
    bits = np.asarray(counter.random_raw(int(np.prod(shape))), dtype=np.uint64)
    return np.asarray(((bits >> np.uint64(11)) * 2.0**-52 - 1) * np.sqrt(3)).reshape(shape)
