"""`rlgan train [TASK] ...`: settings out of what was typed, an engine, and the training loop."""

import contextlib
import dataclasses
import datetime
import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rlgan import __version__
from rlgan.cli.parsing import command, parse
from rlgan.cli.paths import beside_python
from rlgan.errors import RunError, UsageError
from rlgan.runs.settings import RunSettings
from rlgan.settings import (
    AtLeast,
    Choice,
    all_settings,
    check,
    differences,
    flatten,
    foreign_names,
    is_import,
    pasteable,
    resolve,
    updated,
)
from rlgan.task import TASKS, Bounds, LoadedTask, Task, find_task, load_task

if TYPE_CHECKING:
    from rlgan.runs.directory import RunDirectory
    from rlgan.runs.terminal import Terminal

DEFAULT_TASK = next(iter(TASKS))


@dataclass(frozen=True)
class CommandSettings:
    """What concerns this command alone and is not kept with the run."""

    seeds: Annotated[int, AtLeast(1)] = 1
    """How many runs: of --seed and the seeds that follow it, in RUN/seed-<n>/; as many at a time as there are cores."""
    trust_imports: bool = False
    """With --resume: import code from outside of rlgan that the run's config.json names."""


def train(words: list[str]) -> None:
    """Train a task.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: it can't be done here and now.
    """
    name = words.pop(0) if words and not words[0].startswith("-") else DEFAULT_TASK
    task = named_task(name)
    asked, saved = resolve_settings(task, name, words)
    if asked.command.seeds > 1:
        from rlgan.cli.seeds import train_several

        train_several(task, name, asked, words)
        return
    train_one(task, name, asked.recipe, asked.run, saved)


def named_task(name: str) -> Task:
    """The record of a task that was typed.

    Raises:
        UsageError: there is none of this name.
    """
    if problem := Choice(TASKS, "task").problem(name):
        raise UsageError(f"unknown task {name!r}: it {problem}")
    return find_task(name)


def resolve_settings(task: Task, name: str, words: list[str]) -> tuple[Any, dict[str, Any] | None]:
    """Settings: what was typed, over those of the run that is continued, or else of the preset.

    Returns:
        An object with `recipe`, `run` (RunSettings) and `command` (CommandSettings); and the saved config of the run
        that is continued, or None.

    Raises:
        UsageError: what was typed makes no sense, or can't be changed by a resume.
        RunError: the saved run can't be read.
    """
    program = "rlgan train" if name == DEFAULT_TASK else f"rlgan train {name}"
    run_defaults = updated(RunSettings(), task.run_defaults)
    first = task.preset(task.defaults)
    parts = {"recipe": first, "run": run_defaults, "command": CommandSettings()}
    kind = command("Train", task.summary, {part: (type(value), value) for part, value in parts.items()})
    asked = parse(kind, words, program)
    saved = _saved(asked.run)
    if saved is None:
        # A preset depends on what was typed beside it; what was typed holds over the preset.
        check_choices(asked.recipe)
        asked = parse(kind, words, program, kind(task.preset(asked.recipe), run_defaults, CommandSettings()))
    else:
        asked, saved = _continued(kind, asked, saved, task, name, words, program)
    check(asked)
    return asked, saved


def check_choices(recipe: Any) -> None:
    """Import, now, what was typed as `module:object`: it fails in one line, before anything is written.

    Raises:
        UsageError: it can't be imported.
    """
    values = flatten(recipe)
    for setting in all_settings(type(recipe)):
        names = values[setting.name] if isinstance(values[setting.name], tuple) else (values[setting.name],)
        for name in names if setting.choice is not None else ():
            named = isinstance(name, str) and is_import(name) and not Path(name).exists()
            if named and not callable(resolve(name, {})):
                raise UsageError(f"{setting.flag} {name} is not callable: it must be what the name stands for")


def _saved(run: RunSettings) -> dict[str, Any] | None:
    """The config of the run that is to be continued, if it is there."""
    if not run.resume or run.run_dir is None:
        return None
    from rlgan.runs.directory import RunDirectory
    from rlgan.runs.storage import place

    return RunDirectory(run.run_dir).config() if (place(run.run_dir) / "config.json").is_file() else None


