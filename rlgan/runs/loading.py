"""Opens a run that is there: its settings, and one of its checkpoints, checked byte by byte.

A run's directory may come from an untrusted source. It is data, not a program: what its config names
outside of this package is imported only where the person who opens it says so (`trust_imports`).
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from rlgan.device import prepare
from rlgan.errors import DataError, RunError, UsageError
from rlgan.runs.checkpoints import BrokenCheckpointError, Checkpoint
from rlgan.runs.directory import RunDirectory
from rlgan.runs.files import fingerprint
from rlgan.runs.progress import PREPARING, counted
from rlgan.runs.settings import RunSettings
from rlgan.settings import all_settings, check, flatten, foreign_names, is_import, read, updated
from rlgan.task import TASKS, Facts, LoadedRun, LoadedTask, Result, Say, Status, Task, find_task, load_task
from rlgan.types import Map

LOOKS = 10  # for a checkpoint, where training removes those that were found


def saved_task(saved: dict[str, Any], where: object, *, trust_imports: bool) -> Task:
    """The record of a saved run's task.

    Raises:
        RunError: there is no such task, or it would have to be imported and is not trusted.
    """
    name = saved["task"]
    if not isinstance(name, str) or (name not in TASKS and not is_import(name)):
        raise RunError(f"{where} names the task {name!r}, which this version of rlgan does not know")
    if is_import(name) and not trust_imports:
        raise RunError(f"{where} names the task {name}, code from outside of rlgan: give --trust-imports to import it")
    try:
        return find_task(name)
    except UsageError as error:
        raise RunError(f"{where}: {error}") from error


def same_task(saved: dict[str, Any], name: str, where: object) -> None:
    """Check that a saved run is one of the task that was typed.

    Raises:
        RunError: it is one of another.
    """
    if saved["task"] != name:
        raise RunError(
            f"{where}: the run is one of {saved['task']}, not of {name}: give its task, or another --run-dir"
        )


def saved_settings(saved: Mapping[str, Any], task: Task, where: object, trusted: Collection[str] | None) -> Any:
    """The recipe of a saved run.

    Args:
        saved: has it as its "recipe".
        task: that it is of.
        where: the file, for errors.
        trusted: what of code from outside it may name, as `foreign_names` has it; None: anything.

    Raises:
        RunError: it does not fit the task's settings, or is not trusted.
    """
    settings = unchecked_settings(saved, task, where)
    # Before the check, which may ask a method what it is, and so import it.
    if trusted is not None:
        check_trust(settings, where, trusted)
    with _reading(where):
        check(settings)
    return settings


def unchecked_settings(saved: Mapping[str, Any], task: Task, where: object) -> Any:
    """The recipe of a saved run, to be compared with another one: nothing of it is imported.

    Raises:
        RunError: it does not have the task's settings.
    """
    with _reading(where):
        settings, defaults = read(task.defaults, saved["recipe"]), flatten(task.defaults)
        # Who gives away a run does not say where others write.
        written = (setting.name for setting in all_settings(type(settings)) if setting.is_written)
        return updated(settings, {name: defaults[name] for name in written})


@contextmanager
def _reading(where: object) -> Iterator[None]:
    try:
        yield
    except (TypeError, AttributeError, UsageError) as error:
        raise RunError(f"{where} can't be read by this version of rlgan: {error}") from None


def check_trust(settings: Any, where: object, trusted: Collection[str] = ()) -> None:
    """Check that settings out of a file name no code from outside of the package.

    Args:
        settings: a recipe, or how it is run.
        where: the file, for the error.
        trusted: what may be named all the same, as `foreign_names` has it.

    Raises:
        RunError: they do.
    """
    if outside := [name for name in foreign_names(settings) if name not in trusted]:
        raise RunError(
            f"{where} names code from outside of rlgan ({', '.join(outside)}): give --trust-imports to import it"
        )


def saved_run_settings(saved: dict[str, Any], where: object) -> RunSettings:
    """How a saved run was run; what its version did not know has its default.

    Raises:
        RunError: a value makes no sense.
    """
    with _reading(where):
        # Unlike a recipe, this may lack settings or have unknown ones: it does not say what the result is.
        known = {setting.name for setting in all_settings(RunSettings)}
        # JSON has no tuples, and settings have no lists.
        values = {name: tuple(v) if isinstance(v, list) else v for name, v in saved["run"].items() if name in known}
        settings = updated(RunSettings(), values)
        check(settings)
        return settings


def open_checkpoint(run: RunDirectory, which: str, recipe_id: str, say: Say) -> Checkpoint:
    """Load a checkpoint of a run.

    Args:
        run: the run's directory.
        which: `newest`, or `best` by the task's selection metric.
        recipe_id: that it must be of.
        say: is told of checkpoints that are passed over.

    Raises:
        RunError: none is whole.
    """
    for _ in range(LOOKS):
        # Kept until it is clear that this look counts: that a checkpoint has been
        # removed meanwhile is no news for anybody.
        steps, said = run.checkpoints.steps(), list[str]()
        found = _open(run, which, recipe_id, said.append)
        # A run that is training removes old checkpoints and makes new ones: what was listed may be gone by now.
        if not said or run.checkpoints.steps() == steps:
            break
    for line in said:
        say(line)
    if found is None:
        raise RunError(f"{run.path} has no whole checkpoint: train first, or continue with --resume")
    return found


def _open(run: RunDirectory, which: str, recipe_id: str, say: Say) -> Checkpoint | None:
    best = run.checkpoints.best() if which == "best" else None
    if best is not None:
        try:
            return run.checkpoints.load(best, recipe_id)
        except BrokenCheckpointError as error:
            say(f"{error}; taking the newest in place of the best")
    return run.checkpoints.newest(say, recipe_id)


def load_run(path: str, which: str, *, trust_imports: bool = False, device: str = "cpu") -> LoadedRun:
    """Open a run.

    Args:
        path: its directory, or its address in an object store.
        which: `newest`, or `best` by the task's selection metric.
        trust_imports: import what its config names outside of this package.
        device: where to compute with it.

    Raises:
        RunError: there is no run, none of its checkpoints is whole, or it is not trusted.
    """
    run = RunDirectory(path)
    saved = run.config()
    task = saved_task(saved, run.config_file, trust_imports=trust_imports)
    settings = saved_settings(saved, task, run.config_file, trusted=None if trust_imports else ())
    # On standard error, since --json promises one object and nothing else on standard output.
    checkpoint = open_checkpoint(run, which, saved["recipe_id"], partial(print, file=sys.stderr))
    return LoadedRun(
        str(run.path), task, settings, checkpoint.step, checkpoint.weights, checkpoint.recipe_id, run.words, device
    )


def recipe_ids(facts: Facts) -> list[str]:
    """The fingerprint of a recipe and its data, and those that earlier versions gave to the same."""
    return [fingerprint(*identity) for identity in (facts.identity, *facts.former_identities)]


def prepare_task(run: LoadedRun, map_: Map, status: Status, data: str | None = None) -> LoadedTask:
    """The task of a run with its data, prepared.

    Args:
        run: the run.
        map_: applies a function to items in several processes.
        status: shows what is done.
        data: where the data lies now; None: where it lay in training.

    Raises:
        DataError: the data can't be had.
        RunError: it is not what the run was trained on.
    """
    settings = run.settings if data is None else updated(run.settings, {"data": data})
    status("reading the data")
    # Not every task can be measured on other data.
    other = "; --test-data takes another test set" if run.task.takes_test_data else ""
    try:
        loaded = load_task(run.task, settings)
    except DataError as error:
        due = "where it has moved, give its place with --data" if data is None else f"give that with --data{other}"
        raise DataError(f"the run's own data is needed: {error}; {due}") from error
    # Before `prepare`, which may take minutes.
    if run.recipe_id not in recipe_ids(loaded.facts):
        raise RunError(
            f"{loaded.facts.data} is not the data that {run.path} was trained on: give that with --data, or put it "
            f"back{other}"
        )
    loaded.prepare(counted(map_, partial(status, PREPARING)), status)
    return loaded


def measure(run: LoadedRun, loaded: LoadedTask) -> Result:
    """What training measures, of a run's weights on its task's data, and which run it is."""
    evaluation = loaded.evaluator(prepare(run.device)).evaluate(run.weights)
    which: Result = {"run": run.path, "step": run.step} | run.task.labels(run.settings)
    return which | evaluation.metrics | evaluation.series
