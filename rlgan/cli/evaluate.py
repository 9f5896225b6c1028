"""`rlgan evaluate RUN ...`: what the run's task measures, for people or as JSON."""

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from rlgan.cli.evaluation_tools import evaluation_tools
from rlgan.cli.headlines import arrows, brief, say_headlines, say_what_arrows_mean
from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.paths import beside_python
from rlgan.cli.tasks import kind_of_operation, options_for, refuse_options_of_others, task_of_run
from rlgan.errors import UsageError
from rlgan.settings import Checkpoint, Device, TypedPath, caption_file, check, flatten, pasteable, printable, resolve
from rlgan.task import EvaluationTools, Headline, Result, Task


@dataclass(frozen=True)
class EvaluateSettings:
    """The run, and how it is shown."""

    run: Annotated[Positional[str], TypedPath(), arg(metavar="RUN")]
    """The run's directory, or that of several seeds: then medians over the seeds."""
    checkpoint: Checkpoint = "newest"
    """Which checkpoint: the newest whole one, or the best by the task's selection metric; of controls too."""
    data: Annotated[str | None, TypedPath()] = None
    """Where the data that the run was trained on lies now, if it has moved; that of controls too."""
    test_data: Annotated[str | None, TypedPath()] = None
    """Another test set in place of the run's own: of text a file, or a directory with one for the test, read in the
    run's vocabulary; of pictures CelebA's held-out part, that of a directory with train/ and test/, or any directory as
    a whole."""
    all: bool = False
    """Print every measure, and the tables of the task, in place of the ten numbers that say most."""
    json: bool = False
    """Print all as one JSON object and nothing else."""
    device: Device = "cpu"
    """What computes: cpu, so that the result does not depend on the machine; cuda, cuda:N, or auto, a GPU where one is
    found."""
    trust_imports: bool = False
    """Import code from outside of rlgan that the run's config.json names."""


PAGE = Page(
    program="rlgan evaluate",
    arguments="RUN [--FLAG VALUE ...]",
    summary="Measure a checkpoint: perplexities, the discriminator, quality and diversity of text; distances of others",
    first=("run", "checkpoint", "all", "json"),
    examples=(
        "rlgan evaluate runs/a                              # ten numbers of the newest checkpoint",
        "rlgan evaluate runs/a --checkpoint best --json     # all that is measured, for a program",
        "rlgan evaluate runs/a --temperatures 0.7 1 1.3 --control runs/c --figure quality.png",
    ),
)


def evaluate(words: list[str]) -> None:
    """Measure a run and print what was found.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: the run or its data can't be read.
    """
    # Which task the run is of is certain only when it is opened, after the words are parsed: so the flags of all
    # tasks that it may be of are read, and those of others refused below.
    tasks = task_of_run(words)
    options = parse(kind_of_operation("evaluate", EvaluateSettings, tasks), words, PAGE)
    check(options)
    common = options.common

    # Late, as in the other commands: --help and an error in a flag need not wait for numpy and what opens a run.
    from rlgan.runs.evaluation import check_takes_data, check_takes_test_data
    from rlgan.runs.loading import load_run
    from rlgan.runs.near import seeds_in

    if runs := seeds_in(Path(common.run)):
        _evaluate_seeds(runs, options, tasks)
        return
    run = load_run(common.run, common.checkpoint, trust_imports=common.trust_imports, device=common.device)
    refuse_options_of_others(options, tasks, run.task, common.run, "evaluate")
    check_takes_data(run, common.data)
    check_takes_test_data(run, common.test_data)
    own = options_for(run.task, options, "evaluate")
    with _tools(common) as tools:
        tools = replace(tools, command=shlex.join(["rlgan", "evaluate", *words]))
        result: Result = resolve(run.task.evaluate.run, {})(run, own, tools)
    if common.json or common.all:
        show(result, resolve(run.task.evaluation_lines, {})(result), as_json=common.json)
    else:
        caveats = resolve(run.task.caveats, {})(result)
        show_headlines(result, resolve(run.task.headlines, {})(result), caveats)
        if "figure" in result:
            _say(f"the figure: {result['figure']}, and its caption: {caption_file(Path(result['figure']))}")
        for what, more in _next_words(run.task, own):
            _say(f"{what}: {beside_python('rlgan')} evaluate {pasteable(common.run)} {more}{_trust(common)}")