def _continued(
    kind: Any, asked: Any, saved: dict[str, Any], task: Task, name: str, words: list[str], program: str
) -> tuple[Any, dict[str, Any] | None]:
    """What was typed, over the settings of a saved run; and its config, or None where another recipe was typed.

    A run that has not begun, because a picture can't be used, say, takes another recipe.
    """
    from rlgan.runs.directory import RunDirectory
    from rlgan.runs.loading import same_task, saved_run_settings, saved_settings

    where = f"{asked.run.run_dir}/config.json"
    same_task(saved, name, where)
    # What this command line names itself is trusted, what the file names is not.
    trust = asked.command.trust_imports or not set(_outside(saved, task, where)) - set(foreign_names(asked.recipe))
    recipe = saved_settings(saved, task, where, trust_imports=trust)
    before = saved_run_settings(saved, where)
    # What was asked of that part of the run alone is not taken over; a new bound takes the place of all old ones.
    anew = dataclasses.replace(before, run_dir=None, resume=False, bounds=Bounds())
    asked = parse(kind, words, program, kind(recipe, anew, CommandSettings()))
    if asked.run.bounds == Bounds():
        run = dataclasses.replace(asked.run, bounds=before.bounds)
        asked = dataclasses.replace(asked, run=run)
    changes = differences(recipe, asked.recipe, ignored=task.places)
    if changes and RunDirectory(asked.run.run_dir).has_begun():
        raise UsageError(f"--resume can't change {', '.join(changes)}: leave it as it was, or start another run")
    return asked, None if changes else saved


def _outside(saved: dict[str, Any], task: Task, where: str) -> list[str]:
    from rlgan.runs.loading import saved_settings

    return foreign_names(saved_settings(saved, task, where, trust_imports=True))


def train_one(task: Task, name: str, recipe: Any, run: RunSettings, saved: dict[str, Any] | None) -> None:
    """Train one run.

    Args:
        task: the record.
        name: as it was typed, for config.json.
        recipe: the settings of the task.
        run: how it is run.
        saved: the config of the run that is continued, or None.
    """
    from rich.console import Console

    from rlgan.runs.directory import RunDirectory, unused_directory
    from rlgan.runs.files import fingerprint
    from rlgan.runs.terminal import Terminal

    check_directory(run)
    loaded = load_task(task, recipe)
    recipe_id = fingerprint(*loaded.facts.identity)
    if saved is not None and saved["recipe_id"] != recipe_id:
        raise RunError(
            f"{loaded.facts.data} is not the data that {run.run_dir} was trained on: give the same with --data"
        )
    if run.bounds == Bounds():
        run = dataclasses.replace(run, bounds=task.bounds(recipe))
    terminal = Terminal(Console())
    engine = make_engine(loaded, run, terminal)
    directory = RunDirectory(run.run_dir) if run.run_dir else None
    try:
        # Only here, when all that can be refused has been: nothing is left behind then.
        directory = directory or RunDirectory(unused_directory(new_directory(task, recipe)))
        directory.claim(terminal.say)
        # Another run may have begun here since it was looked at, and even have ended.
        directory.check(resume=run.resume)
        directory.check_saved(saved)
        config = _config(name, loaded, run, recipe_id, engine.kinds)
        stopped = _train_with(engine, task, loaded, run, directory, config, saved, terminal)
    except BaseException:
        engine.close()
        with contextlib.suppress(RunError, OSError):  # they would hide why the run ends
            if directory is not None:
                directory.close()
        raise
    engine.close()
    _say_what_next(terminal, task, name, directory, stopped)
    directory.close()


def check_directory(run: RunSettings) -> None:
    """Check that a run may be written where it was typed.

    Raises:
        UsageError: it is relative, in a job, whose directory goes when it ends.
        RunError: it holds something else.
    """
    from rlgan.runs.directory import RunDirectory

    in_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    directory = RunDirectory(run.run_dir or "runs")
    if in_job and isinstance(directory.path, Path) and not directory.path.is_absolute():
        raise UsageError(
            f"--run-dir {directory.path} is relative: a job's directory goes when it ends, so give an absolute path"
        )
    if run.run_dir:
        directory.check(resume=run.resume)


