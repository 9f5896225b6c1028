"""What an evaluation of text compares, opened and checked before the measuring, which takes minutes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from rlgan.errors import RunError
from rlgan.task import EvaluationTools, LoadedRun, Result
from rlgan.text.authors import Author, PolicyAuthor, RunAuthor
from rlgan.text.corpora.files import with_test
from rlgan.text.corpus import Corpus
from rlgan.text.methods.method import find_method
from rlgan.text.settings import EvaluateOptions, TextSettings
from rlgan.text.task import TextTask
from rlgan.text.trained import vocabulary_of


@dataclass(frozen=True)
class Compared:
    """What an evaluation compares."""

    authors: Sequence[Author]  # first the one that is evaluated, then its controls
    controls: Sequence[LoadedRun]
    corpus: Corpus  # with the test rows that were asked for
    temperatures: Sequence[float]  # at which text is compared, rising; none with --quick
    samples: int  # sequences that each writes at each temperature
    rows: int  # of them that are compared with as many real ones
    facts: Result  # of the test rows, for the result


def open_compared(run: LoadedRun, options: EvaluateOptions, tools: EvaluationTools) -> Compared:
    """Open the data of a run, its controls, and the policy and the test rows that take the place of its own.

    Raises:
        RunError: the run's own data is not there, a text can't be read, or a control does not compare.
        UsageError: the policy is no function, or can't write at the temperatures.
    """
    controls = [_load_control(path, tools) for path in options.control]
    task, *others = (_with_own_data(each, tools) for each in (run, *controls))
    for path, control, other in zip(options.control, controls, others, strict=True):
        if other.corpus.words != task.corpus.words:
            raise RunError(f"--control {path} has another vocabulary: give a run on the same data")
        if control.settings.rewards.reward_control == "none" and find_method(control.settings.method).adversarial:
            raise RunError(
                f"--control {path} learned from its discriminator: train one with --reward-control, or by mle"
            )
        if other.corpus.fingerprint != task.corpus.fingerprint:
            raise RunError(f"--control {path} has other data, or other rows of it: give a run on the same")
    facts: Result = {}
    if tools.test_data is not None:
        corpus, unknown = with_test(task.corpus, Path(tools.test_data), task.settings.corpus)
        task, facts = replace(task, corpus=corpus), {"test_data": tools.test_data, "test_unknown_words": unknown}
    # Rising, because a figure draws a curve through them in this order; each is measured once.
    temperatures = tuple(sorted(set(options.temperatures)))
    authors: list[Author] = [RunAuthor(each, task.with_settings(each.settings)) for each in (run, *controls)]
    if options.policy is not None:
        policy = PolicyAuthor(options.policy, run, task.corpus)
        authors, temperatures = [policy], policy.temperatures(temperatures)
    if options.quick:
        temperatures = ()
    facts["test_rows"] = task.corpus.test.shape[0]
    return Compared(authors, controls, task.corpus, temperatures, *_sizes(task.corpus, options), facts)


def _sizes(corpus: Corpus, options: EvaluateOptions) -> tuple[int, int]:
    """How many sequences are written, and how many of them are compared.

    Raises:
        RunError: a held-out split has a single row.
    """
    # Real text is measured on as many training rows; more of them would be the same rows again.
    samples = min(options.samples, corpus.train.shape[0])
    # BLEU, distinct-n and the Fréchet distance change with the number of rows: it is the same for all.
    rows = min(samples, len(corpus.validation.tokens), len(corpus.test.tokens))
    if rows < 2 and not options.quick:
        raise RunError(f"{corpus.name} has a single row for a comparison: give more text, or --quick")
    return samples, rows


def _load_control(path: str, tools: EvaluationTools) -> LoadedRun:
    """Load a run to hold another one against.

    Raises:
        RunError: it is none on text.
    """
    run = tools.load_run(path)
    if not isinstance(run.settings, TextSettings):
        raise RunError(f"--control {path} has another vocabulary: give a run on the same data")
    return run


def _with_own_data(run: LoadedRun, tools: EvaluationTools) -> TextTask:
    """The task of a run, with the data that the run was trained on.

    Raises:
        RunError: that is not there.
    """
    words = vocabulary_of(run)
    # The protocol of tasks knows no corpus; the task of a run on text has one.
    task = cast(TextTask, tools.prepare(run))
    if task.corpus.words != words:
        raise RunError(f"{run.settings.corpus.data} is not the data that {run.path} was trained on: put it back")
    return task
