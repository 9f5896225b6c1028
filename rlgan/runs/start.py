"""Trains one run: its data, its engine, its directory, and the training loop, from the start to the end."""

import contextlib
import datetime
import os
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rlgan import __version__
from rlgan.engine.default_workers import default_workers
from rlgan.engine.processes import usable_cpus
from rlgan.engine.ray_address import on_cluster
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError, UsageError
from rlgan.runs.directory import RunDirectory, check_saved, unused_directory
from rlgan.runs.loading import recipe_ids
from rlgan.runs.observers import Display, Observers
from rlgan.runs.progress import PREPARING, counted
from rlgan.runs.request import Request
from rlgan.runs.settings import RunSettings
from rlgan.runs.training import train
from rlgan.settings import flatten
from rlgan.task import Bounds, LoadedTask, Say, Task, load_task


def train_run(request: Request, observers: Observers) -> str:
    """Train one run, to its end or until it is stopped.

    Args:
        request: what is to be trained.
        observers: who watches.

    Returns:
        The address of the run's directory.

    Raises:
        UsageError: the settings do not fit where the run is started.
        RunError: it can't be done here and now.
    """
    _check_directory(request.run)
    display = observers.display
    with display:
        directory, stopped = _trained(request, observers)
    for what, command in observers.next_commands(str(directory.path), stopped):
        display.say_command(what, command)
    directory.close()
    return str(directory.path)


def _trained(request: Request, observers: Observers) -> tuple[RunDirectory, str | None]:
    """Train one run; gives its directory, which is not closed yet, and what stopped it, or None."""
    task, run, display = request.task, request.run, observers.display
    display.status("reading the data")
    loaded = load_task(task, request.recipe)
    recipe_id, *former = recipe_ids(loaded.facts)
    if request.saved is not None and request.saved["recipe_id"] in former:
        recipe_id = request.saved["recipe_id"]
    # Told before Ray is started, which takes seconds.
    if request.saved is not None and request.saved["recipe_id"] != recipe_id:
        raise RunError(
            f"{loaded.facts.data} is not the data that {run.run_dir} was trained on: give the same with --data"
        )
    run = replace(run, bounds=_bounds(task, request.recipe, run.bounds))
    # Before the directory is claimed: where no engine can be had, nothing is left behind.
    display.status("starting the processes")
    engine = make_engine(loaded, run, display.say)
    directory = RunDirectory(run.run_dir) if run.run_dir else None
    try:
        directory = directory or RunDirectory(unused_directory(new_directory(task, request.recipe)))
        directory.claim(display.say)
        # Another run may have begun here since it was looked at, and even have ended.
        directory.check(resume=run.resume)
        check_saved(directory, request.saved)
        config = _config(request.name, loaded, run, recipe_id, engine.kinds)
        stopped = _train_with(engine, replace(request, run=run), loaded, directory, config, observers)
    except BaseException:
        engine.close()
        with contextlib.suppress(RunError, OSError):  # they would hide why the run ends
            if directory is not None:
                directory.close()
        raise
    engine.close()
    return directory, stopped


def _bounds(task: Task, recipe: Any, asked: Bounds) -> Bounds:
    """Where a run ends, by what was asked for."""
    if asked == Bounds():
        return task.bounds(recipe)
    # An iteration beyond those that a recipe was chosen for makes nothing better: who gives it more minutes than it
    # needs does not ask for that, as one does with --steps.
    only_minutes = asked == Bounds(minutes=asked.minutes)
    return replace(task.bounds(recipe), minutes=asked.minutes) if task.has_length and only_minutes else asked


