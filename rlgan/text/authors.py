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
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.given_policy import GivenPolicy
from rlgan.text.perplexities import reference_perplexities
from rlgan.text.schedule import EVALUATION_ROWS
from rlgan.text.settings import EvaluateOptions
from rlgan.text.task import TextTask

# About how long it takes to measure an author by itself, and to write a text, in the units of the benchmark's stages.
READING, SAMPLING = 1.0, 1.0


class Author(Protocol):
    """Writes text, and is measured by itself."""

    def write(self, count: int, temperatures: Sequence[float], stages: Stages, /) -> Authored:
        """Write so many sequences at each temperature: a pure function. Without temperatures nothing that takes long.

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
        task: the corpus on which it is measured, and the run's recipe.
    """

    run: LoadedRun
    task: TextTask

    def write(self, count: int, temperatures: Sequence[float], stages: Stages, /) -> Authored:
        """What training measures, which run it is, and samples; with these the perplexity of the text as one stream."""
        run = self.run
        stages.begin(f"measuring {run.path}", READING)
        # Here and not in an attribute, so that the networks of one run at a time are in memory.
        evaluator = self.task.evaluator(prepare(run.device))
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
        corpus: the run's data, or other rows in its vocabulary.

    Raises:
        UsageError: it is no function.
        RunError: it fails, or gives what it must not.
    """

    def __init__(self, name: str, run: LoadedRun, corpus: Corpus) -> None:
        self.name = name
        self._run = run
        self._corpus = corpus
        self._policy = GivenPolicy(name, len(corpus.words))

    def temperatures(self, asked: tuple[float, ...]) -> tuple[float, ...]:
        """Those of the temperatures that were asked for at which it writes different texts.

        Raises:
            UsageError: it chooses tokens, and temperatures were given.
        """
        if not self._policy.gives_actions:
            return asked
        if asked not in (EvaluateOptions().temperatures, (1.0,)):
            raise UsageError(f"--temperatures with --policy {self.name}, which gives actions: leave them out")
        return (1.0,)

    def write(self, count: int, temperatures: Sequence[float], stages: Stages, /) -> Authored:
        """Perplexities where the policy gives log-probabilities, what a few texts are like, and what it writes."""
        stages.begin(f"measuring {self.name}", READING)
        corpus = self._corpus
        result: Result = {"run": self._run.path, "policy": self.name, "data": self._run.settings.corpus.data}
        if not self._policy.gives_actions:
            validation, test = self._policy.perplexity(corpus.validation), self._policy.perplexity(corpus.test)
            result |= {"validation_perplexity": validation, "test_perplexity": test, "test_nll": math.log(test)}
        result |= reference_perplexities(corpus) | ngrams.brief(corpus, self._written(EVALUATION_ROWS, 1.0).rows)
        texts = []
        for temperature in temperatures:
            stages.begin(f"{self.name} at temperature {temperature:g}: sampling", SAMPLING)
            texts.append(self._written(count, temperature))
        return Authored(result, texts)

    def _written(self, count: int, temperature: float) -> Text:
        settings = self._run.settings
        rows = self._policy.write(count, settings.corpus.length, self._corpus.stop_token, temperature, settings.seed)
        measures = {"temperature": temperature}
        if not self._policy.gives_actions:
            # Nats per token, by the log-probabilities of the tokens that were drawn.
            log_probs = self._policy.log_probs(rows, temperature)
            measures["generator_entropy"] = -float(log_probs.sum() / rows.mask.sum())
        return Text(rows, measures)
