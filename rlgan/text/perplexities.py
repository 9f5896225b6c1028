"""Perplexities as numbers, and those that a generator's are compared with. Needs no network."""

import math

import numpy as np

from rlgan.text.corpus import Corpus, Rows, chunks


def two_to_the_entropy(nats: float, count: int) -> float:
    """The perplexity of `count` tokens that took so many nats together; 2^1000 at most.

    Example:
        >>> round(two_to_the_entropy(nats=3 * math.log(8), count=3), 4)
        8.0
        >>> two_to_the_entropy(nats=1e9, count=1) == 2.0**1000
        True
    """
    # Limited below, since Python raises OverflowError at 2.0 ** 1024, which a collapsed generator may reach.
    bits = nats / count / math.log(2)
    return float(2.0 ** min(bits, 1000.0))  # a number, for JSON


def unigram_perplexity(corpus: Corpus, rows: Rows) -> float:
    """The perplexity on `rows` of the words' frequencies in training: what a model without context reaches.

    A word that training does not have counts as if it had been there once.

    Example:
        >>> train, test = (Rows(np.array([row]), np.ones((1, len(row)), bool)) for row in ([0, 0, 0, 1], [1]))
        >>> corpus = Corpus("letters", ("a", "b"), train, test, test, stop_token=None)
        >>> round(unigram_perplexity(corpus, test), 4)  # b was one of four
        4.0
    """
    counts = np.zeros(len(corpus.words), np.int64)
    for some in chunks(corpus.train):
        counts += np.bincount(some.tokens[some.mask], minlength=len(counts))
    log_probs = np.log(np.maximum(counts, 1) / np.maximum(counts, 1).sum())
    return float(np.exp(-log_probs[rows.tokens[rows.mask]].mean()))


def reference_perplexities(corpus: Corpus) -> dict[str, float]:
    """What perplexities of the test rows are compared with: the unigrams', and the language's own where it is known."""
    unigrams, floor = unigram_perplexity(corpus, corpus.test), corpus.floor_perplexity(corpus.test)
    return {"unigram_perplexity": unigrams} | ({} if floor is None else {"floor_perplexity": floor})
