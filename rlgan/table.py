"""What a table is: runs of several recipes that are trained side by side, and a report of what they came to.

A task's record names its tables (`Task.tables`), as it names its figures. The table says which runs it is made of, in
the words of `rlgan train`, and turns what they recorded into files; training, resuming and counting seeds is done for
it. Imports neither torch nor ray.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Words = Sequence[str]
RecipeOf = Callable[[Words], Any]
"""The recipe that `rlgan train TASK WORDS` would train.

Raises:
    UsageError: the words make no sense.
"""

Files = Mapping[str, bytes]
"""Contents of files by their names."""


@dataclass(frozen=True)
class Table:
    """A table that a task can make.

    Args:
        summary: what it shows, in a line for --help.
        options: a dataclass of its flags.
        plan: `module:function`, `(options, RecipeOf) -> TablePlan`; may read the data.
        report: `module:function`, `(TableResults) -> Files`; the first file is the table itself.
        examples: commands, for --help.
    """

    summary: str
    options: type[Any]
    plan: str
    report: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableRow:
    """A row: a recipe, of which a run is trained for each of several seeds.

    Args:
        name: of the row, within its group.
        words: what `rlgan train TASK` is given for it, --seed and --run-dir left out.
        defaults: words that hold where the person who makes the table says nothing else.
        evaluations: by name, what `rlgan evaluate RUN --json` is given when a run has ended.
        group: of rows that belong together, such as those of one data set; "" where there is one group alone.
    """

    name: str
    words: tuple[str, ...]
    defaults: tuple[str, ...] = ()
    evaluations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class TablePlan:
    """The runs of a table.

    Args:
        rows: in the order in which they are trained.
        facts: what rows share, for JSON: the data, its size, the length of the runs. A folder has one table, whose
            facts stay the same; others may be added.
    """

    rows: tuple[TableRow, ...]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class RunResult:
    """What a run has recorded so far."""

    seed: int
    metrics: tuple[dict[str, Any], ...]  # the lines of metrics.jsonl
    kinds: Mapping[str, str]  # of machine, by what ran on it
    evaluations: Mapping[str, dict[str, Any]]  # by name, what `rlgan evaluate --json` said
    failure: str | None = None  # why it ended before its time


@dataclass(frozen=True)
class RowResult:
    """What the runs of a row have recorded so far: none where it has not begun."""

    name: str  # of its folder
    row: str  # the name in the plan, which rows may share that differ in what was asked of every run
    group: str
    recipe: Any  # with the seed of none in particular
    command: tuple[str, ...]  # the words of `rlgan train TASK`
    runs: tuple[RunResult, ...]


@dataclass(frozen=True)
class TableResults:
    """What a table is made of."""

    facts: Mapping[str, Any]
    rows: tuple[RowResult, ...]
    formats: tuple[str, ...] = ("png",)  # in which its figure is asked for