def _evaluate_seeds(runs: list[Path], options: Any, tasks: list[Task]) -> None:
    """Measure several seeds and print what was found of them as one.

    Raises:
        UsageError: something was typed that is for a single run.
        RunError: they are not runs of one recipe.
    """
    from rlgan.cli.seeds import measure_seeds, open_seeds, show_seeds

    common = options.common
    # They are measured as in training, which is what --quick asks for.
    refuse_options_of_others(options, tasks, None, common.run, "evaluate", but={"quick"})
    if common.test_data is not None:
        raise UsageError(f"--test-data is for a single run, and {common.run} is several: give one of them")
    with _tools(common) as tools:
        measured = measure_seeds(open_seeds(runs, common.checkpoint, tools), tools)
    if common.json or common.all:
        show({"run": common.run} | measured.summary, [], as_json=common.json)
        return
    show_seeds(measured, _say)
    rlgan, trust = beside_python("rlgan"), _trust(common)
    for what, words in (("all measures", "--all"), ("for programs", "--json")):
        _say(f"{what}: {rlgan} evaluate {pasteable(common.run)} {words}{trust}")
    _say(f"more of a single seed: {rlgan} evaluate {pasteable(runs[0])}{trust}")


def _trust(common: EvaluateSettings) -> str:
    return " --trust-imports" if common.trust_imports else ""


def _tools(common: EvaluateSettings) -> AbstractContextManager[EvaluationTools]:
    return evaluation_tools(
        common.checkpoint,
        trust_imports=common.trust_imports,
        device=common.device,
        data=common.data,
        test_data=common.test_data,
    )


def _next_words(task: Task, typed: Any) -> Iterator[tuple[str, str]]:
    """What else an evaluation can tell, and the words for it; of the flags that the task has, those not typed."""
    yield "all measures", "--all"
    yield "for programs", "--json"
    flags, defaults = flatten(typed), flatten(task.evaluate.options())
    for name, what, words in task.evaluate.suggested:
        if name in flags and flags[name] == defaults[name]:
            yield what, words


def show_headlines(result: Result, lines: list[Headline], caveats: Sequence[str] = ()) -> None:
    """Print what a person reads first: a line for each number, with what is better and what to compare it with.

    Args:
        result: of an evaluation.
        lines: its numbers that matter most.
        caveats: what they can't tell.
    """
    # What is measured in place of the run's own generator is of no step of it.
    named = f"{result['run']}, step {result['step']}" if "step" in result else f"{result['policy']} on {result['run']}"
    _say(named)
    say_headlines(lines, _say)
    for control in result.get("controls", []):
        _say(f"  gain over {control['run']}: {control['gain_nats_per_token']:.3f} nats per token {arrows()['higher']}")
    say_what_arrows_mean(_say)
    for caveat in caveats:
        _say(caveat)


def show(result: Result, lines: list[str], *, as_json: bool) -> None:
    """Print all: for people a line for each number of a run and of its controls, then the task's lines."""
    if as_json:
        print(json.dumps(result))
        return
    for entry in (result, *result.get("controls", [])):
        for name, value in entry.items():
            values = value if isinstance(value, list) else [value]
            if not any(isinstance(each, dict) for each in values):  # tables are for the task to print
                _say(f"{name:44} {' '.join(brief(each) for each in values)}")
        print()
    for line in lines:
        _say(line)


def _say(line: str) -> None:
    print(printable(line))
