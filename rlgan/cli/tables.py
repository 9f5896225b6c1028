"""`rlgan reproduce TABLE ...`: runs of several recipes, trained side by side, and the table of what they came to."""

import contextlib
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from rlgan.cli.help import Page
from rlgan.cli.parsing import command, parse
from rlgan.cli.train import kind_of_training, requested
from rlgan.cli.typed import typed_names
from rlgan.engine.processes import usable_cpus
from rlgan.errors import RunError, UsageError
from rlgan.runs.files import fingerprint
from rlgan.runs.request import Request
from rlgan.runs.side_by_side import Job, Send, run_side_by_side
from rlgan.runs.streams import say
from rlgan.runs.table_folder import PlannedRow, TableFolder
from rlgan.settings import (
    AtLeast,
    Device,
    FigureFormat,
    Metavar,
    TypedPath,
    check,
    differences,
    flatten,
    foreign_names,
    resolve,
)
from rlgan.table import Files, Table, TablePlan, TableRow, Words
from rlgan.task import TASKS, Task, find_task

STOPPED = 143  # the exit code of a process whose run was stopped, as that of a shell after SIGTERM
# What a table says of each of its runs, and what to do who wants that.
OF_EACH = dict.fromkeys(("seed", "seeds"), "give it before --") | dict.fromkeys(
    ("run_dir", "resume", "json"), "leave it out"
)
LONGEST_NAME = 40  # characters that are added to a row's name, for what was asked of every run

TASK_OF = {table: find_task(name) for name in TASKS for table in find_task(name).tables}


@dataclass(frozen=True)
class TableSettings:
    """How it is trained, and where to."""

    out: Annotated[str | None, TypedPath(), Metavar("FOLDER")] = None
    """The folder of the table and of its runs; what is there already is gone on with. By default runs/<table>."""
    seeds: Annotated[int, AtLeast(1)] = 1
    """How many runs each row has: of --seed and the seeds that follow it."""
    seed: Annotated[int, AtLeast(0)] = 0
    """The first seed."""
    jobs: Annotated[int, AtLeast(1)] | None = None
    """Runs at a time, each in a process of its own, with one thread. By default as many as there are CPUs to use."""
    device: Device = "auto"
    """What the runs compute on: cpu, cuda, cuda:N, or auto: a GPU where there is one, which all runs share."""
    report_only: bool = False
    """Train nothing: make the table of what is in --out."""
    trust_imports: bool = False
    """Import code from outside of rlgan that recipes in --out name, where this command does not."""
    format: FigureFormat = "png"
    """The format of the figure; pdf: as PDF too, beside the PNG that the table shows."""


def make_table(name: str, words: list[str]) -> None:
    """Train what is missing of a table, and write it.

    Args:
        name: of the table.
        words: what was typed after it. What follows `--` is given to every `rlgan train`.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: runs failed, or a file can't be written.
    """
    task = TASK_OF[name]
    table = task.tables[name]
    own, extra = _split(words)
    for typed in typed_names(extra, kind_of_training(task)):
        if typed in OF_EACH:
            flag = f"--{typed.replace('_', '-')}"
            raise UsageError(f"{flag} after -- is not for every run of a table: {OF_EACH[typed]}")
    parts = {"table": (table.options, table.options()), "common": (TableSettings, TableSettings())}
    options = parse(command("MakeTable", "", parts), own, _help_page(name, table))
    common = options.common
    check(common)
    folder = TableFolder(Path(common.out or f"runs/{name}"), name)
    begun = folder.manifest() is not None  # first: what is there may be something else
    formats = ("png",) if common.format == "png" else ("png", common.format)
    facts, rows = ({}, []) if common.report_only else _planned(task, folder, options, extra)
    # What is typed is trusted; a folder from somebody else is data, not a program.
    trusted = None if common.trust_imports else [name for row, _ in rows for name in foreign_names(row.recipe)]
    report = partial(_report, task, folder, formats, trusted)
    if not common.report_only:
        if begun:
            folder.results(task, trusted)  # before anything is written there
        folder.plan(facts, tuple(planned for planned, _ in rows))
        _train(folder, _jobs(task, folder, rows, common.device), common.jobs or usable_cpus(), report)
    first, *others = report()
    if others:
        say(f"beside the table: {', '.join(others)}")
    say(first)


def _help_page(name: str, table: Table) -> Page:
    return Page(
        program=f"rlgan reproduce {name}",
        arguments="[--FLAG VALUE ...] [-- FLAGS OF RLGAN TRAIN, FOR EVERY RUN]",
        summary=table.summary,
        examples=table.examples,
    )


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The table's own flags, and those for every run."""
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def _request(task: Task, words: Words) -> Request:
    request, _ = requested(task.name, list(words))
    return request


def _planned(
    task: Task, folder: TableFolder, options: Any, extra: list[str]
) -> tuple[Mapping[str, Any], list[tuple[PlannedRow, TableRow]]]:
    """The facts of a table, and the rows that it is to have.

    Raises:
        UsageError: a recipe makes no sense.
    """
    check(options.table)
    table, common = task.tables[folder.table], options.common
    plan: TablePlan = resolve(table.plan, {})(options.table, lambda words: _request(task, [*words, *extra]).recipe)
    seeds = tuple(range(common.seed, common.seed + common.seeds))
    rows = []
    for row in plan.rows:
        own = (*row.words, "--device", common.device)
        words = (*row.defaults, *extra, *own)
        request = _request(task, words)
        # Of a flag that comes twice the last one counts: where the order matters, the row was contradicted.
        _check_same(row.name, request, _request(task, [*row.defaults, *own, *extra]))
        before = _request(task, [*row.defaults, *own]).recipe
        name = _row_name("-".join(filter(None, (row.group, row.name))), before, request.recipe)
        rows.append((PlannedRow(name, row.name, row.group, words, request.recipe, seeds), row))
    return plan.facts, rows


