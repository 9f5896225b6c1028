"""`rlgan.load_scorer`: the discriminator of a run, as what rewards anybody's agent."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import envs
from rlgan.api.isolation import isolated
from rlgan.api.run import DEFAULT_CHECKPOINT, open_run
from rlgan.errors import RunError
from rlgan.settings import Checkpoint, resolve
from rlgan.task import TASKS, Reduction, ScorerForm, find_task


class Scorer(envs.Scorer, Protocol):
    """A trained discriminator: an `envs.Scorer` that knows its vocabulary and its environment, and reads text."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words, by token."""
        ...

    @property
    def env_kwargs(self) -> Mapping[str, Any]:
        """`vocab_size`, `max_length` and `stop_token` of the environment that the discriminator was trained in."""
        ...

    def tokens(self, text: str) -> NDArray[np.int64]:
        """The tokens of a text's words; see `rlgan.text.text_scorer.TextScorer.tokens`."""
        ...

    def text(self, tokens: NDArray[np.int64]) -> str:
        """What tokens [n] say; see `rlgan.text.text_scorer.TextScorer.text`."""
        ...

    def score_text(self, texts: Sequence[str], reduce: Reduction = "sum") -> list[float]:
        """Score texts; see `rlgan.text.text_scorer.TextScorer.score_text`."""
        ...


def load_scorer(
    run: str | os.PathLike[str],
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    *,
    form: ScorerForm = "uniform",
    trust_imports: bool = False,
) -> Scorer:
    """Open the trained discriminator of a run.

    Args:
        run: its directory, or an address that fsspec opens.
        checkpoint: "best" by the task's selection metric, or "newest".
        form: of a structured discriminator, whose log-odds in training are f - log G, against the tokens of its
            generator. "uniform": log softmax(f) + log V, against tokens drawn uniformly; "training": f - log G, where
            the generator begins at z = 0. Other discriminators have one form.
        trust_imports: import code from outside of rlgan that the run's config.json names.

    Raises:
        UsageError: there is no such form, or no such kind of checkpoint.
        RunError: the run is of a task without a scorer, trained no discriminator, or can't be read.
    """
    loaded = open_run(run, checkpoint, trust_imports=trust_imports)
    if not loaded.task.scorer:
        others = ", ".join(name for name in TASKS if find_task(name).scorer)
        raise RunError(f"{loaded.path} is a run of {loaded.task.name}, which has no scorer: give a run of {others}")
    with isolated():
        scorer: Scorer = resolve(loaded.task.scorer, {})(loaded, form)
    return scorer
