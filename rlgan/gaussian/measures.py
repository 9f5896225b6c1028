"""Measures of one-dimensional samples against N(0, 1), and of a discriminator as a function of x."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from rlgan.gaussian.networks import PerceptronDiscriminator
from rlgan.types import Float, Metrics

# Below this standard deviation a generator counts as collapsed; that of the data is 1.
COLLAPSED = 0.3
# Metrics of which the worst of several seeds is reported beside the median, and which value is the worst.
WORST: dict[str, Callable[[list[float]], float]] = {"w1": max, "modes": min, "high_quality": min}
# The x at which D is computed, and those of them that count: .3 % of the data lie outside of [-3, 3].
GRID = np.linspace(-5, 5, 201, dtype=np.float32)
INNER = np.abs(GRID) <= 3
# Minibatch groups in which D judges each x.
MINIBATCH_GROUPS = 8


def distances(made: Float, real: Float) -> Metrics:
    """Wasserstein-1 and Kolmogorov-Smirnov distance between two samples float32 [N].

    Example:
        >>> distances(np.array([0.0, 1.0]), np.array([2.0, 3.0]))  # all of them two further; no overlap
        {'w1': 2.0, 'ks': 1.0}
    """
    return {
        "w1": float(stats.wasserstein_distance(made, real)),
        # Only the statistic is used; the exact p-value of 10,000 samples would take long.
        "ks": float(stats.ks_2samp(made, real, method="asymp").statistic),
    }


def floors(samples: list[Float]) -> Metrics:
    """The mean distances between neighbours in a list of independent real samples [N]: what no generator goes below.

    Example:
        >>> floors([np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([6.0, 7.0])])  # W1 is 2, then 4; no overlap
        {'w1_floor': 3.0, 'ks_floor': 1.0}
    """
    pairs = [distances(first, second) for first, second in pairwise(samples)]
    return {f"{name}_floor": float(np.mean([pair[name] for pair in pairs])) for name in pairs[0]}


@torch.inference_mode()
def curve(discriminator: PerceptronDiscriminator, real: Float) -> Float:
    """D over GRID, probabilities float32 [201].

    Where D judges samples in groups, each x is put into groups of real samples, and the mean of its log-odds counts.

    Args:
        discriminator: of samples in one dimension.
        real: samples float32 [N, 1] to fill groups with, N at least MINIBATCH_GROUPS * (group size - 1).

    Example:
        >>> discriminator = PerceptronDiscriminator([1, 6, 1])
        >>> _ = [torch.nn.init.zeros_(weights) for weights in discriminator.parameters()]  # it can't tell: D = 1/2
        >>> seen = curve(discriminator, real=np.zeros((0, 1), np.float32))
        >>> len(seen), float(seen.min()), float(seen.max())
        (201, 0.5, 0.5)
    """
    device = discriminator.output.weight.device
    others = discriminator.minibatch_group_size - 1
    if not others:
        return _probability(discriminator(torch.from_numpy(GRID[:, None]).to(device)))
    log_odds = torch.zeros(len(GRID), device=device)
    # One group after the other: samples are compared in pairs, which takes memory.
    for companions in real[: MINIBATCH_GROUPS * others].reshape(MINIBATCH_GROUPS, 1, others):
        groups = np.concatenate([GRID[:, None], np.broadcast_to(companions, (len(GRID), others))], axis=1)
        # One answer for each member of a group, that of x first, or one for all.
        answers = discriminator(torch.tensor(groups.reshape(-1, 1), device=device))
        log_odds += answers.reshape(len(GRID), -1)[:, 0] / MINIBATCH_GROUPS
    return _probability(log_odds)


def summarise(evaluations: Sequence[Mapping[str, Any]]) -> Metrics:
    """Summarise several seeds: medians of their metrics, the worst of those in WORST, and the share that collapsed.

    Medians, because training is chaotic under rounding, and one run that collapses says little of the others.

    Args:
        evaluations: of each seed, `collapsed` and other metrics; what is no float is left out.

    Example:
        >>> summarise([{"w1": 1.0, "collapsed": 0.0}, {"w1": 2.0, "collapsed": 0.0}, {"w1": 9.0, "collapsed": 0.0}])
        {'w1': 2.0, 'collapsed': 0.0, 'w1_worst': 9.0, 'seeds': 3.0}
        >>> summarise([{"w1": 1.0, "collapsed": 0.0}, {"w1": 9.0, "collapsed": 1.0}])["collapsed"]
        0.5
    """
    names = [name for name, value in evaluations[0].items() if isinstance(value, float)]
    found = {name: [metrics[name] for metrics in evaluations] for name in names}
    worst = {f"{name}_worst": float(WORST[name](found[name])) for name in names if name in WORST}
    collapsed = {"collapsed": float(np.mean(found["collapsed"])), "seeds": float(len(evaluations))}
    return {name: float(np.median(values)) for name, values in found.items()} | worst | collapsed


def _probability(log_odds: torch.Tensor) -> NDArray[np.float32]:
    return log_odds.sigmoid().cpu().numpy()
