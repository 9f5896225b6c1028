"""`rlgan train [TASK] ...`: settings out of what was typed, and what a person is told at the end."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from rlgan.cli.parsing import command, parse
from rlgan.cli.paths import beside_python
from rlgan.runs.request import DEFAULT_TASK, Asked, Request, default_settings, named_task, resolve_request
from rlgan.runs.settings import RunSettings
from rlgan.settings import AtLeast, check, pasteable
from rlgan.task import Task


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
    # Taken off the list: the runs of several seeds are started with the words that are left.
    name = words.pop(0) if words and not words[0].startswith("-") else DEFAULT_TASK
    request, settings = requested(name, words)
    if settings.seeds > 1:
        from rlgan.cli.seeds import train_several

        train_several(request, settings.seeds, words)
        return
    train_one(request)


def requested(name: str, words: list[str]) -> tuple[Request, CommandSettings]:
    """What was typed: a run to train, and what concerns this command alone.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: the run that is to be continued can't be read.
    """
    task = named_task(name)
    program = "rlgan train" if name == DEFAULT_TASK else f"rlgan train {name}"
    recipe, run = default_settings(task)
    parts = {"recipe": recipe, "run": run, "command": CommandSettings()}
    kind = command("Train", task.summary, {part: (type(value), value) for part, value in parts.items()})
    typed: list[CommandSettings] = []

    # Parsed more than once: what the flags leave out depends on the preset, or on the run that is continued, which
    # the flags themselves name.
    def ask(recipe: Any, run: RunSettings) -> Asked:
        said = parse(kind, words, program, kind(recipe, run, CommandSettings()))
        typed.append(said.command)
        return Asked(said.recipe, said.run, said.command.trust_imports)

    request = resolve_request(task, name, ask)
    # The recipe and the run are checked by now; what concerns this command alone is not.
    check(typed[-1])
    return request, typed[-1]


def train_one(request: Request) -> None:
    """Train one run, and show it on the terminal."""
    # Late, as in the other commands: they bring torch, which --help and an error in a flag need not wait for.
    from rich.console import Console

    from rlgan.runs.observers import Observers
    from rlgan.runs.start import train_run
    from rlgan.runs.terminal import Terminal

    last_lines = partial(what_next, request.task, request.name)
    train_run(request, Observers(Terminal(Console()), last_lines=last_lines))


def what_next(task: Task, name: str, address: str, stopped: str | None) -> list[str]:
    """What can be typed next, when a run has ended.

    Args:
        task: of the run.
        name: of the task, as it was typed.
        address: of the run's directory.
        stopped: the signal that stopped the run, or None.
    """
    path = pasteable(address)
    lines = []
    if stopped:
        again = "" if name == DEFAULT_TASK else f"{name} "
        lines.append(f"stopped by {stopped} and saved; to go on: rlgan train {again}--run-dir {path} --resume")
    lines.append(f"the run lies in {address}; to see it: {beside_python('tensorboard')} --logdir {path}")
    lines.append(f"{task.item}: {beside_python('rlgan')} sample {path}")
    return lines
