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
        RunError: the run's own data is not there, a text can't be read, a control does not compare, a split has a
            single row, or a policy gives what it must not.
        UsageError: the policy is no function, or can't write at the temperatures.
    """
    task, controls = _task_of(run, tools), [tools.load_run(path) for path in options.control]
    for path, each in zip((None, *options.control), (run, *controls), strict=True):
        _check(each, path, task.corpus, tools)
    facts: Result = {}
    if tools.test_data is not None:
        corpus, unknown = with_test(task.corpus, Path(tools.test_data), task.settings.corpus)
        task, facts = replace(task, corpus=corpus), {"test_data": tools.test_data, "test_unknown_words": unknown}
    facts["test_rows"], corpus = task.corpus.test.shape[0], task.corpus
    # Real text is measured on as many training rows; more of them would be the same rows again.
    samples = min(options.samples, corpus.train.shape[0])
    # BLEU, distinct-n and the Fréchet distance change with the number of rows: it is the same for all.
    rows = min(samples, len(corpus.validation.tokens), len(corpus.test.tokens))
    if rows < 2 and not options.quick:
        raise RunError(f"{corpus.name} has a single row for a comparison: give more text, or --quick")
    authors: list[Author] = [RunAuthor(each, task) for each in (run, *controls)]
    temperatures = options.compared_temperatures
    if options.policy is not None:
        policy = PolicyAuthor(options.policy, run, task, options)
        authors, temperatures = [policy], policy.temperatures
    return Compared(authors, controls, corpus, temperatures, samples, rows, facts)


def _check(run: LoadedRun, control: str | None, corpus: Corpus, tools: EvaluationTools) -> None:
    """Check that a run has a corpus's words; and that one which another is held against compares with it.

    Raises:
        RunError: it has other words or other data, or learned from rewards.
    """
    words = run.read_words() if isinstance(run.settings, TextSettings) else ()
    if words != corpus.words and control is None:
        # Its data is what it was trained on, or there would be no corpus.
        raise RunError(f"{run.path}/vocabulary.json has other words than the run's data: put the run's own back")
    if words != corpus.words:
        raise RunError(f"--control {control} has another vocabulary: give a run on the same data")
    if control is None:
        return
    rewards = run.settings.rewards
    if rewards.reward_control == "none" and find_method(run.settings.method).adversarial:
        teacher = f"--scorer {rewards.scorer}" if rewards.scorer else "its discriminator"
        raise RunError(f"--control {control} learned from {teacher}: train one with --reward-control, or by mle")
    # Last, since the data may be large, and need not be there to tell the rest.
    if _task_of(run, tools).corpus.fingerprint != corpus.fingerprint:
        raise RunError(f"--control {control} has other data, or other rows of it: give a run on the same")


def _task_of(run: LoadedRun, tools: EvaluationTools) -> TextTask:
    # The protocol of tasks knows no corpus; the task of a run on text has one.
    return cast(TextTask, tools.prepare(run))
