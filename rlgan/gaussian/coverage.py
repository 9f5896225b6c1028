"""Measures of samples against a mixture of Gaussians, by PacGAN's rules (Lin et al. 2018, section 4.1)."""

import numpy as np

from rlgan.gaussian.mixtures import Mixture
from rlgan.types import Float, Metrics

# A sample is good within so many standard deviations of its mode's centre.
NEAR = 3.0
# Above this reverse KL samples count as collapsed: those evenly on half of the modes have it.
COLLAPSED = float(np.log(2))


def coverage(made: Float, mixture: Mixture) -> Metrics:
    """Where samples lie. A sample belongs to the mode with the nearest centre, and is good if it is near it.

    - `modes`: how many have a good sample; `fewest`: good samples of the mode that has the fewest.
    - `high_quality`: the share of good samples. Of data in the plane, 1 - exp(-9 / 2) = .989.
    - `reverse_kl`: the divergence of the samples' modes, good or not, from an even distribution: 0 to ln M, in nats.
    - `total_variation`: half the sum over modes of how far the share of good samples is from 1 / M, with the other
      samples as one more mode, which none should be in; 0 to 1.
    - `mode_std`: the root mean square distance, per dimension, of good samples from their centres, in standard
      deviations of the data: 0 where modes have shrunk to their centres, .974 for data in the plane, cut at 3.
    - `collapsed`: 1 where the reverse KL is above ln 2.

    Args:
        made: generated samples float32 [N, X].
        mixture: of M Gaussians in X dimensions.

    Example:
        >>> pair = Mixture("two", centres=np.array([[0.0], [10.0]], np.float32), deviation=1.0)
        >>> found = coverage(np.array([[0.0], [0.0], [10.0], [50.0]], np.float32), pair)  # the last is near no centre
        >>> found["modes"], found["high_quality"], found["reverse_kl"]  # nearest to each: two
        (2.0, 0.75, 0.0)
        >>> found["total_variation"]  # (|2/4 - 1/2| + |1/4 - 1/2| + 1/4) / 2
        0.25
    """
    distances = np.linalg.norm(made[:, None].astype(np.float64) - mixture.centres, axis=-1) / mixture.deviation
    nearest, nearness = distances.argmin(axis=1), distances.min(axis=1)
    good = nearness < NEAR
    count = len(mixture.centres)
    shares = np.bincount(nearest, minlength=count) / len(made)
    goods = np.bincount(nearest[good], minlength=count)
    there = shares[shares > 0]  # 0 ln 0 = 0
    reverse_kl = float((there * np.log(there * count)).sum())
    per_dimension = np.square(nearness[good]) / made.shape[1]
    return {
        "modes": float((goods > 0).sum()),
        "fewest": float(goods.min()),
        "high_quality": float(good.mean()),
        "reverse_kl": reverse_kl,
        "total_variation": float((np.abs(goods / len(made) - 1 / count).sum() + (1 - good.mean())) / 2),
        "mode_std": float(np.sqrt(per_dimension.mean())) if good.any() else 0.0,
        "collapsed": float(reverse_kl > COLLAPSED),
    }
