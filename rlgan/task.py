"""What a task is: a record that the command line asks, and what it becomes once it has its data.

A task is one kind of GAN. Its record (`Task`) is data and a few functions, which are named as `module:object` strings
so that the command line can read all records without importing torch. With settings and data it becomes a `LoadedTask`,
which the training loop and the processes ask. The table `TASKS` is the only place where tasks are listed; a task of
your own is named `package.module:TASK` in place of a name: see docs/extending.md.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from rlgan.errors import UsageError
from rlgan.settings import AtLeast, Metavar, MoreThan, resolve
from rlgan.table import Table

if TYPE_CHECKING:  # they import torch or numpy, and the command line must answer at once
    import torch

    from rlgan.learning.group import Group
    from rlgan.learning.learner import Learner
    from rlgan.types import Evaluation, Map, Metrics, Plan, Rollout, Weights

TASKS = {"text": "rlgan.text:TASK", "image": "rlgan.images:TASK", "gaussian": "rlgan.gaussian:TASK"}

Say = Callable[[str], None]  # tells a person a line
Result = dict[str, Any]  # for JSON


class Status(Protocol):
    """Shows a person what is computed now."""

    def __call__(self, what: str, done: float | None = None, /) -> None:
        """Show it.

        Args:
            what: in a few words.
            done: how much of all that is to be computed, in [0, 1]; None where that can't be told.
        """
        ...


class Stages:
    """Shows what is computed now, and how much of all is done by what came before it.

    Args:
        status: shows it.
        total: the weights of all stages.

    Example:
        >>> stages = Stages(print, total=4)
        >>> stages.begin("reading", 1)
        reading 0.0
        >>> stages.begin("measuring", 3)
        measuring 0.25
    """

    def __init__(self, status: Status, total: float) -> None:
        self._status = status
        self._total = total
        self._done = 0.0

    def begin(self, what: str, weight: float) -> None:
        """Begin with a stage, which takes so long beside the others."""
        self._status(what, min(self._done / self._total, 1.0))
        self._done += weight


# Of a discriminator whose log-odds are f - log G: what they are against where it is a scorer.
ScorerForm = Literal["uniform", "training"]
Reduction = Literal["sum", "mean", "last"]  # of the log-odds of a text's tokens to one score
Better = Literal["lower", "higher", "nearer"]  # of a measure; nearer to what it is compared with
HEADLINES = 10  # numbers that a person reads at once
FEW = 100  # held-out items: what is measured on fewer depends on which ones they are


@dataclass(frozen=True)
class Bounds:
    """Where a run ends: at the first bound that is reached.

    Example:
        >>> from rlgan.settings import check
        >>> check(Bounds(epochs=0.5))  # half a pass is a length
        >>> check(Bounds(steps=0))
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --steps is 0: it must be 1 or more
    """

    steps: Annotated[int, AtLeast(1), Metavar("STEPS")] | None = None
    """Stop after this many training steps."""
    epochs: Annotated[float, MoreThan(0), Metavar("EPOCHS")] | None = None
    """Stop after this many passes over the real training data."""
    minutes: Annotated[float, MoreThan(0), Metavar("MINUTES")] | None = None
    """Stop after this much time, from the first step on; earlier parts of a resumed run count. A recipe with a
    length of its own (--iterations) ends there all the same, unless --steps or --epochs say otherwise."""


@dataclass(frozen=True)
class Headline:
    """A number that a person reads first, beside what it is to be compared with."""

    label: str
    value: float
    better: Better = "nearer"
    beside: Mapping[str, float] = field(default_factory=dict)  # by what it is of: "floor", "real text"


@dataclass(frozen=True)
class NoOptions:
    """The options of a command that has none for this task."""


@dataclass(frozen=True)
class Operation:
    """What a command does for a task: `rlgan sample` or `rlgan evaluate`.

    Args:
        run: `module:function`; what it is called with and gives is said at `Task`.
        options: a dataclass of the flags that this task adds to the command.
        suggested: what to try next with a flag that was not typed: the name of an option, what for, and the words.
    """

    run: str
    options: type[Any] = NoOptions
    suggested: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Task:
    """One kind of GAN, as the command line knows it.

    Example:
        >>> find_task("gaussian").name
        'gaussian'
    """

    name: str  # as it is typed: rlgan train NAME
    summary: str  # a line for --help
    item: str  # what its samples are called: "sentences"
    defaults: Any  # the recipe where nothing is typed: a frozen dataclass, as `rlgan.settings` reads it
    load: str  # "module:function": settings -> LoadedTask; reads the data
    sample: Operation  # (LoadedRun, count, seed, options) -> iterator of samples: lines of text, or lists of numbers
    evaluate: Operation  # (LoadedRun, options, EvaluationTools) -> Result
    # The typed settings -> the defaults of their preset.
    preset: Callable[[Any], Any] = lambda settings: type(settings)()
    # (The typed settings, the names of what was typed) -> None; raises UsageError for what counts for nothing there.
    check_typed: Callable[[Any, Collection[str]], None] = lambda *_: None
    labels: Callable[[Any], dict[str, str]] = lambda _: {}  # what every result says of the recipe
    title: Callable[[Any], str] = lambda _: ""  # of the recipe, in the name of a run's directory
    bounds: Callable[[Any], Bounds] = lambda _: Bounds(epochs=1)  # of a run for which none is given
    has_length: bool = False  # the recipe itself says how long it is: --minutes shortens its runs, and lengthens none
    run_defaults: Mapping[str, Any] = field(default_factory=dict)  # of `RunSettings`, by name
    main_settings: tuple[str, ...] = ()  # names of those that --help shows first
    examples: tuple[str, ...] = ()  # lines to paste, at the end of --help
    # "module:function": Result -> the ten numbers, at most, that a person reads first; with --all come the others too.
    headlines: str = "rlgan.task:first_numbers"
    evaluation_lines: str = "rlgan.task:no_lines"  # "module:function": Result -> lines to print below its numbers
    caveats: str = "rlgan.task:no_lines"  # "module:function": Result -> lines on what its numbers can't tell
    takes_test_data: bool = False  # whether its evaluation reads `EvaluationTools.test_data`
    places: tuple[str, ...] = ()  # settings that say where things lie: what lies there counts, not where
    seeds: str = "rlgan.task:summarise_seeds"  # "module:function": the results of several seeds -> Metrics
    figures: Mapping[str, "Figure"] = field(default_factory=dict)  # of the paper, by name
    tables: Mapping[str, Table] = field(default_factory=dict)  # of several recipes, by name
    same_data: str = ""  # "module:function": (LoadedTask, settings) -> LoadedTask on its data; "": it is read anew
    networks: str = ""  # "module:function": LoadedRun -> (generator, discriminator) with fresh weights; "": none
    scorer: str = ""  # "module:function": (LoadedRun, form) -> envs.Scorer, the trained D; "": there is none


@dataclass(frozen=True)
class Figure:
    """A figure of the paper that a task can draw.

    Args:
        summary: what it shows, in a line for --help.
        draw: `module:function`, called with a `FigureRequest`; writes the figure, and gives the paragraphs of its
            caption.
        seeds: how many runs it shows of a recipe where nothing is said.
        epochs: of the run that it is drawn from, which is trained as `rlgan train` does; None where `draw` trains.
    """

    summary: str
    draw: str
    seeds: int = 1
    epochs: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """What an evaluation of a run has left."""

    step: int
    epoch: float
    metrics: Mapping[str, Any]  # its line in metrics.jsonl
    pictures: Mapping[str, Path]  # PNG files by name


Tell = Callable[[float], None]  # tells which fraction of some work is done


class SideBySide(Protocol):
    """Does the same work on several items, in processes of their own, and shows how far they are."""

    def __call__(self, work: Callable[[Any, Tell], Any], items: Mapping[str, Any], /) -> list[Any]:
        """What the work gives of each item, in their order; all is picklable.

        Args:
            work: called with an item, and with what it tells which fraction of it is done.
            items: by what each is called.

        Raises:
            RunError: one can't be done, or somebody asked to stop.
        """
        ...


@dataclass(frozen=True)
class FigureRequest:
    """What a figure is drawn from."""

    paper: Any  # settings of the preset `paper`
    chosen: Any  # settings of the preset that was asked for
    out: Path  # the file to write, in the format that its name ends in
    side_by_side: SideBySide
    say: Say
    device: str = "cpu"  # where to train, as `rlgan.device.prepare` takes it
    seeds: tuple[int, ...] = (0,)
    snapshots: tuple[Snapshot, ...] = ()  # of the run of the chosen recipe, where the figure is drawn from one


# The protocols here ask for properties, not attributes: mypy takes an attribute of a protocol for one that can be set,
# which a field of a frozen dataclass is not.
class Schedule(Protocol):
    """Says what each step computes, and how steps, epochs and batches are related."""

    def plan(self, step: int) -> "Plan":
        """What a training step computes."""
        ...

    def epoch(self, step: int) -> float:
        """Passes over the real data before a step."""
        ...

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        ...

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations where nothing is asked."""
        ...


