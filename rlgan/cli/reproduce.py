"""`rlgan reproduce NAME ...`: the figures of the paper, which the tasks draw, and tables of many runs."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.tables import TASK_OF as TASK_OF_TABLE
from rlgan.cli.tables import make_table
from rlgan.errors import UsageError
from rlgan.settings import AtLeast, Choice, Device, Metavar, TypedPath, check, flatten, new_png, resolve, updated
from rlgan.task import TASKS, FigureRequest, Task, find_task

TASK_OF = {figure: find_task(name) for name in TASKS for figure in find_task(name).figures}


@dataclass(frozen=True)
class Reproduce:
    """What is drawn, and where to."""

    figure: Annotated[Positional[str], Choice(TASK_OF | TASK_OF_TABLE, "figure or table"), arg(metavar="NAME")]
    """Which figure or table."""
    preset: Literal["paper", "best"] = "paper"
    """With best, figures 2 and 3 show that preset beside the paper's recipe; figures 4 and 5 show it alone."""
    data: Annotated[str | None, TypedPath()] = None
    """The pictures of figure 5, as `rlgan train image` takes them."""
    learning_rate: float | None = None
    """Learning rate of both players, in place of the preset's."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Seed of the runs."""
    device: Device = "cpu"
    """What computes: cpu, so that the result does not depend on the machine; cuda, cuda:N, or auto, a GPU where one is
    found."""
    out: Annotated[str | None, TypedPath(), Metavar("FILE")] = None
    """The file to write. By default <figure>.png, in the current directory."""
    force: bool = False
    """Replace the file of --out where it is there already."""


PAGE = Page(
    program="rlgan reproduce",
    arguments="NAME [--FLAG VALUE ...]",
    summary="Draw a figure of the paper as a PNG file, and say what it shows in numbers; or make a table of many runs",
    lists={
        "Figures": {name: task.figures[name].summary for name, task in TASK_OF.items()},
        "Tables, with flags of their own": {
            f"{name} --help": task.tables[name].summary for name, task in TASK_OF_TABLE.items()
        },
    },
    examples=(
        "rlgan reproduce figure2 --preset best              # mode collapse, and the remedy beside it",
        "rlgan reproduce figure5 --data pictures/           # epochs 2, 5, 10 and 17",
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
    if options.figure in TASK_OF_TABLE:
        raise UsageError(
            f"{options.figure} is a table, with flags of its own: type rlgan reproduce {options.figure} first"
        )
    out = new_png("--out", options.figure if options.out is None else options.out, force=options.force)
    task = TASK_OF[options.figure]
    # Late, as in the other commands.
    from rich.console import Console

    from rlgan.runs.progress import Progress
    from rlgan.runs.terminal import Terminal

    display = Terminal(Console())
    request = FigureRequest(
        paper=_recipe(task, "paper", options),
        chosen=_recipe(task, options.preset, options),
        out=out,
        map_=_in_processes,
        say=display.say,
        device=options.device,
    )
    with display:
        display.show(Progress(f"drawing {options.figure}"))
        resolve(task.figures[options.figure].draw, {})(request)
    print(out)


def _in_processes(function: Any, items: Any) -> Any:
    from rlgan.engine.processes import in_processes  # late: it is not needed to refuse what was typed

    return in_processes(function, items)


def _recipe(task: Task, preset: str, options: Reproduce) -> Any:
    """The recipe of a preset, with what was typed.

    Raises:
        UsageError: a value makes no sense, or the figure's task has no such setting.
    """
    recipe = task.preset(updated(task.defaults, {"preset": preset}))
    values: dict[str, Any] = {"seed": options.seed}
    if options.learning_rate is not None:
        rate = options.learning_rate
        values |= {"generator_learning_rate": rate, "discriminator_learning_rate": rate}
    if options.data is not None:
        if "data" not in flatten(recipe):
            raise UsageError(f"--data is for figures of pictures: {options.figure} has none; leave it out")
        values["data"] = options.data
    recipe = updated(recipe, values)
    check(recipe)
    return recipe
