"""`rlgan train ... --seeds N`: several runs, and what `rlgan evaluate` says of them as one."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rlgan.cli.evaluation_tools import evaluation_tools
from rlgan.cli.headlines import brief, say_headlines, say_what_arrows_mean
from rlgan.cli.paths import beside_python
from rlgan.errors import RunError, UsageError
from rlgan.runs.directory import RunDirectory, unused_directory
from rlgan.runs.loading import same_task, unchecked_settings
from rlgan.runs.near import seeds_in
from rlgan.runs.request import Request
from rlgan.runs.seeds import train_seeds
from rlgan.runs.side_by_side import Send
from rlgan.runs.start import new_directory
from rlgan.runs.streams import say as say_line
from rlgan.settings import differences, flatten, pasteable, resolve, updated
from rlgan.task import EvaluationTools, LoadedRun, Result, Say, Stages, Task, load_task


def train_several(request: Request, count: int, words: list[str], *, as_json: bool) -> None:
    """One run for each seed, in processes of their own, and what they came to.

    Args:
        request: what is to be trained.
        count: how many seeds.
        words: that were typed.
        as_json: print what they came to as one JSON object, and no words about it.

    Raises:
        UsageError: the directory can't hold them, or runs that are there differ from what is typed.
        RunError: runs failed.
    """
    # Late, as in the other commands.
    from rich.console import Console

    from rlgan.cli.train import trust_flag
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
    if run_settings.resume and (begun := [run for run in seeds_in(folder) if (run / "config.json").is_file()]):
        # As the runs have it, with what is left to the data: a vocabulary's size, say.
        resolved = load_task(task, recipe).settings
        for run in begun:
            _check_same(run, task, name, resolved, seeds)
    display = Terminal(Console())
    with display:
        ended = train_seeds(partial(train_seed, name), words, folder, seeds, display, resume=bool(run_settings.resume))
    if not ended:
        return
    # These runs have just been trained here: what they name was typed on this command line.
    with evaluation_tools("newest", trust_imports=True) as tools:
        measured = measure_seeds(open_seeds(seeds_in(folder), "newest", tools), tools)
    # Not within: what is printed above a table is broken into lines of the terminal's width.
    if not as_json:
        show_seeds(measured, say_line)
        for what, line in _what_next(task, folder, trust_flag(request)):
            display.say_command(what, line)
    # For programs, which read the last line.
    if as_json or not sys.stdout.isatty():
        say_line(json.dumps(measured.summary))


def _what_next(task: Task, folder: Path, trust: str) -> Iterator[tuple[str, str]]:
    path, rlgan = pasteable(folder), beside_python("rlgan")
    yield "to see the runs", f"{beside_python('tensorboard')} --logdir {path}"
    yield f"{task.item} of the best seed", f"{rlgan} sample {path} --checkpoint best{trust}"
    yield "the best checkpoints as one", f"{rlgan} evaluate {path} --checkpoint best{trust}"


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


@dataclass(frozen=True)
class MeasuredSeeds:
    """What was found of several seeds."""

    folder: Path
    task: Task
    selection_metric: str  # by which the best checkpoint of each was chosen
    results: list[Result]  # of each seed
    summary: Result  # of all, by the names of their measures


def open_seeds(runs: Sequence[Path], which: str, tools: EvaluationTools) -> list[LoadedRun]:
    """Open the runs of several seeds: one that differs is told in seconds, and not after the others were measured.

    Raises:
        RunError: they are not runs of one recipe.
    """
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
    return opened


def measure_seeds(opened: Sequence[LoadedRun], tools: EvaluationTools) -> MeasuredSeeds:
    """Measure the runs of several seeds, as in training, and put them together."""
    first, results, metric = opened[0], list[Result](), ""
    stages = Stages(tools.status, len(opened))
    for one in opened:
        task = tools.prepare(one)
        metric = task.facts.selection_metric
        stages.begin(f"measuring {one.path}", 1)
        results.append(tools.measure(one, task))
    summary: Result = resolve(first.task.seeds, {})(results)
    return MeasuredSeeds(Path(first.path).parent, first.task, metric, results, summary)


def best_seed(runs: Sequence[Path], say: Say) -> Path:
    """Of the runs of several seeds, the one whose best checkpoint has the least score on validation data.

    Args:
        runs: of the seeds.
        say: is told which one that is.
    """
    scores = {run: RunDirectory(run).checkpoints.best_score() for run in runs}
    best = min(scores, key=scores.__getitem__)
    reason = "" if math.isinf(scores[best]) else f" has the best score of them, {scores[best]:.4g}, and"
    say(f"{best.parent} holds {len(runs)} seeds: {best.name}{reason} is taken; to have another, give its directory")
    return best


def show_seeds(measured: MeasuredSeeds, say: Say) -> None:
    """Tell a person each number's median, least and greatest, and the best checkpoint of each seed."""
    results, headlines = measured.results, resolve(measured.task.headlines, {})
    by_seed = [{line.label: line.value for line in headlines(result)} for result in results]
    steps = sorted({result["step"] for result in results})
    at = f"step {steps[0]}" if len(steps) == 1 else f"steps {steps[0]} to {steps[-1]}"
    names = ", ".join(Path(result["run"]).name.removeprefix("seed-") for result in results)
    say(f"{measured.folder}, {len(results)} seeds ({names}), {at}")
    lines = [line for line in headlines(measured.summary) if all(line.label in one for one in by_seed)]
    ranges = {
        line.label: f"{brief(min(one[line.label] for one in by_seed))} to "
        f"{brief(max(one[line.label] for one in by_seed))}"
        for line in lines
    }
    say_headlines(lines, say, ranges)
    say_what_arrows_mean(say)
    say(f"best checkpoints, by {measured.selection_metric.replace('_', ' ')}:")
    for result in results:
        checkpoints = RunDirectory(result["run"]).checkpoints
        step, score = checkpoints.best(), brief(checkpoints.best_score())
        say(f"  {result['run']}: {'none is measured' if step is None else f'step {step}, {score}'}")


def _check_same(run: Path, task: Task, name: str, recipe: Any, seeds: range) -> None:
    """Check that one of several runs is one of those asked for: what is not typed again has the preset's value."""
    saved, where = RunDirectory(run).config(), f"{run}/config.json"
    same_task(saved, name, where)
    before = unchecked_settings(saved, task, where)
    found = differences(updated(before, {"seed": recipe.seed}), recipe, task.places)
    if before.seed not in seeds:
        found.append(f"its seed, {before.seed}, is not from {seeds.start} to {seeds.stop - 1}")
    if found:
        raise UsageError(
            f"--seeds with --resume goes on with what is typed, and {run} differs ({', '.join(found)}): type the "
            "same as before"
        )