class Reporter(Protocol):
    """Puts what was found into words."""

    def brief(self, evaluation: "Evaluation") -> str:
        """The score in a few words, beside what there is to compare it with."""
        ...

    def summary(self, evaluation: "Evaluation") -> list[str]:
        """An evaluation in a line or more."""
        ...

    def collapse(self, metrics: "Metrics") -> str | None:
        """What in the metrics of a step or of an evaluation says that the generator has collapsed; None for nothing."""
        ...


class RolloutMaker(Protocol):
    """What a rollout worker holds."""

    def shard(self, weights: "Weights", step: int, draw: int, shard: int) -> "Rollout":
        """Make one shard of a training step: a pure function."""
        ...


class Evaluator(Protocol):
    """What measures weights."""

    def evaluate(self, weights: "Weights") -> "Evaluation":
        """Measure them: a pure function."""
        ...


class QuickEvaluator(Evaluator, Protocol):
    """What measures weights, where `Facts.score_every` is set."""

    def score(self, weights: "Weights") -> "Metrics":
        """What can be measured of them at next to no cost: a pure function."""
        ...


@dataclass(frozen=True)
class Measures:
    """How what a task measures is shown to who looks at its curves.

    Attributes:
        descriptions: what a measure is, by its name.
        charts: by title, the measures that are lines of one chart: one beside its references, say. A name that begins
            with `quick_` is one of `QuickEvaluator.score`.
        references: how the names of measures end that need no generator and so do not change while a run trains, beside
            `_floor` and `_real`.
    """

    descriptions: Mapping[str, str] = field(default_factory=dict)
    charts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: tuple[str, ...] = ()


