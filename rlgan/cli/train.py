"""`rlgan train [TASK] ...`: settings out of what was typed, and what a person is told at the end."""

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from rlgan.cli.help import Page, asks_for_help
from rlgan.cli.parsing import command, parse
from rlgan.cli.paths import beside_python
from rlgan.cli.typed import as_typed, typed_names
from rlgan.errors import UsageError
from rlgan.runs.request import DEFAULT_TASK, TASK_NAMES, Asked, Request, default_settings, named_task, resolve_request
from rlgan.runs.settings import RunSettings
from rlgan.settings import AtLeast, all_settings, check, foreign_names, pasteable
from rlgan.task import TASKS, Task, find_task

if TYPE_CHECKING:  # it imports numpy, which --help does not wait for
    from rlgan.runs.observers import Command, Display, Observers


@dataclass(frozen=True)
class CommandSettings:
    """What concerns this command alone and is not kept with the run."""

    seeds: Annotated[int, AtLeast(1)] = 1
    """How many runs: of --seed and the seeds that follow it, in RUN/seed-<n>/; as many at a time as there are cores."""
    json: bool = False
    """With --seeds: print what the seeds came to as one JSON object, and no words about it. Where the output is no
    terminal, that object is the last line anyhow."""
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
    if name == "help":
        name, words = DEFAULT_TASK, ["--help"]
    name = TASK_NAMES.canonical(name)
    if f"--{name}" in (setting.flag for setting in all_settings(kind_of_training(find_task(DEFAULT_TASK)))):
        raise UsageError(f"unknown task {name!r}: a setting begins with two hyphens, --{name}")
    request, settings = requested(name, words)
    if settings.seeds > 1:
        from rlgan.cli.seeds import train_several

        train_several(request, settings.seeds, words, as_json=settings.json)
        return
    if settings.json:
        raise UsageError("--json is for several seeds: a run writes its numbers to metrics.jsonl; leave it out")
    train_one(request)


def requested(name: str, words: list[str]) -> tuple[Request, CommandSettings]:
    """What was typed: a run to train, and what concerns this command alone.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: the run that is to be continued can't be read.
    """
    task = named_task(name)
    kind, page = kind_of_training(task), help_page(task, name)
    if asks_for_help(words):
        defaults = kind(_typed_preset(task, words, kind, page), default_settings(task)[1], CommandSettings())
        parse(kind, words, page, defaults)  # ends here
    typed: list[CommandSettings] = []
    names = frozenset(typed_names(words, kind))

    # Parsed more than once: what the flags leave out depends on the preset, or on the run that is continued, which
    # the flags themselves name.
    def ask(recipe: Any, run: RunSettings) -> Asked:
        said = parse(kind, words, page, kind(recipe, run, CommandSettings()))
        typed.append(said.command)
        return Asked(said.recipe, said.run, names, said.command.trust_imports)

    try:
        request = resolve_request(task, name, ask)
        # The recipe and the run are checked by now; what concerns this command alone is not.
        check(typed[-1])
    except UsageError as error:
        raise UsageError(as_typed(str(error), words, kind)) from error
    return request, typed[-1]


def kind_of_training(task: Task) -> type[Any]:
    """A dataclass of all that `rlgan train TASK` takes."""
    recipe, run = default_settings(task)
    parts = {"recipe": recipe, "run": run, "command": CommandSettings()}
    return command("Train", "", {part: (type(value), value) for part, value in parts.items()})


OUTSIDE = "an object of your own in place of a name, for the flags in docs/extending.md"


def help_page(task: Task, name: str) -> Page:
    """What `rlgan train TASK --help` says beside the settings."""
    others = {f"rlgan train {other} --help": find_task(other).summary for other in TASKS if other != task.name}
    return Page(
        program="rlgan train" if name == DEFAULT_TASK else f"rlgan train {name}",
        arguments="[--FLAG VALUE ...]",
        summary=task.summary,
        first=(*task.main_settings, "run_dir", "steps"),
        lists={"Other tasks": others, "Names of your own": {"package.module:object": OUTSIDE}},
        examples=task.examples,
    )


def _typed_preset(task: Task, words: list[str], kind: type[Any], page: Page) -> Any:
    """The recipe of the preset that is typed beside --help, so that its defaults are shown."""
    recipe, run = default_settings(task)
    rest = [word for word in words if not asks_for_help([word])]
    if not rest:  # help is to answer at once, and tyro takes a while
        return recipe
    try:
        return task.preset(parse(kind, rest, page, kind(recipe, run, CommandSettings())).recipe)
    except UsageError:  # help is given whatever is wrong with the rest
        return recipe


def train_one(request: Request) -> None:
    """Train one run, and show it on the terminal."""
    # Late, as in the other commands: they bring torch, which --help and an error in a flag need not wait for.
    from rich.console import Console

    from rlgan.runs.start import train_run
    from rlgan.runs.terminal import Terminal

    train_run(request, observers(request, Terminal(Console())))


def observers(request: Request, display: "Display") -> "Observers":
    """Who follows a run: a display, which is given the commands that can be typed next at its end."""
    from rlgan.runs.observers import Observers

    return Observers(display, next_commands=partial(what_next, request.task, request.name, trust_flag(request)))


def trust_flag(request: Request) -> str:
    """What other commands have to be told of a run that has code from outside, after a blank; or nothing."""
    outside = [*foreign_names(request.recipe), *foreign_names(request.run)]
    return " --trust-imports" if outside or ":" in request.name else ""


def what_next(task: Task, name: str, trust: str, address: str, stopped: str | None) -> "list[Command]":
    """What can be typed next, when a run has ended.

    Args:
        task: of the run.
        name: of the task, as it was typed.
        trust: the flag that lets code be imported which the run's config names, after a blank; or nothing.
        address: of the run's directory.
        stopped: the signal that stopped the run, or None.
    """
    path, rlgan = pasteable(address), beside_python("rlgan")
    commands = []
    if stopped:
        again = "" if name == DEFAULT_TASK else f"{name} "
        what = f"stopped by {stopped} and saved; to go on"
        commands.append((what, f"rlgan train {again}--run-dir {path} --resume{trust}"))
    return [
        *commands,
        (f"the run lies in {address}; to see it", f"{beside_python('tensorboard')} {_logdir(address)}"),
        (task.item, f"{rlgan} sample {path}{trust}"),
        ("what it is worth", f"{rlgan} evaluate {path} --checkpoint best{trust}"),
    ]


def _logdir(address: str) -> str:
    """What TensorBoard is to read, so that it shows the run under the name of its directory."""
    name = address.rstrip("/").rpartition("/")[2]
    # Commas and colons part what --logdir_spec is given.
    if re.fullmatch(r"[\w.-]+", name) and "," not in address:
        return f"--logdir_spec {pasteable(f'{name}:{address}')}"
    return f"--logdir {pasteable(address)}"
