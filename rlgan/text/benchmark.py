"""The quality and diversity of texts, whoever wrote them, beside the same numbers of real text."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rlgan.task import Result, Stages
from rlgan.text.corpus import Corpus, Rows, batch, seen_in_training
from rlgan.text.language_model import MODELLING, language_models
from rlgan.text.language_model import PROTOCOL as LANGUAGE_MODEL
from rlgan.text.measures import nats_per_token
from rlgan.text.ngram_features import NGRAM_FEATURES, frechet_distances
from rlgan.text.ngrams import ngram_measures
from rlgan.types import Metrics

COUNTING = 1.0  # about how long the n-grams of a text take beside other stages
DURATION = COUNTING + MODELLING  # of a text
REAL_DURATION = DURATION + MODELLING  # of real text, of which there are two models

PROTOCOL = {
    "language_model": LANGUAGE_MODEL,
    "bleu": "mean over sentences, uniform weights, smoothing floor 0.1 (Chen & Cherry's first)",
    "frechet": NGRAM_FEATURES,
}


@dataclass(frozen=True, eq=False)
class Text:
    """What somebody wrote at a temperature."""

    rows: Rows
    measures: Metrics  # the temperature, and where probabilities are known the entropy


@dataclass(frozen=True, eq=False)
class Authored:
    """What is known of an author by itself, and what it wrote."""

    measures: Result
    texts: Sequence[Text]  # one for each temperature


def measure_quality(
    authors: Sequence[Authored], corpus: Corpus, rows: int, device: torch.device, stages: Stages
) -> tuple[list[list[Metrics]], Metrics]:
    """The quality of what each author wrote, a list by temperature, and that of real text; see `measure_texts`."""
    texts = [text for author in authors for text in author.texts]
    *measured, real = measure_texts([text.rows for text in texts], corpus, rows, device, stages)
    found = iter([text.measures | measures for text, measures in zip(texts, measured, strict=True)])
    return [list(itertools.islice(found, len(author.texts))) for author in authors], real


def measure_texts(
    texts: Sequence[Rows], corpus: Corpus, rows: int, device: torch.device, stages: Stages
) -> list[Metrics]:
    """Measure texts, and real text in the same way and as much of it.

    Three instruments measure all of them, one after the other: an embedding that is fixed, counts, language models.

    Args:
        texts: each of as many rows, on which a language model for `reverse_lm_score` is trained.
        corpus: what they are compared with.
        rows: of each text that are measured, and compared with as many test rows: BLEU, distinct-n and the Fréchet
            distance change with their number. At most as many as a text has.
        device: where to compute.
        stages: shows what is computed.

    Returns:
        The measures of each text, and last those of real text: of validation rows, and for `reverse_lm_score` of
        training rows.
    """
    written = texts[0].shape[0]
    references, held_out, training = (
        batch(split, count, 0, 0)
        for split, count in ((corpus.test, rows), (corpus.validation, rows), (corpus.train, written))
    )
    seen = seen_in_training(corpus)
    measured = [*(text.take(slice(rows)) for text in texts), held_out]
    stages.begin("the n-grams of all texts", COUNTING * len(measured))
    by_features = frechet_distances(measured, references, corpus.words)
    by_counts = ngram_measures(measured, references, seen, corpus)
    models = language_models(corpus, (corpus.train, *texts, training), device, stages)
    of_real = next(models)
    return [
        {"lm_score": nats_per_token(of_real, text), "reverse_lm_score": nats_per_token(model, references)}
        | features
        | counts
        for text, model, features, counts in zip(measured, models, by_features, by_counts, strict=True)
    ]