NOT_DESCRIBED = Measures()


@dataclass(frozen=True)
class Facts:
    """What the loop and the processes have to know of a loaded task, as data."""

    data: str  # the name of the data
    identity: tuple[object, ...]  # what the result depends on, for JSON: a resumed run must have the same
    about: tuple[str, ...]  # lines for people: what is trained, on what
    selection_metric: str  # of an evaluation: the checkpoint where it is least is the best
    throughput_metric: str  # of an update: what the generator learned from; speeds are given in it
    shards: int = 0  # parts in which a batch of rollouts is made; 0 where no step has any
    score_every: int = 0  # steps between the cheap measures of `QuickEvaluator.score`; 0: there are none
    lag: int = 0  # rollouts of step t are made with the weights after update max(t - lag, 0)
    max_learners: int = 1  # that can share a batch: as many, or a number that divides it
    cache_dir: Path | None = None  # that `prepare` writes to and the learner reads from; None where it needs none
    vocabulary: tuple[str, ...] = ()  # the words of a text task, by token
    account: Mapping[str, object] = field(default_factory=dict)  # what there is in the data, for JSON
    measures: Measures = NOT_DESCRIBED
    # What earlier versions took for the identity of the same recipe on the same data.
    former_identities: tuple[tuple[object, ...], ...] = ()


class LoadedTask(Protocol):
    """A task with its settings and its data. Picklable: the learner's process gets a copy."""

    @property
    def settings(self) -> Any:
        """The recipe, with all that it left to the data."""
        ...

    @property
    def facts(self) -> Facts:
        """What the loop and the processes have to know of it."""
        ...

    @property
    def schedule(self) -> Schedule:
        """Which step computes what."""
        ...

    @property
    def reporter(self) -> Reporter:
        """What puts evaluations into words."""
        ...

    @property
    def rollout_maker(self) -> Callable[["torch.device"], RolloutMaker]:
        """Makes, on a device, what makes shards. Picklable, and without the data."""
        ...

    def prepare(self, map_: "Map", say: Say) -> None:
        """Do what must be done once before the data can be read, with `map_` where it can be shared; say how it goes.

        Raises:
            DataError: the data can't be used.
        """
        ...

    def learner(self, device: "torch.device", group: "Group") -> "Learner":
        """A learner with fresh networks: one of a group that shares every batch."""
        ...

    def evaluator(self, device: "torch.device") -> Evaluator:
        """What measures weights on the task's data."""
        ...


