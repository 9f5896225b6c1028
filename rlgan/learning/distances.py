"""Distances between sets of samples, by features that depend on no run."""

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]


def frechet_distance(one: Double, other: Double) -> float:
    """The Fréchet distance of the Gaussians that have the means and covariances of two sets of features.

    |m_1 - m_2|^2 + tr(S_1) + tr(S_2) - 2 tr((S_1 S_2)^(1/2)) (Dowson & Landau 1982; squared, as in Heusel et al.
    2017). It is larger for fewer samples: compare only as many.

    The eigenvalues of S_1 S_2 are the squares of the singular values of S_1^(1/2) S_2^(1/2), which are real and not
    negative however few samples there are.

    Args:
        one: float64 [N, F], N >= 2.
        other: float64 [M, F], M >= 2.

    Example:
        >>> one = np.array([[0.0], [2.0]])  # mean 1, standard deviation sqrt(2)
        >>> round(frechet_distance(one, one + 3), 6)  # 3 further: 3^2
        9.0
        >>> round(frechet_distance(one, 2 * one - 1), 6)  # twice as wide about the same mean: sqrt(2)^2
        2.0
    """
    apart = one.mean(axis=0) - other.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (one, other)]
    roots = [_root(covariance) for covariance in covariances]
    shared = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    # Of equal sets the terms cancel, and rounding may leave a little less than 0.
    return float(max(apart @ apart + sum(np.trace(c) for c in covariances) - 2 * shared, 0.0))


def _root(covariance: Double) -> Double:
    """The symmetric root of a covariance, whose eigenvalues may be rounded below 0."""
    values, axes = np.linalg.eigh(covariance)
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)) @ axes.T)
