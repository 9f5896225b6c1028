"""`rlgan reproduce NAME ...`: the figures of the paper, which the tasks draw, and tables of many runs."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.tables import TASK_OF as TASK_OF_TABLE
from rlgan.cli.tables import make_table
from rlgan.errors import RunError, UsageError
from rlgan.runs.request import Asked, Request, resolve_request
from rlgan.runs.settings import RunSettings
from rlgan.settings import (
    FIGURE_ENDINGS,
    AtLeast,
    Choice,
    Device,
    FigureFormat,
    Metavar,
    MoreThan,
    Preset,
    TypedPath,
    caption_file,
    check,
    flatten,
    new_figure,
    resolve,
    updated,
)
from rlgan.task import TASKS, Bounds, Figure, FigureRequest, Snapshot, Task, find_task

if TYPE_CHECKING:  # late, as in the other commands
    from rlgan.runs.terminal import Terminal

TASK_OF = {figure: find_task(name) for name in TASKS for figure in find_task(name).figures}


@dataclass(frozen=True)
class Reproduce:
    """What is drawn, and where to."""

    figure: Annotated[
        Positional[str], Choice(TASK_OF | TASK_OF_TABLE, "figure or table", outside=False), arg(metavar="NAME")
    ]
    """Which figure or table."""
    preset: Preset = "paper"
    """With best, figures 2 and 3 show that preset beside the paper's recipe; figures 4 and 5 show it alone."""
    data: Annotated[str | None, TypedPath()] = None
    """The pictures of figure 5, as `rlgan train image` takes them."""
    learning_rate: Annotated[float, MoreThan(0)] | None = None
    """Learning rate of both players, in place of the preset's."""
    discriminator_learning_rate: Annotated[float, MoreThan(0)] | None = None
    """Learning rate of the discriminator, where it is another than that."""
    seed: Annotated[int, AtLeast(0)] = 0
    """The first seed of the runs."""
    seeds: Annotated[int, AtLeast(1)] | None = None
    """How many seeds figures 2 to 4 show: of --seed and those that follow it. By default 5, of figure 4 one alone."""
    epochs: Annotated[float, MoreThan(0), Metavar("EPOCHS")] | None = None
    """Train for figure 5 so long. By default 17 epochs, those of the paper."""
    minutes: Annotated[float, MoreThan(0), Metavar("MINUTES")] | None = None
    """Train for figure 5 at most so long, earlier parts of its run included."""
    run_dir: Annotated[str | None, TypedPath(), Metavar("RUN")] = None
    """The run of figure 5, which is gone on with where it is there. By default one for each recipe in runs/."""
    device: Device = "cpu"
    """What computes: cpu, so that the result does not depend on the machine; cuda, cuda:N, or auto, a GPU where one is
    found."""
    out: Annotated[str | None, TypedPath(), Metavar("FILE")] = None
    """The file to write, with its caption beside it as FILE.md. By default <figure>.png, in the current directory."""
    format: FigureFormat | None = None
    """The format of the file: png, 200 dots per inch, or pdf. By default what --out ends in, or png."""
    force: bool = False
    """Replace the file of --out, and its caption, where they are there already."""


PAGE = Page(
    program="rlgan reproduce",
    arguments="NAME [--FLAG VALUE ...]",
    summary="Draw a figure of the paper as a file, and say what it shows in numbers; or make a table of many runs",
    lists={
        "Figures": {name: task.figures[name].summary for name, task in TASK_OF.items()},
        "Tables, with flags of their own": {
            f"{name} --help": task.tables[name].summary for name, task in TASK_OF_TABLE.items()
        },
    },
    first=("figure", "preset", "out", "seeds", "data"),
    examples=(
        "rlgan reproduce figure2 --preset best              # mode collapse, and the remedy beside it",
        "rlgan reproduce figure2 --seeds 10 --format pdf    # ten seeds, for a paper",
        "rlgan reproduce figure5 --data pictures/           # epochs 2, 5, 10 and 17; typed again, it goes on",
    ),
)


def reproduce(words: list[str]) -> None:
    """Draw a figure, or make a table.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: the training fails.
    """
    if words and words[0] in TASK_OF_TABLE:
        make_table(words[0], words[1:])
        return
    options = parse(Reproduce, words, PAGE)
    check(options)
    name = options.figure
    if name in TASK_OF_TABLE:
        raise UsageError(f"{name} is a table, with flags of its own: type rlgan reproduce {name} first")
    endings = FIGURE_ENDINGS if options.format is None else (f".{options.format}",)
    out = new_figure("--out", name if options.out is None else options.out, endings, force=options.force)
    task = TASK_OF[name]
    figure = task.figures[name]
    _refuse_flags_of_others(options, figure)
    # Late, as in the other commands.
    from rich.console import Console

    from rlgan.runs.terminal import Terminal

    snapshots = () if figure.epochs is None else _snapshots(name, options, figure.epochs)
    display = Terminal(Console())
    request = FigureRequest(
        paper=_recipe(task, "paper", options),
        chosen=_recipe(task, options.preset, options),
        out=out,
        side_by_side=partial(_side_by_side, display, name),
        say=display.say,
        device=options.device,
        seeds=tuple(range(options.seed, options.seed + (options.seeds or figure.seeds))),
        snapshots=snapshots,
    )
    with display:
        display.status(f"drawing {name}")
        lines = resolve(figure.draw, {})(request)
    _write_caption(request, figure, lines, words, options)
    print(f"its caption: {caption_file(out)}")
    print(out)  # last, for programs


