"""Distances between sets of samples, by features that depend on no run."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rlgan.types import Tokens

Double = NDArray[np.float64]

# The name of `ngram_features`, to be said with every number that is made of them.
NGRAM_FEATURES = "hashed_ngrams_64"
BUCKETS = 2**16


def frechet_distance(one: Double, other: Double) -> float:
    """The Fréchet distance of the Gaussians that have the means and covariances of two sets of features.

    |m_1 - m_2|^2 + tr(S_1) + tr(S_2) - 2 tr((S_1 S_2)^(1/2)) (Dowson & Landau 1982; squared, as in Heusel et al.
    2017). It is larger for fewer samples: compare only as many.

    The eigenvalues of S_1 S_2 are the squares of the singular values of S_1^(1/2) S_2^(1/2), which are real and not
    negative however few samples there are.

    Args:
        one: float64 [N, F], N >= 2.
        other: float64 [M, F], M >= 2.
    """
    apart = one.mean(axis=0) - other.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (one, other)]
    roots = [_root(covariance) for covariance in covariances]
    shared = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    return float(max(apart @ apart + sum(np.trace(c) for c in covariances) - 2 * shared, 0.0))


def ngram_features(tokens: Tokens, words: Sequence[str]) -> Double:
    """A fixed embedding of texts, `NGRAM_FEATURES`: the mean of the vectors of a row's 1-, 2- and 3-grams.

    Each n-gram of words is hashed to one of 65,536 vectors drawn once from N(0, I) in 64 dimensions. This depends on
    the words alone, on no weights and no order of the vocabulary, so that runs compare.

    Args:
        tokens: int64 [N, T], V = len(words) where nothing stands.
        words: token -> word.

    Returns:
        float64 [N, 64]; 0 for a row without words.
    """
    vectors = np.random.Generator(np.random.Philox(0)).standard_normal((BUCKETS, 64), dtype=np.float32)
    hashes = np.array([zlib.crc32(word.encode()) for word in words] + [0], dtype=np.uint64)[tokens]
    total, count = np.zeros((len(tokens), 64)), np.zeros((len(tokens), 1))
    for n in range(1, min(3, tokens.shape[1]) + 1):
        grams = sliding_window_view(hashes, n, axis=1)  # [N, T - n + 1, n]
        there = np.asarray((sliding_window_view(tokens, n, axis=1) < len(words)).all(axis=-1))
        mixed = np.full(there.shape, n, dtype=np.uint64)
        for k in range(n):
            mixed = (mixed ^ grams[..., k]) * np.uint64(
                0x9E3779B97F4A7C15
            )  # 2^64 over the golden ratio: Fibonacci hashing
            mixed ^= mixed >> np.uint64(32)
        total += (vectors[mixed >> np.uint64(48)] * there[..., None]).sum(axis=1)
        count += there.sum(axis=1)[:, None]
    return total / np.maximum(count, 1)


def _root(covariance: Double) -> Double:
    """The symmetric root of a covariance, whose eigenvalues may be rounded below 0."""
    values, axes = np.linalg.eigh(covariance)
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)) @ axes.T)