def _check_same(row: str, kept: Request, other: Request) -> None:
    """Check that what is for every run does not contradict a row.

    Raises:
        UsageError: it does.
    """
    for one, two in ((kept.recipe, other.recipe), (kept.run, other.run)):
        if different := differences(one, two):
            flag = different[0].partition(" ")[0]
            raise UsageError(f"{flag} after -- is for every run, and the table has its own for {row}: leave it out")


def _row_name(row: str, before: Any, after: Any) -> str:
    """The name of a row's folder: with what was asked of every run, so that other recipes go elsewhere."""
    values, other = flatten(after), flatten(before)
    changed = {name: value for name, value in values.items() if other[name] != value}
    spelled = "-".join(f"{name}-{value}" for name, value in changed.items())
    # A name that nobody reads to its end may as well be short.
    named = spelled if len(spelled) <= LONGEST_NAME else fingerprint(changed)[:8]
    return re.sub(r"[^A-Za-z0-9._]+", "-", f"{row}-{named}").strip("-")


def _report(task: Task, folder: TableFolder, formats: tuple[str, ...], trusted: list[str] | None) -> list[str]:
    """Write the files of a table, of what there is so far; gives their paths, that of the table first."""
    results = replace(folder.results(task, trusted), formats=formats)
    files: Files = resolve(task.tables[folder.table].report, {})(results)
    folder.write(files)
    return [str(folder.path / name) for name in files]


def _jobs(task: Task, folder: TableFolder, rows: list[tuple[PlannedRow, TableRow]], device: str) -> list[Job]:
    """The runs that have not ended, the first seed of every row before the second."""
    jobs = []
    for seed in sorted({seed for planned, _ in rows for seed in planned.seeds}):
        for planned, row in rows:
            status, run_dir = folder.status(planned.name, seed), folder.run_dir(planned.name, seed)
            if status["ended"] and status["failure"] is None:
                continue
            words = [*planned.words, "--seed", str(seed), "--run-dir", str(run_dir), "--resume", "auto"]
            evaluations = {name: [*said, "--device", device] for name, said in row.evaluations.items()}
            work = partial(train_and_measure, task.name, words, run_dir, evaluations)
            jobs.append(Job(f"{planned.name}, seed {seed}", work))
    return jobs


def _train(folder: TableFolder, jobs: list[Job], at_a_time: int, report: Callable[[], object]) -> None:
    """Train runs, so many at a time.

    Raises:
        RunError: runs failed.
    """
    # Late, as in the other commands.
    from rich.console import Console

    from rlgan.runs.table_progress import TableProgress
    from rlgan.runs.terminal import Terminal

    say(f"{folder.table}: {len(jobs)} runs to train in {folder.path}, at most {at_a_time} at a time")
    if not jobs:
        return
    with Terminal(Console()) as display:
        progress = TableProgress(folder, [job.name for job in jobs], at_a_time, report, display.say, display.show)
        stopped = run_side_by_side(jobs, at_a_time, progress)
    if stopped:
        say(f"The runs were stopped by {stopped} and have saved; to go on, type the same again")
    if progress.failed:
        raise RunError(
            f"{len(progress.failed)} of {len(jobs)} runs failed ({', '.join(progress.failed)}), for the reasons above; "
            "the table has all others, and to try again, type the same"
        )


def train_and_measure(
    task_name: str, words: list[str], run_dir: Path, evaluations: dict[str, list[str]], send: Send
) -> int:
    """Train a run of a table to its end, and measure it; in a process of its own.

    Args:
        task_name: of the run.
        words: of `rlgan train`.
        run_dir: of the run.
        evaluations: by name, words of `rlgan evaluate`.
        send: is given the forecast, and why the run failed.
    """
    from rlgan.cli.main import process_main
    from rlgan.runs.table_progress import Failure

    def work() -> None:
        try:
            if stopped := _train_one(task_name, words, send):
                send(Failure(f"stopped by {stopped}, and saved"))
                raise SystemExit(STOPPED)
            _evaluate(run_dir, evaluations)
        except (UsageError, RunError, OSError) as error:
            send(Failure(" ".join(str(error).split())))
            raise

    # What is said is in the run's own log; several runs at once would mix their lines here.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        return process_main(work)


def _train_one(task_name: str, words: list[str], send: Send) -> str | None:
    """Train a run, and send how long it will take; gives what stopped it, or None."""
    from rlgan.api.display import Lines
    from rlgan.runs.forecast import Forecaster
    from rlgan.runs.observers import Command, Observers
    from rlgan.runs.start import train_run

    request, _ = requested(task_name, words)
    stops: list[str | None] = []

    def note(_: str, stopped: str | None) -> list[Command]:
        stops.append(stopped)
        return []

    every = request.run.record.evaluate_every
    forecaster = Forecaster(Lines(lambda _: None, send), every or 0, send)
    train_run(
        request,
        Observers(forecaster, on_step=forecaster.on_step, on_evaluation=forecaster.on_evaluation, next_commands=note),
    )
    return stops[0]


def _evaluate(run_dir: Path, evaluations: dict[str, list[str]]) -> None:
    from rlgan.cli.evaluate import evaluate
    from rlgan.runs.files import replace

    for name, words in evaluations.items():
        file = run_dir.with_name(f"{run_dir.name}.{name}.json")
        if not file.is_file():
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
                # The run has just been trained, or gone on with, by words that name all that it may import.
                evaluate([str(run_dir), "--json", "--trust-imports", *words])
            replace(file, printed.getvalue().encode())
