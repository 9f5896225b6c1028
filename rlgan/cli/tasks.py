"""Which task a run is of, before its options are read."""

import json
import os
import re
from collections.abc import Container, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from rlgan.cli.parsing import command
from rlgan.errors import UsageError
from rlgan.settings import all_settings, flatten
from rlgan.task import TASKS, Task, find_task


def task_of_run(words: list[str]) -> list[Task]:
    """The tasks whose options may stand among the words: all of the package.

    Or the task from outside that a run's config names, where that is seen, and --trust-imports is among the words.
    """
    # From the bare words, which can be parsed only when it is known whose flags are among them.
    for word in words:
        if word.startswith("-"):
            continue
        try:
            name = json.loads((Path(os.path.expanduser(word)) / "config.json").read_bytes()).get("task")
        except OSError:  # no run; a prompt may be longer than a name of a file may be
            continue
        except (ValueError, AttributeError):  # damaged: said when the run is opened
            break
        if ":" in str(name) and "--trust-imports" in words:
            return [find_task(name)]
    return [find_task(name) for name in TASKS]


def kind_of_operation(operation: str, common: type[Any], tasks: Sequence[Task]) -> type[Any]:
    """A dataclass of all that a command of runs takes.

    Args:
        operation: `evaluate` or `sample`.
        common: what it takes whatever the run's task is.
        tasks: that the run may be of.

    Example:
        >>> from rlgan.task import NoOptions
        >>> kind = kind_of_operation("sample", NoOptions, [find_task("image")])
        >>> [setting.flag for setting in all_settings(kind)]  # what pictures add
        ['--out', '--force']
    """
    parts: dict[str, tuple[Any, Any]] = {"common": (common, MISSING)}
    parts |= {_part(task): (kind := getattr(task, operation).options, kind()) for task in tasks}
    return command(operation.title(), "", parts)


def options_for(task: Task, options: Any, operation: str) -> Any:
    """A task's own options, as they were parsed.

    Args:
        task: of the run.
        options: of a class of `kind_of_operation`.
        operation: `evaluate` or `sample`.
    """
    # A task from outside has no options here where its run lies in a store, whose config is not read before the words.
    return getattr(options, _part(task), None) or getattr(task, operation).options()


def _part(task: Task) -> str:
    """The name of a task's options among all: a task from outside may be called `common`, or `my-task`."""
    return "of_" + re.sub(r"\W", "_", task.name)


def refuse_options_of_others(
    options: Any, tasks: list[Task], own: Task | None, run: str, operation: str, *, but: Container[str] = ()
) -> None:
    """Refuse options of other tasks than the run's.

    Args:
        options: by task, as they were parsed.
        tasks: whose options they are.
        own: the task of the run; None where it is several runs, which take no options of a task.
        run: what was typed.
        operation: `evaluate` or `sample`.
        but: names of options that may stand there nevertheless.

    Raises:
        UsageError: one was typed.
    """
    for task in tasks:
        kind = getattr(task, operation).options
        if own is not None and task.name == own.name:
            continue
        given, defaults = flatten(getattr(options, _part(task))), flatten(kind())
        for setting in all_settings(kind):
            # Parsed options do not tell what was typed: a flag with the value of its
            # default is not noticed, and changes nothing.
            if given[setting.name] != defaults[setting.name] and setting.name not in but:
                what = "several runs" if own is None else f"a run of {own.name}"
                raise UsageError(f"{setting.flag} is for {task.name}, and {run} is {what}: leave it out")