def _refuse_flags_of_others(options: Reproduce, figure: Figure) -> None:
    """Refuse flags that mean nothing for this figure.

    Raises:
        UsageError: one was typed.
    """
    from_run = figure.epochs is not None
    for flag in ("epochs", "minutes", "run_dir") if not from_run else ("seeds",):
        if getattr(options, flag) is not None:
            other = "is drawn from one run" if from_run else "trains its recipe to the end, and keeps no run"
            raise UsageError(f"--{flag.replace('_', '-')}: {options.figure} {other}; leave it out")


def _side_by_side(display: "Terminal", name: str, work: Any, items: Mapping[str, Any]) -> list[Any]:
    from rlgan.engine.processes import usable_cpus  # late: it is not needed to refuse what was typed
    from rlgan.runs.gather import gather

    phase = f"training for {name}, {len(items)} runs"
    return gather(work, items, usable_cpus(), lambda done: display.status(phase, done))


def _snapshots(name: str, options: Reproduce, epochs: float) -> tuple[Snapshot, ...]:
    """Train the run that a figure is drawn from, or go on with it; what its evaluations have left.

    Raises:
        RunError: it was stopped, or failed.
    """
    from rich.console import Console

    from rlgan.runs.observers import Observers
    from rlgan.runs.snapshots import snapshots_of
    from rlgan.runs.start import train_run
    from rlgan.runs.terminal import Terminal

    stops: list[str | None] = []

    def note(_: str, stopped: str | None) -> list[tuple[str, str]]:
        stops.append(stopped)
        return []

    path = train_run(_request(name, options, epochs), Observers(Terminal(Console()), next_commands=note))
    if stops[0]:
        raise RunError(
            f"stopped by {stops[0]}: the run is saved in {path}, and the figure is not drawn; to go on, type the same "
            "again"
        )
    return snapshots_of(Path(path))


def _request(name: str, options: Reproduce, epochs: float) -> Request:
    """The run that a figure is drawn from.

    Raises:
        UsageError: its directory is an address, or holds another recipe.
    """
    from rlgan.runs.files import fingerprint

    task, values = TASK_OF[name], _values(TASK_OF[name], options)
    run_dir = options.run_dir or f"runs/{name}-{options.preset}-{fingerprint(values)[:8]}"
    if "://" in run_dir:
        raise UsageError(f"--run-dir {run_dir} is in a store: {name} needs a directory of this machine")
    bounds = Bounds(epochs=options.epochs or epochs, minutes=options.minutes)

    def ask(recipe: Any, run: RunSettings) -> Asked:
        engine = replace(run.engine, device=options.device)
        return Asked(
            updated(recipe, {"preset": options.preset} | values),
            replace(run, run_dir=run_dir, resume="auto", bounds=bounds, engine=engine),
            frozenset({"preset", *values}),
        )

    return resolve_request(task, task.name, ask)


def _write_caption(
    request: FigureRequest, figure: Figure, lines: list[str], words: list[str], options: Reproduce
) -> None:
    """Write the figure's caption beside it: what is shown, and how it was made."""
    from rlgan.drawing import save_caption

    shown = {recipe.preset: recipe for recipe in (request.paper, request.chosen)}
    facts = {
        "command": f"`{shlex.join(['rlgan', 'reproduce', *words])}`",
        "seeds": ", ".join(map(str, request.seeds)),
        "computed on": options.device,
    }
    for preset, recipe in shown.items():
        values = ", ".join(f"{name} {value}" for name, value in flatten(recipe).items() if name != "seed")
        facts[f"recipe, preset {preset}"] = values
    save_caption(request.out, f"{options.figure}: {figure.summary}", lines, facts)


def _values(task: Task, options: Reproduce) -> dict[str, Any]:
    """What was typed of the recipe, by name.

    Raises:
        UsageError: the figure's task has no such setting.
    """
    values: dict[str, Any] = {"seed": options.seed}
    if options.learning_rate is not None:
        rate = options.learning_rate
        values |= {"generator_learning_rate": rate, "discriminator_learning_rate": rate}
    if options.discriminator_learning_rate is not None:
        values["discriminator_learning_rate"] = options.discriminator_learning_rate
    if options.data is not None:
        if "data" not in flatten(task.defaults):
            raise UsageError(f"--data is for figures of pictures: {options.figure} has none; leave it out")
        values["data"] = options.data
    return values


def _recipe(task: Task, preset: str, options: Reproduce) -> Any:
    """The recipe of a preset, with what was typed.

    Raises:
        UsageError: a value makes no sense.
    """
    recipe = updated(task.preset(updated(task.defaults, {"preset": preset})), _values(task, options))
    check(recipe)
    return recipe