def new_directory(task: Task, recipe: Any) -> Path:
    """Where a run goes for which nothing is said."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = "-".join(filter(None, (task.name, task.title(recipe), now)))
    return Path("runs") / name


def make_engine(loaded: LoadedTask, run: RunSettings, say: Say) -> Any:
    """The engine that computes.

    Raises:
        UsageError: the learners can't share a batch.
        RunError: Ray can't be started or joined, or has too little.
    """
    if run.engine.workers is not None:
        return _engine(loaded, run.engine, say)
    settings, facts = run.engine, loaded.facts
    workers, reason = default_workers(
        settings, facts.shards, facts.lag, cpus=usable_cpus(), on_cluster=on_cluster(), on_gpu=_on_gpu(settings)
    )
    engine = _engine(loaded, replace(settings, workers=workers), say)
    engine.where += f"; by default --workers {workers}: {reason}"
    return engine


def _engine(loaded: LoadedTask, settings: EngineSettings, say: Say) -> Any:
    facts = loaded.facts
    if settings.workers == 0:
        # Imported here, as the engine on Ray is below: a run without workers needs no Ray, which takes long to import.
        from rlgan.engine.local import LocalEngine

        return LocalEngine(loaded, settings)
    if facts.max_learners % settings.learners:
        raise UsageError(
            f"--learners {settings.learners}: a batch of this recipe can be cut into {facts.max_learners} equal parts, "
            "so give a divisor of that, or change --batch-size, --shards or --minibatch-group-size"
        )
    if not facts.shards:
        say("no step of this task has rollouts: once the data is prepared, the workers will be idle")
    elif (fewest := settings.fleet(facts.shards)[0]) > facts.shards:
        say(
            f"{fewest} workers and {facts.shards} shards: {fewest - facts.shards} will be "
            "idle; --shards belongs to the recipe and limits how many are useful"
        )
    say("starting Ray ...")
    from rlgan.engine.ray_engine import RayEngine

    return RayEngine(loaded, settings, say)


def _on_gpu(settings: EngineSettings) -> bool:
    """Whether one process would compute on a GPU."""
    import torch  # late, as with all that not every command needs

    device = settings.device_of_one_process
    return device != "cpu" and (device != "auto" or torch.cuda.is_available())


def _check_directory(run: RunSettings) -> None:
    directory = RunDirectory(run.run_dir or "runs")
    relative = isinstance(directory.path, Path) and not directory.path.is_absolute()
    # Ray sets this variable for the driver of a job, whose current directory is a copy.
    if relative and "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        raise UsageError(
            f"--run-dir {directory.path} is relative: a job's directory goes when it ends, so give an absolute path"
        )
    if run.run_dir:
        directory.check(resume=run.resume)


def _config(name: str, loaded: LoadedTask, run: RunSettings, recipe_id: str, kinds: dict[str, str]) -> dict[str, Any]:
    """What config.json holds."""
    versions = {"rlgan": __version__, "python": sys.version.split()[0]}
    for package in ("torch", "numpy", "ray", "gymnasium", "pillow"):
        with contextlib.suppress(PackageNotFoundError):  # without workers a run needs no Ray
            versions[package] = version(package)
    return {
        "task": name,
        "recipe": flatten(loaded.settings),
        "run": flatten(run),
        "recipe_id": recipe_id,
        "data": dict(loaded.facts.account),
        "versions": versions,
        "kinds": kinds,
    }


def _train_with(
    engine: Any,
    request: Request,
    loaded: LoadedTask,
    directory: RunDirectory,
    config: dict[str, Any],
    observers: Observers,
) -> str | None:
    """Write what the run is, and train. Gives what stopped it, or None."""
    display, recipe_id = observers.display, config["recipe_id"]
    # Before training: a run that is killed in its first step can still be resumed.
    directory.save_config(config, loaded.facts.vocabulary)
    display.log_to(directory.log_file)
    first, *others = loaded.facts.about
    for line in (f"rlgan {__version__}: {first}", *others, f"where: {engine.where}", f"run: {directory.path}"):
        display.say(line)
    start = None
    if request.run.resume:
        start = directory.checkpoints.set_aside_broken(display.say, recipe_id)
        display.say(
            f"going on from step {start.step}"
            if start
            else "There is no whole checkpoint yet: the run begins at step 0"
        )
        if start:
            _say_if_moved(display, engine.kinds, (request.saved or {}).get("kinds", engine.kinds))
            if loaded.facts.cache_dir is not None:
                _say_if_decoded_otherwise(display, (request.saved or {}).get("versions", {}).get("pillow"))
    display.status(PREPARING)
    loaded.prepare(counted(engine.map, partial(display.status, PREPARING)), display.say)
    labels = request.task.labels(loaded.settings)
    return train(loaded, labels, request.run, directory, start, recipe_id, engine, observers)


def _say_if_moved(display: Display, kinds: dict[str, str], before: dict[str, str]) -> None:
    moved = [
        f"{what} now on {kind}, before on {before.get(what)}"
        for what, kind in kinds.items()
        if kind != before.get(what)
    ]
    if moved:
        display.say(f"another kind of machine ({'; '.join(moved)}): the result is not bit-identical")


def _say_if_decoded_otherwise(display: Display, before: str | None) -> None:
    now = version("pillow")
    if before not in (None, now):
        display.say(f"Pillow {now}, before {before}: pictures that are decoded anew may have other bits")
