"""Measures of texts by their words alone: BLEU and Self-BLEU, distinct n-grams, what is repeated, what is memorised.

A text is a list of words, or of their tokens; rows of tokens are [N, T] with a mask [N, T], true where a token counts:
the first tokens of a row, or all.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from rlgan.text.corpus import Corpus, Rows
from rlgan.text.vocabulary import UNKNOWN, spoken_tokens
from rlgan.types import AnyTokens, Mask

ORDERS = (2, 3, 4, 5)  # of BLEU

Digests = NDArray[np.uint64]  # [N] one for each row
Words = Sequence[Hashable]
Counts = Counter[tuple[Hashable, ...]]  # of each n-gram of a text, n = 1 to 5
Most = dict[tuple[Hashable, ...], tuple[int, int]]  # n-gram -> the largest and the second largest count in one text


def ngram_measures(
    texts: Sequence[Rows], references: Rows, seen: Iterable[AnyTokens], corpus: Corpus
) -> list[dict[str, float]]:
    """Measure texts by their words: BLEU against references, diversity, length, and what they have from training.

    Args:
        texts: each of as many rows as there are references.
        references: real rows.
        seen: rows that a generator may have learned by heart, in parts.
        corpus: whose vocabulary they are in.

    Example:
        >>> all_count = np.ones((2, 2), bool)
        >>> real, written = (Rows(np.array(rows), all_count) for rows in ([[2, 3], [3, 4]], [[2, 3], [4, 4]]))
        >>> corpus = Corpus("letters", ("<unk>", "<eos>", "a", "b", "c"), real, real, real, stop_token=None)
        >>> (found,) = ngram_measures([written], real, [real.tokens], corpus)
        >>> found["memorised"], found["distinct_1"], found["length"]  # half of the rows; 3 of 4 words
        (0.5, 0.75, 2.0)
    """
    of_language = [under_true_language(corpus, rows) for rows in texts]
    known = np.concatenate([digests(tokens) for tokens in seen])
    # No token is -1: without `<unk>` the share of unknown words is 0.
    unknown = corpus.words.index(UNKNOWN) if UNKNOWN in corpus.words else -1
    real, *spoken = (spoken_tokens(corpus.words, rows.tokens) for rows in (references, *texts))
    found = []
    for rows, words, right in zip(texts, spoken, of_language, strict=True):
        lengths = rows.mask.sum(axis=1)
        found.append(
            {
                **{f"bleu_{n}": value for n, value in bleu(words, real).items()},
                **{f"self_bleu_{n}": value for n, value in self_bleu(words).items()},
                **{f"distinct_{n}": distinct(rows.tokens, rows.mask, n) for n in (1, 2, 3, 4)},
                "distinct_sequences": distinct_sequences(rows.tokens),
                "memorised": memorised(rows.tokens, known),
                "length": float(lengths.mean()),
                "length_std": float(lengths.std()),
                "unknown_words": float((rows.tokens[rows.mask] == unknown).mean()),
                **right,
            }
        )
    return found


def bleu(hypotheses: Sequence[Words], references: Sequence[Words]) -> dict[int, float]:
    """BLEU-2 to BLEU-5 of each hypothesis against all references, averaged over the hypotheses; in [0, 1].

    BLEU-n = min(1, exp(1 - r / c)) (p_1 ... p_n)^(1/n) (Papineni et al. 2002). p_k is the share of the hypothesis's
    k-grams that stand in a reference, each counted at most as often as in the reference that has it most; c is the
    length of the hypothesis, r that of the reference nearest in length, the shorter of two. Smoothing is Chen &
    Cherry's (2014) first, as usual for text GANs: 0.1 match where there is none. A hypothesis of fewer than n words
    has its longest k-grams for n; one that shares no word has 0.

    More references give a higher BLEU: compare only what has as many.

    Example:
        >>> scores = bleu([["a", "cat", "sat"]], [["a", "cat", "ran"]])
        >>> round(scores[2], 4)  # 2 of 3 words and 1 of 2 pairs: the root of 2/3 * 1/2
        0.5774
    """
    counts = [_counts(text) for text in references]
    most, lengths = _most(counts), Counter(len(text) for text in references)
    return _mean(_score(_counts(text), len(text), most, lengths) for text in hypotheses)


def self_bleu(texts: Sequence[Words]) -> dict[int, float]:
    """BLEU-2 to BLEU-5 of each text against all others, averaged: 1 where all are the same (Zhu et al. 2018, Texygen).

    A text is no reference of its own: it would score 1 and hide all else.

    Example:
        >>> same, other = ["a", "cat", "sleeps"], ["the", "dogs", "bark"]
        >>> round(self_bleu([same, same])[3], 4), self_bleu([same, other])[3]
        (1.0, 0.0)
    """
    counts = [_counts(text) for text in texts]
    most, lengths = _most(counts), Counter(len(text) for text in texts)
    return _mean(
        # Less its own length: `-` of Counters drops what comes to 0, so that no length is left that only this text has.
        _score(own, len(text), _without(own, most), lengths - Counter([len(text)]))
        for own, text in zip(counts, texts, strict=True)
    )


def distinct(tokens: AnyTokens, mask: Mask, n: int) -> float:
    """Share of different n-grams among all n-grams within the rows (Li et al. 2016); 0 where there is none.

    It falls as there are more rows: compare only as many.

    Example:
        >>> tokens, mask = np.array([[1, 2, 1, 2, 9]]), np.array([[True, True, True, True, False]])
        >>> round(distinct(tokens, mask, 2), 4)  # 2 of the bigrams 1 2, 2 1 and 1 2
        0.6667
    """
    length = tokens.shape[1]
    if n > length:
        return 0.0
    grams = sliding_window_view(tokens, n, axis=1)[mask[:, n - 1 :]]  # the first tokens count, so the last one decides
    return len(np.unique(grams, axis=0)) / len(grams) if len(grams) else 0.0


def distinct_sequences(tokens: AnyTokens) -> float:
    """Share of different rows among all rows.

    Example:
        >>> distinct_sequences(np.array([[1, 2], [1, 2], [2, 1], [3, 4]]))
        0.75
    """
    # As bytes: `np.unique` sorts the rows, which takes 40 times as long.
    return len({row.tobytes() for row in tokens}) / len(tokens)


def memorised(tokens: AnyTokens, known: Digests) -> float:
    """Share of rows [N, T] that are the same as one of the known rows, of which the `digests` are given.

    Example:
        >>> known = digests(np.array([[3, 4], [7, 8]]))
        >>> memorised(np.array([[1, 2], [3, 4]]), known)
        0.5
    """
    return float(np.isin(digests(tokens), known).mean())


def under_true_language(corpus: Corpus, rows: Rows) -> dict[str, float]:
    """Measure rows under a known language: `grammatical`, the share that it can say; `true_nll`, nats per token of it.

    Of the oracle's, that is the NLL_oracle of Yu et al. 2017; without such rows it is left out.
    """
    if corpus.true_log_probs is None:
        return {}
    log_probs = corpus.true_log_probs(rows)
    said = np.isfinite(log_probs)
    measures = {"grammatical": float(said.mean())}
    if said.any():
        measures["true_nll"] = -float(log_probs[said].sum() / rows.mask[said].sum())
    return measures


def brief(corpus: Corpus, rows: Rows) -> dict[str, float]:
    """Measure rows as every evaluation does: how many are different, how long, and how right they are."""
    return {
        "distinct_sequences": distinct_sequences(rows.tokens),
        "distinct_bigrams": distinct(rows.tokens, rows.mask, 2),
        "length": float(rows.mask.sum(axis=1).mean()),
    } | under_true_language(corpus, rows)


def digests(tokens: AnyTokens) -> Digests:
    """A random linear hash of 64 bits of every row [N, T].

    Two different rows of a million meet by chance once in 10^7 times. A million rows would not fit into memory a
    second time, as sorting them would need: `tokens` may be a view of windows.

    Example:
        >>> found = digests(np.array([[1, 2], [2, 1], [1, 2]]))
        >>> (found == found[0]).tolist()
        [True, False, True]
    """
    # Fixed, so that both sets of rows are hashed alike.
    numbers = np.random.Generator(np.random.Philox(0))
    weights = numbers.integers(0, 2**64, size=tokens.shape[1:], dtype=np.uint64)
    found = np.zeros(len(tokens), dtype=np.uint64)
    for t, weight in enumerate(weights):
        # Arrays of uint64 wrap around without a warning: that is the hash's modulus.
        found += tokens[:, t].astype(np.uint64) * weight
    return found


def _counts(text: Words) -> Counts:
    return Counter(tuple(text[i : i + n]) for n in range(1, max(ORDERS) + 1) for i in range(len(text) - n + 1))


def _most(texts: Iterable[Counts]) -> Most:
    most: Most = {}
    for counts in texts:
        for gram, count in counts.items():
            # The second largest too: so each text can be left out in its turn without counting all the others again.
            first, second = most.get(gram, (0, 0))
            most[gram] = (count, first) if count > first else (first, max(second, count))
    return most


def _without(own: Counts, most: Most) -> Most:
    """The largest count of each n-gram of one text in any of the others."""
    # Where its own count is the largest, the second largest is the others' (the same, where another has as many).
    return {gram: (most[gram][count == most[gram][0]], 0) for gram, count in own.items()}


def _score(counts: Counts, length: int, most: Most, lengths: Counter[int]) -> dict[int, float]:
    """BLEU by order. sacrebleu has the formula; the counts are ours, as it would count all references for each text."""
    correct, total = [0] * max(ORDERS), [0] * max(ORDERS)
    for gram, count in counts.items():
        total[len(gram) - 1] += count
        correct[len(gram) - 1] += min(count, most.get(gram, (0, 0))[0])
    nearest = min(lengths, key=lambda other: (abs(other - length), other))
    return {
        n: BLEU.compute_bleu(
            correct[:n],
            total[:n],
            length,
            nearest,
            smooth_method="floor",
            smooth_value=0.1,
            effective_order=True,
            max_ngram_order=n,
        ).score
        / 100
        for n in ORDERS
    }


def _mean(scores: Iterable[dict[int, float]]) -> dict[int, float]:
    table = np.array([list(score.values()) for score in scores])
    return dict(zip(ORDERS, table.mean(axis=0).tolist(), strict=True))
