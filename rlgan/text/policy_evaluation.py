"""What `rlgan evaluate RUN --policy` finds of a policy from outside, on the data of a run."""

import math
from collections.abc import Sequence

from rlgan.errors import UsageError
from rlgan.task import LoadedRun, Result
from rlgan.text import ngrams
from rlgan.text.benchmark import MEASURING, SAMPLING, TextBenchmark
from rlgan.text.corpus import Corpus, Rows, reference_perplexities
from rlgan.text.given_policy import GivenPolicy
from rlgan.text.schedule import EVALUATION_ROWS
from rlgan.text.settings import EvaluateOptions
from rlgan.types import Metrics


def measured_policy(
    name: str, run: LoadedRun, corpus: Corpus, benchmark: TextBenchmark | None, temperatures: Sequence[float]
) -> Result:
    """The measures that need no discriminator; perplexities where the policy gives log-probabilities.

    Args:
        name: of the policy: `module:object`.
        run: whose length of texts and seed count.
        corpus: the run's data, or other rows in its vocabulary.
        benchmark: measures quality; None: it is left out.
        temperatures: of sampling, rising.

    Raises:
        UsageError: the policy chooses tokens, and temperatures were given.
        RunError: it fails, or gives what it must not.
    """
    policy = GivenPolicy(name, len(corpus.words))
    if policy.gives_actions:
        if tuple(temperatures) not in (EvaluateOptions().temperatures, (1.0,)):
            raise UsageError(f"--temperatures with --policy {name}, which gives actions: leave them out")
        temperatures = (1.0,)
    result: Result = {"run": run.path, "policy": name, "data": run.settings.corpus.data}
    result |= _perplexities(policy, corpus)
    result |= ngrams.brief(corpus, _written(policy, run, corpus, EVALUATION_ROWS, 1.0))
    if benchmark:
        result["quality"] = []
        for temperature in temperatures:
            benchmark.begin(f"temperature {temperature:g}: sampling and measuring", SAMPLING + MEASURING)
            rows = _written(policy, run, corpus, benchmark.samples, temperature)
            entry = {"temperature": temperature} | _entropy(policy, rows, temperature)
            result["quality"].append(entry | benchmark.written(rows))
    return result


def _written(policy: GivenPolicy, run: LoadedRun, corpus: Corpus, count: int, temperature: float) -> Rows:
    return policy.write(count, run.settings.corpus.length, corpus.stop_token, temperature, run.settings.seed)


def _perplexities(policy: GivenPolicy, corpus: Corpus) -> Metrics:
    found = reference_perplexities(corpus)
    if policy.gives_actions:
        return found
    validation, test = policy.perplexity(corpus.validation), policy.perplexity(corpus.test)
    return {"validation_perplexity": validation, "test_perplexity": test, "test_nll": math.log(test)} | found


def _entropy(policy: GivenPolicy, rows: Rows, temperature: float) -> Metrics:
    """Nats per token, by the log-probabilities of the tokens that were drawn."""
    if policy.gives_actions:
        return {}
    return {"generator_entropy": -float(policy.log_probs(rows, temperature).sum() / rows.mask.sum())}
