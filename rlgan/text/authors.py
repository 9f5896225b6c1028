"""Who writes the texts that an evaluation compares: the generator of a run, or a policy from outside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rlgan.device import prepare
from rlgan.errors import UsageError
from rlgan.task import LoadedRun, Result, Stages
from rlgan.text import ngrams
from rlgan.text.benchmark import Authored, Text
from rlgan.text.corpus import Rows
from rlgan.text.given_policy import GivenPolicy
from rlgan.text.perplexities import reference_perplexities
from rlgan.text.schedule import EVALUATION_ROWS
from rlgan.text.settings import EvaluateOptions
from rlgan.text.task import TextTask
from rlgan.types import Metrics

# About how long it takes to measure an author by itself, and to write a text, in the units of the benchmark's stages.
READING, SAMPLING = 1.0, 1.0


class Author(Protocol):
    """Writes text, and is measured by itself."""

    def write(self, count: int, temperatures: Sequence[float], stages: Stages, /) -> Authored:
        """Write so many sequences at each temperature, and measure the author by itself: a pure function.

        Args:
            count: sequences.
            temperatures: of sampling.
            stages: shows what is computed.
        """
        ...


@dataclass(frozen=True)
class RunAuthor:
    """The generator of a run.

    Args:
        run: whose weights.
        task: that has the corpus on which it is measured.
    """

    run: LoadedRun
    task: TextTask

    def write(self, count: int, temperatures: Sequence[float], stages: Stages, /) -> Authored:
        """Sample; and measure what training does, and where samples are asked for the test rows read as one stream."""
        run = self.run
        stages.begin(f"measuring {run.path}", READING)
        # Here and not in an attribute, so that the networks of one run at a time are in memory.
        evaluator = self.task.with_settings(run.settings).evaluator(prepare(run.device))
        evaluation = evaluator.evaluate(run.weights)
        result: Result = {"run": run.path, "step": run.step, "data": self.task.settings.corpus.data}
        result |= run.task.labels(run.settings) | evaluation.metrics | evaluation.series
        if temperatures:
            result["test_perplexity_carried"] = evaluator.carried_perplexity(run.weights)
        texts = []
        for temperature in temperatures:
            stages.begin(f"{run.path} at temperature {temperature:g}: sampling", SAMPLING)
            made = evaluator.samples(run.weights, count, temperature)
            entropy = -float(made.log_probs.sum() / made.mask.sum())
            texts.append(Text(Rows(made.tokens, made.mask), {"temperature": temperature, "generator_entropy": entropy}))
        return Authored(result, texts)


class PolicyAuthor:
    """A policy of anybody's, on the data of a run: the measures that need no discriminator.

    Args:
        name: `module:object`.
        run: whose length of texts and seed count.
        task: that has the corpus on which it is measured.
        options: that were asked for.

    Attributes:
        temperatures: those of them at which it writes different texts.

    Raises:
        UsageError: it is no function, or chooses tokens and temperatures were given.
        RunError: it fails, or gives what it must not.
    """

    def __init__(self, name: str, run: LoadedRun, task: TextTask, options: EvaluateOptions) -> None:
        self.name = name
        self.temperatures = options.compared_temperatures
        self._run = run
        self._task = task
        self._policy = GivenPolicy(name, len(task.corpus.words))
        if self._policy.gives_actions:
            if tuple(sorted(set(options.temperatures))) not in (EvaluateOptions().temperatures, (1.0,)):
                raise UsageError(f"--temperatures with --policy {name}, which gives actions: leave them out")
            self.temperatures = self.temperatures and (1.0,)

    def write(self, count: int, temperatures: Sequence[float], stages: Stages, /) -> Authored:
        """Ask it for token after token; and for perplexities, where it gives log-probabilities."""
        stages.begin(f"measuring {self.name}", READING)
        corpus = self._task.corpus
        result: Result = {"run": self._run.path, "policy": self.name, "data": self._task.settings.corpus.data}
        if not self._policy.gives_actions:
            validation, test = self._policy.perplexity(corpus.validation), self._policy.perplexity(corpus.test)
            result |= {"validation_perplexity": validation, "test_perplexity": test, "test_nll": math.log(test)}
        result |= reference_perplexities(corpus) | ngrams.brief(corpus, self._rows(EVALUATION_ROWS, 1.0))
        texts = []
        for temperature in temperatures:
            stages.begin(f"{self.name} at temperature {temperature:g}: sampling", SAMPLING)
            rows = self._rows(count, temperature)
            texts.append(Text(rows, {"temperature": temperature} | self._entropy(rows, temperature)))
        return Authored(result, texts)

    def _rows(self, count: int, temperature: float) -> Rows:
        settings = self._run.settings
        stop_token = self._task.corpus.stop_token
        return self._policy.write(count, settings.corpus.length, stop_token, temperature, settings.seed)

    def _entropy(self, rows: Rows, temperature: float) -> Metrics:
        """Nats per token, by the log-probabilities of the tokens that were drawn."""
        if self._policy.gives_actions:
            return {}
        return {"generator_entropy": -float(self._policy.log_probs(rows, temperature).sum() / rows.mask.sum())}
