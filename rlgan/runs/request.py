"""What is to be trained, out of what was asked for: defaults, a preset or a saved run, and what holds over them.

The command line and the Python API ask in different ways, and both come here. Imports neither torch nor ray.
"""

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlgan.errors import DataError, UsageError
from rlgan.runs.settings import RunSettings
from rlgan.settings import (
    Choice,
    Table,
    all_settings,
    check,
    differences,
    flatten,
    foreign_names,
    is_import,
    is_import_here,
    resolve,
    updated,
)
from rlgan.task import TASKS, Bounds, Task, find_task, load_task

DEFAULT_TASK = next(iter(TASKS))
TASK_NAMES = Choice(TASKS, "task")


@dataclass(frozen=True)
class Asked:
    """What was asked for, over settings that hold where nothing was said."""

    recipe: Any
    run: RunSettings
    names: frozenset[str]  # of the settings that were asked for, also where their value is that which holds anyhow
    trust_imports: bool = False


Ask = Callable[[Any, RunSettings], Asked]
"""What was asked for, over a recipe and run settings: a function, because the settings below it depend on it."""


@dataclass(frozen=True)
class Request:
    """One run that is to be trained, with checked settings."""

    task: Task
    name: str  # of the task, as it was typed, for config.json
    recipe: Any
    run: RunSettings
    saved: dict[str, Any] | None  # the config of the run that is continued, or None


def named_task(name: str) -> Task:
    """The record of a task that was asked for.

    Raises:
        UsageError: there is none of this name.

    Example:
        >>> named_task("gaussian").item
        'samples'
        >>> named_task("gausian")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        rlgan.errors.UsageError: unknown task 'gausian': it is not a task. Did you mean gaussian? ...
    """
    if problem := TASK_NAMES.problem(name):
        raise UsageError(f"unknown task {name!r}: it {problem}")
    return find_task(name)


def default_settings(task: Task) -> tuple[Any, RunSettings]:
    """The recipe and the run settings of a task where nothing is asked.

    Example:
        >>> recipe, run = default_settings(named_task("gaussian"))
        >>> recipe.preset, recipe.optimization.optimizer, run.resume
        ('best', 'adam', False)
    """
    return task.preset(task.defaults), updated(RunSettings(), task.run_defaults)


def resolve_request(task: Task, name: str, ask: Ask) -> Request:
    """Settings: what was asked for, over those of the run that is continued, or else of the preset.

    Raises:
        UsageError: what was asked for makes no sense, or can't be changed by a resume.
        RunError: the saved run can't be read.
    """
    run = updated(RunSettings(), task.run_defaults)
    # Over what the task's record has, and not over the preset of that: a preset may decide what nobody typed.
    asked = ask(task.defaults, run)
    task.check_typed(asked.recipe, asked.names)
    saved = _saved(asked.run)
    if saved is None:
        # A preset depends on what was asked for beside it, which holds over the preset.
        check_imports(asked.recipe)
        asked = ask(task.preset(asked.recipe), run)
    else:
        asked, saved = _continued(task, name, ask, asked, saved)
    for settings in (asked.recipe, asked.run):
        check(settings)
        check_imports(settings)
    return Request(task, name, asked.recipe, asked.run, saved)


def check_imports(settings: Any) -> None:
    """Import, now, what was named as `module:object`: it fails in one line, before anything is written.

    Raises:
        UsageError: it can't be imported, or is not of the kind that the names of its table stand for.
    """
    values = flatten(settings)
    for setting in all_settings(type(settings)):
        if setting.choice is None:
            continue
        value = values[setting.name]
        for name in value if isinstance(value, tuple) else (value,):
            if isinstance(name, str) and (is_import_here if setting.choice.paths else is_import)(name):
                _check_kind(f"{setting.flag} {name}", resolve(name, {}), setting.choice.table)


def _check_kind(what: str, found: Any, table: Table) -> None:
    """Check an object against those of a table: functions and classes, or records of one type."""
    known = [resolve(name, table) for name in table]
    # What has no example here is checked by who uses it.
    if not known:
        return
    if all(map(callable, known)):
        if not callable(found):
            raise UsageError(f"{what} is not callable: it must be a function or a class, as those of the package are")
        _check_arguments(what, found, known)
        return
    (kind, *others) = {type(each) for each in known}
    # Of a table whose records have several types, there is no telling which one is due.
    if not others and not isinstance(found, kind):
        raise UsageError(f"{what} is a {type(found).__name__}: it must be a {kind.__module__}.{kind.__qualname__}")


def _check_arguments(what: str, found: Any, known: list[Any]) -> None:
    """Check that a function can be called as those of a table are, which all take as many arguments."""
    if not all(map(inspect.isfunction, [found, *known])):
        return
    (count, *others) = {
        sum(each.default is each.empty for each in inspect.signature(one).parameters.values()) for one in known
    }
    if others:
        return
    try:
        inspect.signature(found).bind(*range(count))
    except TypeError as error:
        raise UsageError(
            f"{what} can't be called with {count} arguments, as those of the package are: {error}"
        ) from error


def _saved(run: RunSettings) -> dict[str, Any] | None:
    """The config of the run that is to be continued, if it is there."""
    if not run.resume or run.run_dir is None:
        return None
    from rlgan.runs.directory import RunDirectory
    from rlgan.runs.storage import place

    # Whether a run must be there is said when its directory is looked at: of several seeds, it is not this one.
    return RunDirectory(run.run_dir).config() if (place(run.run_dir) / "config.json").is_file() else None


def _continued(
    task: Task, name: str, ask: Ask, asked: Asked, saved: dict[str, Any]
) -> tuple[Asked, dict[str, Any] | None]:
    """What was asked for, over the settings of a saved run; and its config, or None where another recipe was asked for.

    A run that has not begun, because a picture can't be used, say, takes another recipe.
    """
    from rlgan.runs.directory import RunDirectory
    from rlgan.runs.loading import check_trust, same_task, saved_run_settings, saved_settings

    where = f"{asked.run.run_dir}/config.json"
    same_task(saved, name, where)
    # What this request names itself is trusted, what the file names is not.
    trusted = None if asked.trust_imports else [*foreign_names(asked.recipe), *foreign_names(asked.run)]
    recipe, before = saved_settings(saved, task, where, trusted), saved_run_settings(saved, where)
    if trusted is not None:
        check_trust(before, where, trusted)
    # What was asked of that part of the run alone is not taken over; a new bound takes the place of all old ones.
    asked = ask(recipe, dataclasses.replace(before, run_dir=None, resume=False, bounds=Bounds()))
    if asked.run.bounds == Bounds():
        asked = dataclasses.replace(asked, run=dataclasses.replace(asked.run, bounds=before.bounds))
    changes = differences(recipe, asked.recipe, ignored=task.places)
    if not changes or not RunDirectory(str(asked.run.run_dir)).has_begun():
        return asked, None if changes else saved
    asked = dataclasses.replace(asked, recipe=_as_found(task, asked.recipe))
    if changes := differences(recipe, asked.recipe, ignored=task.places):
        raise UsageError(f"--resume can't change {', '.join(changes)}: leave it as it was, or start another run")
    return asked, saved


def _as_found(task: Task, recipe: Any) -> Any:
    """A recipe as a run of it saves it: the data may decide what was typed, as drawn faces take no crop."""
    check(recipe)
    check_imports(recipe)
    try:
        return load_task(task, recipe).settings
    except DataError:
        return recipe  # whatever is wrong with the data: a run whose recipe is the same says it
