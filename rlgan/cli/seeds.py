"""`rlgan train ... --seeds N`: several runs, and what `rlgan evaluate` says of them as one."""

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rlgan.cli.evaluation_tools import evaluation_tools
from rlgan.errors import RunError, UsageError
from rlgan.runs.directory import RunDirectory, unused_directory
from rlgan.runs.loading import same_task, saved_settings
from rlgan.runs.request import Request
from rlgan.runs.seeds import train_seeds
from rlgan.runs.side_by_side import Send
from rlgan.runs.start import new_directory
from rlgan.settings import differences, flatten, resolve, updated
from rlgan.task import EvaluationTools, Result, Stages, Task


def train_several(request: Request, count: int, words: list[str]) -> None:
    """One run for each seed, in processes of their own.

    Raises:
        UsageError: the directory can't hold them, or runs that are there differ from what is typed.
        RunError: runs failed.
    """
    # Late, as in the other commands.
    from rich.console import Console

    from rlgan.runs.terminal import Terminal

    task, name, recipe, run_settings = request.task, request.name, request.recipe, request.run
    if "seed" not in flatten(recipe):
        raise UsageError(f"--seeds needs a task with a setting --seed: {task.name} has none")
    # `rlgan evaluate` finds runs of several seeds by listing their folder, which it does on a disk alone.
    if "://" in (run_settings.run_dir or ""):
        raise UsageError("--seeds needs a --run-dir on this machine: give a path")
    folder = Path(run_settings.run_dir or unused_directory(new_directory(task, recipe)))
    seeds = range(recipe.seed, recipe.seed + count)
    if run_settings.resume is True and not seeds_in(folder):
        raise RunError(f"{folder} holds no runs of seeds to go on with: give --resume auto to start them there")
    for run in seeds_in(folder) if run_settings.resume else ():
        _check_same(run, task, name, recipe, seeds)
    with Terminal(Console()) as display:
        ended = train_seeds(partial(train_seed, name), words, folder, seeds, display, resume=bool(run_settings.resume))
    if ended:
        # These runs have just been trained here: what they name was typed on this command line.
        with evaluation_tools("newest", trust_imports=True) as tools:
            summary = evaluate_seeds(seeds_in(folder), "newest", tools)
        # Not within: what is printed above a table is broken into lines of the terminal's width.
        print(json.dumps(summary))


def train_seed(name: str, words: list[str], send: Send) -> int:
    """Train one of several seeds, in a process of its own.

    Args:
        name: of the task.
        words: of `rlgan train`.
        send: is given where the run stands, and why it failed.
    """
    from rlgan.api.display import Lines
    from rlgan.cli.main import process_main
    from rlgan.cli.train import observers, requested
    from rlgan.runs.start import train_run
    from rlgan.runs.table_progress import Failure

    def work() -> int:
        try:
            request, _ = requested(name, words)
            train_run(request, observers(request, Lines(lambda _: None, send)))
        except (UsageError, RunError, OSError) as error:
            # Said by the process that waits, below whose table it would not be read.
            send(Failure(" ".join(str(error).split())))
            return 1
        return 0

    return process_main(work)


def seeds_in(folder: Path) -> list[Path]:
    """The runs of several seeds in a directory, in the order of the seeds; none where it is a run itself."""
    numbered = [(entry.name.removeprefix("seed-"), entry) for entry in folder.glob("seed-*")]
    # By number: by name, seed-10 would come before seed-2.
    return [entry for _, entry in sorted((int(number), entry) for number, entry in numbered if number.isdecimal())]


def evaluate_seeds(runs: Sequence[Path], which: str, tools: EvaluationTools) -> Result:
    """Measure the runs of several seeds, as one.

    Raises:
        RunError: they are not runs of one recipe.
    """
    # All are opened before the first is measured, so that a run that differs is
    # told in seconds and not after minutes.
    opened = [tools.load_run(str(run)) for run in runs]
    first = opened[0]
    for run, one in zip(runs, opened, strict=True):
        if one.task != first.task:
            raise RunError(f"{runs[0].parent} holds runs of other tasks than {first.task.name}: part them")
        differ = differences(first.settings, updated(one.settings, {"seed": first.settings.seed}), first.task.places)
        if differ:
            raise RunError(f"{run} differs from {runs[0]} ({', '.join(differ)}): part them")
        # Said, and not refused: the best checkpoints of several seeds are of different steps anyway.
        if which == "newest" and one.step != first.step:
            steps = f"step {one.step}, {runs[0]} at step {first.step}"
            print(f"{run} is at {steps}: --resume brings them to the end", file=sys.stderr)
    found, stages = [], Stages(tools.status, len(opened))
    for one in opened:
        task = tools.prepare(one)
        stages.begin(f"measuring {one.path}", 1)
        found.append(tools.measure(one, task))
    summary: Result = resolve(first.task.seeds, {})(found)
    return summary


def _check_same(run: Path, task: Task, name: str, recipe: Any, seeds: range) -> None:
    """Check that one of several runs is one of those asked for: what is not typed again has the preset's value."""
    if not (run / "config.json").is_file():  # killed before it began
        return
    saved, where = RunDirectory(run).config(), f"{run}/config.json"
    same_task(saved, name, where)
    before = saved_settings(saved, task, where)
    found = differences(updated(before, {"seed": recipe.seed}), recipe, task.places)
    if before.seed not in seeds:
        found.append(f"its seed, {before.seed}, is not from {seeds.start} to {seeds.stop - 1}")
    if found:
        raise UsageError(
            f"--seeds with --resume goes on with what is typed, and {run} differs ({', '.join(found)}): type the "
            "same as before"
        )
