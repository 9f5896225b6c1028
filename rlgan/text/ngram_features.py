"""A fixed embedding of texts by their n-grams, and how far apart two sets of texts are in it."""

import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rlgan.learning.distances import Double, frechet_distance
from rlgan.text.corpus import Rows
from rlgan.types import AnyTokens, Metrics

# The name of `ngram_features`, to be said with every number that is made of them.
NGRAM_FEATURES = "hashed_ngrams_64"
BUCKETS = 2**16


def frechet_distances(texts: Sequence[Rows], references: Rows, words: Sequence[str]) -> list[Metrics]:
    """How far each text is from the references: Fréchet distances of `ngram_features`, under a name that has theirs.

    Example:
        >>> rows = Rows(np.array([[0, 1], [1, 1]]), np.ones((2, 2), bool))
        >>> frechet_distances([rows], rows, words=("a", "cat"))
        [{'frechet_hashed_ngrams_64': 0.0}]
    """
    real, *features = [ngram_features(rows.tokens, words) for rows in (references, *texts)]
    return [{f"frechet_{NGRAM_FEATURES}": frechet_distance(each, real)} for each in features]


def ngram_features(tokens: AnyTokens, words: Sequence[str]) -> Double:
    """A fixed embedding of texts, `NGRAM_FEATURES`: the mean of the vectors of a row's 1-, 2- and 3-grams.

    Each n-gram of words is hashed to one of 65,536 vectors drawn once from N(0, I) in 64 dimensions. This depends on
    the words alone, on no weights and no order of the vocabulary, so that runs compare.

    Args:
        tokens: [N, T], V = len(words) where nothing stands.
        words: token -> word.

    Returns:
        float64 [N, 64]; 0 for a row without words.

    Example:
        >>> features = ngram_features(np.array([[0, 1], [2, 2]]), words=("a", "cat"))  # the second row has no words
        >>> features.shape, features[1].any().item()
        ((2, 64), False)
        >>> np.array_equal(features[:1], ngram_features(np.array([[1, 0]]), words=("cat", "a")))
        True
    """
    vectors = _vectors()
    # Not by Python's `hash`, which differs from process to process. The 0 at the end is for places without a word.
    hashes = np.array([zlib.crc32(word.encode()) for word in words] + [0], dtype=np.uint64)[tokens]
    total, count = np.zeros((len(tokens), 64)), np.zeros((len(tokens), 1))
    for n in range(1, min(3, tokens.shape[1]) + 1):
        grams = sliding_window_view(hashes, n, axis=1)  # [N, T - n + 1, n]
        there = np.asarray((sliding_window_view(tokens, n, axis=1) < len(words)).all(axis=-1))
        mixed = np.full(there.shape, n, dtype=np.uint64)
        for k in range(n):
            # 2^64 over the golden ratio, which spreads neighbouring numbers far apart: Fibonacci hashing.
            mixed = (mixed ^ grams[..., k]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(32)
        total += (vectors[mixed >> np.uint64(48)] * there[..., None]).sum(axis=1)
        count += there.sum(axis=1)[:, None]
    return total / np.maximum(count, 1)


# Kept, because the references and the text of every temperature ask for them.
@cache
def _vectors() -> NDArray[np.float32]:
    vectors = np.random.Generator(np.random.Philox(0)).standard_normal((BUCKETS, 64), dtype=np.float32)
    vectors.setflags(write=False)  # the cache gives the same array to all
    return vectors
