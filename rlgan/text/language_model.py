"""The language model by which texts are scored: maximum likelihood by our own learner, the same for all texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch

from rlgan.settings import updated
from rlgan.task import Stages
from rlgan.text.assembly import learner
from rlgan.text.corpus import Corpus, RowSource, batch
from rlgan.text.models.generator import TextGenerator
from rlgan.text.presets import PAPER
from rlgan.types import Plan, RealBatch

MODELLING = 2.0  # about how long one takes, in the units of the benchmark's stages
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


def language_models(
    corpus: Corpus, sources: Sequence[RowSource], device: torch.device, stages: Stages
) -> Iterator[TextGenerator]:
    """Train a `LANGUAGE_MODEL` on each of some sources of rows, from the same first weights, when it is asked for.

    Args:
        corpus: whose vocabulary the rows have, and which ends them.
        sources: of rows [N, T].
        device: where to compute.
        stages: shows which model is trained.
    """
    for i, rows in enumerate(sources):
        stages.begin(f"language model {i + 1} of {len(sources)}", MODELLING)
        yield _trained(corpus, rows, device)


def _trained(corpus: Corpus, rows: RowSource, device: torch.device) -> TextGenerator:
    # Of the corpus only what shapes the rows: size, rate and seed are the same for all, or scores do not compare.
    settings = updated(LANGUAGE_MODEL, {"length": rows.shape[1]})
    batches = _Batches(rows, settings.batch_size, settings.seed)
    made = learner(settings, corpus.words, corpus.stop_token, batches, device)
    for step in range(UPDATES):
        made.update(step, MAXIMUM_LIKELIHOOD, [])
    return cast(TextGenerator, made.adapter.generator)


@dataclass(frozen=True)
class _Batches:
    """Rows in batches, one for each step."""

    rows: RowSource
    size: int
    seed: int

    def real(self, step: int, update: int) -> RealBatch:  # noqa: ARG002
        return RealBatch(batch(self.rows, self.size, step, self.seed).tokens)
