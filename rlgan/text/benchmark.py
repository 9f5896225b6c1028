"""The quality and diversity of what a run writes, over sampling temperatures, beside the same numbers of real text."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from rlgan.errors import RunError
from rlgan.learning.distances import frechet_distance
from rlgan.text import language_model as lm
from rlgan.text import ngrams as quality
from rlgan.text.corpus import Corpus, Rows, batch, chunks
from rlgan.text.ngrams import NGRAM_FEATURES, Digests, ngram_features
from rlgan.text.vocabulary import UNKNOWN, to_words
from rlgan.types import Metrics, Rollout

# About how long each stage takes beside the others.
READING, SAMPLING, MODELLING, MEASURING = 1.0, 1.0, 4.0, 3.0

PROTOCOL = {
    "language_model": lm.PROTOCOL,
    "bleu": "mean over sentences, uniform weights, smoothing floor 0.1 (Chen & Cherry's first)",
    "frechet": NGRAM_FEATURES,
}

Begin = Callable[[str, float], object]
"""Told what is computed next, and how long that takes beside other stages."""


class TextBenchmark:
    """Metrics rows of text against a corpus: generated or real, in the same way and as many of them.

    Args:
        corpus: `lm_score` is by a language model of its training rows.
        samples: rows that a language model for `reverse_lm_score` is trained on, at most as many as the corpus has.
        device: where to compute.
        begin: shows what is computed next, and is told how long that takes beside other stages.

    Raises:
        RunError: a held-out split has a single row.
    """

    def __init__(self, corpus: Corpus, samples: int, device: torch.device, begin: Begin) -> None:
        self.corpus, self.device, self.begin = corpus, device, begin
        # The floor is measured on as many training rows; more of them would be the same rows again.
        self.samples = min(samples, corpus.train.shape[0])
        # BLEU, distinct-n and the Fréchet distance change with the number of rows: it is the same for all.
        self.rows = min(self.samples, len(corpus.validation.tokens), len(corpus.test.tokens))
        if self.rows < 2:
            raise RunError(f"{corpus.name} has a single row for a comparison: give more text, or --quick")
        self.references = batch(corpus.test, self.rows, 0, 0)
        # What every temperature is compared with is computed once.
        self._reference_texts = _split(corpus, self.references)
        self._reference_features = ngram_features(self.references.tokens, corpus.words)
        self._known = _known(corpus)
        begin("a language model of the real text", MODELLING)
        self.language_model = lm.language_model(corpus, corpus.train, device)

    def generated(self, temperature: float, write: Callable[[], Rollout]) -> Metrics:
        """Measure what a run writes at a temperature, `self.samples` sequences."""
        self.begin(f"temperature {temperature:g}: sampling", SAMPLING)
        made = write()
        self.begin(f"temperature {temperature:g}: measuring", MEASURING)
        entropy = -float(made.log_probs.sum() / made.mask.sum())
        return {"temperature": temperature, "generator_entropy": entropy} | self.written(Rows(made.tokens, made.mask))

    def written(self, rows: Rows) -> Metrics:
        """Measure what anybody wrote, `self.samples` sequences."""
        return self.measure(Rows(rows.tokens[: self.rows], rows.mask[: self.rows]), rows)

    def floor(self) -> Metrics:
        """Measure validation text, and for `reverse_lm_score` training text, in place of what a run writes."""
        self.begin("real text: measuring", MEASURING)
        corpus = self.corpus
        return self.measure(batch(corpus.validation, self.rows, 0, 0), batch(corpus.train, self.samples, 0, 0))

    def measure(self, rows: Rows, written: Rows) -> Metrics:
        """All measures of some rows.

        Args:
            rows: `self.rows` of them, to be measured.
            written: `self.samples` of the same kind, to train a language model on.
        """
        corpus, references = self.corpus, self.references
        texts = _split(corpus, rows)
        lengths = rows.mask.sum(axis=1)
        spoken = rows.tokens[rows.mask]
        # No token is -1: without `<unk>` the share of unknown words is 0.
        unknown = corpus.words.index(UNKNOWN) if UNKNOWN in corpus.words else -1
        reverse = lm.language_model(corpus, written, self.device)
        features = ngram_features(rows.tokens, corpus.words)
        return {
            "lm_score": lm.score(self.language_model, rows),
            "reverse_lm_score": lm.score(reverse, references),
            f"frechet_{NGRAM_FEATURES}": frechet_distance(features, self._reference_features),
            **{f"bleu_{n}": value for n, value in quality.bleu(texts, self._reference_texts).items()},
            **{f"self_bleu_{n}": value for n, value in quality.self_bleu(texts).items()},
            **{f"distinct_{n}": quality.distinct(rows.tokens, rows.mask, n) for n in (1, 2, 3, 4)},
            "distinct_sequences": quality.distinct_sequences(rows.tokens),
            "memorised": quality.memorised(rows.tokens, self._known),
            "length": float(lengths.mean()),
            "length_std": float(lengths.std()),
            "unknown_words": float((spoken == unknown).mean()),
            **quality.under_true_language(corpus, rows),
        }


def difference(one: Sequence[Metrics], other: Sequence[Metrics]) -> list[Metrics]:
    """One sweep less another over the same temperatures: what both have, measure by measure.

    Example:
        >>> difference([{"temperature": 0.7, "lm_score": 3.0, "length": 9.0}], [{"temperature": 0.7, "lm_score": 2.5}])
        [{'temperature': 0.7, 'lm_score': 0.5}]
    """
    return [
        {name: value if name == "temperature" else value - b[name] for name, value in a.items() if name in b}
        for a, b in zip(one, other, strict=True)
    ]


def _split(corpus: Corpus, rows: Rows) -> list[list[str]]:
    return to_words(corpus.words, rows.tokens)


def _known(corpus: Corpus) -> Digests:
    """What a generator may have learned by heart: the training rows; of windows, those from any place of the text."""
    if corpus.stop_token is not None:
        return np.concatenate([quality.digests(rows.tokens) for rows in chunks(corpus.train)])
    tokens = corpus.train.tokens
    # Windows were cut in order and without a gap, so that they are the text again. A view, which needs no more memory.
    return quality.digests(sliding_window_view(tokens.reshape(-1), tokens.shape[1]))