def _config(name: str, loaded: LoadedTask, run: RunSettings, recipe_id: str, kinds: dict[str, str]) -> dict[str, Any]:
    """What config.json holds."""
    packages = ("torch", "numpy", "ray", "gymnasium")
    versions = {"rlgan": __version__, "python": sys.version.split()[0]}
    return {
        "task": name,
        "recipe": flatten(loaded.settings),
        "run": flatten(run),
        "recipe_id": recipe_id,
        "versions": versions | {package: version(package) for package in packages},
        "kinds": kinds,
    }


def _train_with(
    engine: Any,
    task: Task,
    loaded: LoadedTask,
    run: RunSettings,
    directory: "RunDirectory",
    config: dict[str, Any],
    saved: dict[str, Any] | None,
    terminal: "Terminal",
) -> str | None:
    """Write what the run is, and train. Gives the signal that stopped it, or None."""
    directory.save_config(config, loaded.facts.vocabulary)
    terminal.log_to(directory.log_file)
    first, *others = loaded.facts.about
    for line in (f"rlgan {__version__}: {first}", *others, f"where: {engine.where}", f"run: {directory.path}"):
        terminal.say(line)
    start = None
    if run.resume:
        start = directory.checkpoints.set_aside_broken(terminal.say, config["recipe_id"])
        terminal.say(f"going on from step {start.step}" if start else "no whole checkpoint: starting afresh")
        if start:
            _say_if_moved(terminal, engine.kinds, (saved or {}).get("kinds", engine.kinds))
    loaded.prepare(engine.map, terminal.say)

    from rlgan.runs.training import train as loop

    return loop(loaded, task.labels(loaded.settings), run, directory, start, config["recipe_id"], engine, terminal)


def _say_if_moved(terminal: "Terminal", kinds: dict[str, str], before: dict[str, str]) -> None:
    moved = [
        f"{what} now on {kind}, before on {before.get(what)}"
        for what, kind in kinds.items()
        if kind != before.get(what)
    ]
    if moved:
        terminal.say(f"another kind of machine ({'; '.join(moved)}): the result is not bit-identical")


def make_engine(loaded: LoadedTask, run: RunSettings, terminal: "Terminal") -> Any:
    """The engine that computes.

    Raises:
        UsageError: the learners can't share a batch.
        RunError: Ray can't be started or joined, or has too little.
    """
    facts, settings = loaded.facts, run.engine
    if settings.workers == 0:
        from rlgan.engine.local import LocalEngine

        return LocalEngine(loaded, settings)
    if facts.max_learners % settings.learners:
        raise UsageError(
            f"--learners {settings.learners}: a batch of this recipe can be cut into {facts.max_learners} equal parts, "
            "so give a divisor of that, or change --batch-size, --shards or --minibatch-group-size"
        )
    if not facts.shards:
        terminal.say("no step of this task has rollouts: once the data is prepared, the workers will be idle")
    elif (fewest := settings.fleet(facts.shards)[0]) > facts.shards:
        terminal.say(
            f"{fewest} workers and {facts.shards} shards: {fewest - facts.shards} will be "
            "idle; --shards belongs to the recipe and limits how many are useful"
        )
    terminal.say("starting Ray ...")
    from rlgan.engine.ray_engine import RayEngine

    return RayEngine(loaded, settings, terminal.say)


def new_directory(task: Task, recipe: Any) -> Path:
    """Where a run goes for which nothing is said."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = "-".join(filter(None, (task.name, task.title(recipe), now)))
    return Path("runs") / name


def _say_what_next(terminal: "Terminal", task: Task, name: str, directory: "RunDirectory", stopped: str | None) -> None:
    path = pasteable(directory.path)
    if stopped:
        again = "" if name == DEFAULT_TASK else f"{name} "
        terminal.say(f"stopped by {stopped} and saved; to go on: rlgan train {again}--run-dir {path} --resume")
    terminal.say(f"the run lies in {directory.path}; to see it: {beside_python('tensorboard')} --logdir {path}")
    terminal.say(f"{task.item}: {beside_python('rlgan')} sample {path}")
