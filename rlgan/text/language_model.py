"""The language model by which texts are scored: maximum likelihood by our own learner, the same for all texts."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from rlgan.rng import Purpose, stream
from rlgan.settings import updated
from rlgan.text.assembly import learner
from rlgan.text.corpus import Corpus, Rows, RowSource, batch
from rlgan.text.measures import perplexity
from rlgan.text.models.generator import TextGenerator
from rlgan.text.presets import PAPER
from rlgan.types import Plan, RealBatch

UPDATES = 200
LANGUAGE_MODEL = updated(
    PAPER,
    {"method": "mle", "batch_size": 32, "embedding_size": 64, "hidden_size": 64, "generator_learning_rate": 6e-3},
)
PROTOCOL = (
    f"GRU of {LANGUAGE_MODEL.networks.hidden_size} by MLE, {UPDATES} updates of "
    f"{LANGUAGE_MODEL.batch_size} rows, Adam {LANGUAGE_MODEL.players.generator_learning_rate:g}, "
    f"seed {LANGUAGE_MODEL.seed}; nats per token"
)
MAXIMUM_LIKELIHOOD = Plan(supervision=1.0, discriminator_steps=0)


def language_model(corpus: Corpus, rows: RowSource, device: torch.device) -> TextGenerator:
    """Train `LANGUAGE_MODEL` on rows of a corpus's vocabulary, from the same first weights each time."""
    # Of the corpus only what shapes the rows: size, rate and seed are the same for all, or scores would not compare.
    settings = updated(LANGUAGE_MODEL, {"layout": corpus.layout, "length": rows.shape[1]})
    source = _Batches(rows, settings.batch_size, settings.seed)
    made = learner(settings, corpus.words, source, device)
    for step in range(UPDATES):
        made.update(step, MAXIMUM_LIKELIHOOD, [])
    return cast(TextGenerator, made.adapter.generator)


def score(model: TextGenerator, rows: Rows) -> float:
    """Nats per counted token of rows by a language model: ln of `perplexity`, one z per row from a fixed seed.

    Example:
        >>> from rlgan.text.models.core import TextNetworks
        >>> model = TextGenerator(TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False))
        >>> zeros = [each.data.zero_() for each in model.output.parameters()]  # each of the 9 words is as likely
        >>> round(score(model, Rows(np.array([[2, 7]]), np.ones((1, 2), bool))), 4)  # log 9
        2.1972
    """
    return float(np.log(perplexity(model, rows.tokens, stream(0, Purpose.EVALUATION))))


@dataclass(frozen=True)
class _Batches:
    """Rows in batches, one for each step."""

    rows: RowSource
    size: int
    seed: int

    def real(self, step: int, update: int) -> RealBatch:  # noqa: ARG002
        return RealBatch(batch(self.rows, self.size, step, self.seed).tokens)
