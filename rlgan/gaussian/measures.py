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
# Of several seeds, that of the worst is told beside the median.
WORST: dict[str, Callable[[list[float]], float]] = {"w1": max, "modes": min, "high_quality": min}
# Where D is looked at: .3 % of the data lie outside of [-3, 3].
GRID = np.linspace(-5, 5, 201, dtype=np.float32)
INNER = np.abs(GRID) <= 3
# Companies in which D meets each x.
COMPANIES = 8


def distances(made: Float, real: Float) -> Metrics:
    """Wasserstein-1 and Kolmogorov-Smirnov distance between two samples [N]."""
    return {
        "w1": float(stats.wasserstein_distance(made, real)),
        "ks": float(stats.ks_2samp(made, real, method="asymp").statistic),
    }


def floors(samples: list[Float]) -> Metrics:
    """The mean distances between neighbours in a list of independent real samples [N]: what no generator goes below."""
    pairs = [distances(first, second) for first, second in pairwise(samples)]
    return {f"{name}_floor": float(np.mean([pair[name] for pair in pairs])) for name in pairs[0]}


@torch.inference_mode()
def curve(discriminator: PerceptronDiscriminator, real: Float) -> Float:
    """D over GRID, probabilities float32 [201].

    Where D judges a sample in company, each x meets groups of real samples, and the mean of its log-odds counts.

    Args:
        discriminator: whose.
        real: float32 [N, 1], for company; at least COMPANIES * (group - 1).
    """
    device = discriminator.output.weight.device
    others = discriminator.group - 1
    if not others:
        return _probability(discriminator(torch.from_numpy(GRID[:, None]).to(device)))
    odds = torch.zeros(len(GRID), device=device)
    for company in real[: COMPANIES * others].reshape(COMPANIES, 1, others):  # one at a time: pairs take memory
        groups = np.concatenate([GRID[:, None], np.broadcast_to(company, (len(GRID), others))], axis=1)
        # One answer for each member of a group, that of x first, or one for all.
        answers = discriminator(torch.tensor(groups.reshape(-1, 1), device=device))
        odds += answers.reshape(len(GRID), -1)[:, 0] / COMPANIES
    return _probability(odds)


def summarise(evaluations: Sequence[Mapping[str, Any]]) -> Metrics:
    """Several seeds in one: medians of their metrics, the worst of those in WORST, and the share that collapsed."""
    names = [name for name, value in evaluations[0].items() if isinstance(value, float)]
    found = {name: [metrics[name] for metrics in evaluations] for name in names}
    worst = {f"{name}_worst": float(WORST[name](found[name])) for name in names if name in WORST}
    collapsed = {"collapsed": float(np.mean(found["collapsed"])), "seeds": float(len(evaluations))}
    return {name: float(np.median(values)) for name, values in found.items()} | worst | collapsed


def _probability(log_odds: torch.Tensor) -> NDArray[np.float32]:
    return log_odds.sigmoid().cpu().numpy()