@dataclass(frozen=True)
class LoadedRun:
    """A run that is there, and the weights of one of its checkpoints."""

    path: str
    task: Task
    settings: Any
    step: int
    weights: "Weights"  # what evaluations and samples use
    recipe_id: str  # SHA-256 of the recipe and the data that the checkpoint is of
    read_words: Callable[[], tuple[str, ...]]  # reads the run's vocabulary
    device: str = "cpu"  # where to compute with it, as `rlgan.device.prepare` takes it


@dataclass(frozen=True)
class EvaluationTools:
    """What an evaluation can call on."""

    load_run: Callable[[str], LoadedRun]  # another run, of the same kind of checkpoint
    prepare: Callable[[LoadedRun], LoadedTask]  # the run's task with its data, which is what the run was trained on
    measure: Callable[[LoadedRun, LoadedTask], Result]  # what training measures, and which run it is
    map_: "Map"  # applies a function to items in several processes
    status: Status  # shows what is computed now
    command: str = ""  # as it was typed
    test_data: str | None = None  # of another test set, in place of the run's own


def find_task(name: str) -> Task:
    """Give the record of a task.

    Args:
        name: a name in `TASKS`, or `package.module:TASK`.

    Raises:
        UsageError: there is no such task, or it can't be imported.

    Example:
        >>> find_task("text").item
        'sentences'
        >>> find_task("poem")
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: 'poem' is none of text, image, gaussian, and not package.module:object
    """
    task = resolve(name, TASKS)
    if not isinstance(task, Task):
        raise UsageError(f"{name} is a {type(task).__name__}, not a rlgan.task.Task")
    return task


def load_task(task: Task, settings: Any) -> LoadedTask:
    """Give a task its data.

    Raises:
        DataError: the data can't be had or does not fit the settings.
        UsageError: settings do not go together, of what is imported too.
    """
    # An empty table: a record names its functions by import alone.
    loaded: LoadedTask = resolve(task.load, {})(settings)
    return loaded


def sample_line(sample: str | Sequence[float]) -> str:
    """A sample as a line of text.

    Example:
        >>> sample_line("a cat sat ."), sample_line([0.5, -1.0])
        ('a cat sat .', '0.500000 -1.000000')
    """
    return sample if isinstance(sample, str) else " ".join(f"{x:.6f}" for x in sample)


def first_numbers(result: Result) -> list[Headline]:
    """The first ten measures of a result, where its task does not say which ones matter.

    Example:
        >>> [line.label for line in first_numbers({"run": "a", "step": 3, "w1": 0.5})]
        ['w1']
    """
    found = [Headline(name, value) for name, value in result.items() if isinstance(value, float)]
    return found[:HEADLINES]


def beside_floors(result: Result, measures: Mapping[str, Better]) -> list[Headline]:
    """Measures of a result beside their floors, which real samples have: `<measure>_floor`.

    Example:
        >>> beside_floors({"w1": 0.5, "w1_floor": 0.25}, {"w1": "lower", "ks": "lower"})
        [Headline(label='w1', value=0.5, better='lower', beside={'floor': 0.25})]
    """
    found = []
    for name, better in measures.items():
        floor = {"floor": result[f"{name}_floor"]} if f"{name}_floor" in result else {}
        if name in result:
            found.append(Headline(name.replace("_", " "), result[name], better, floor))
    return found[:HEADLINES]


def no_lines(_: Result) -> list[str]:
    """Lines below the numbers of an evaluation: none."""
    return []


def caveat_of_few(count: float, items: str) -> list[str]:
    """What is to be said of measures on held-out data, where there is little of it.

    Example:
        >>> caveat_of_few(6.0, "rows")
        ['only 6 held-out rows: on others the numbers may be quite different; more data gives more of them']
        >>> caveat_of_few(1000, "rows")
        []
    """
    due = "on others the numbers may be quite different; more data gives more of them"
    return [f"only {count:g} held-out {items}: {due}"] if count < FEW else []


def summarise_seeds(results: Sequence[Mapping[str, Any]]) -> "Metrics":
    """Summarise several seeds: the median of every metric, and how many seeds there are.

    Example:
        >>> summarise_seeds([{"w1": 1.0, "run": "a"}, {"w1": 2.0, "run": "b"}, {"w1": 4.0, "run": "c"}])
        {'w1': 2.0, 'seeds': 3.0}
    """
    # Measures are floats; a step, a seed or a name, which are none, have no median that says anything.
    names = [name for name, value in results[0].items() if isinstance(value, float)]
    # The median, since one seed that collapses would decide a mean. Not numpy's: this module is imported before it.
    return {name: median(result[name] for result in results) for name in names} | {"seeds": float(len(results))}
