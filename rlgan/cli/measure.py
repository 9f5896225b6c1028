"""What `rlgan evaluate` does: open a run and its checkpoint, measure it, hold it against others, and show it."""

import dataclasses
import functools
import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from rlgan.device import prepare
from rlgan.engine.processes import in_processes
from rlgan.engine.settings import RunConfig
from rlgan.errors import DataError, RunError, UsageError
from rlgan.gaussian.measures import summarise
from rlgan.gaussian.settings import GaussianConfig
from rlgan.images.settings import ImageConfig
from rlgan.images.task import ImageTask
from rlgan.images.task import samples as image_samples
from rlgan.runs.directory import BrokenCheckpointError, Checkpoint, RunDirectory, fingerprint
from rlgan.settings import Recipe, changed
from rlgan.task import Task, load
from rlgan.text.benchmark import PROTOCOL, Judge, carried_perplexity, difference
from rlgan.text.settings import TextConfig
from rlgan.text.stories import END
from rlgan.text.task import TextTask
from rlgan.types import Metrics

Result = dict[str, Any]  # for JSON

RECIPES: dict[str, type[Recipe]] = {"text": TextConfig, "gaussian": GaussianConfig, "image": ImageConfig}


@dataclass(frozen=True)
class Opened:
    """A run that is there, and one of its checkpoints."""

    task: str
    run: RunDirectory
    recipe: Any
    checkpoint: Checkpoint

    @staticmethod
    def of(path: str, which: str) -> "Opened":
        """Open a run.

        Args:
            path: its directory.
            which: `newest`, or `best` by the task's score.

        Raises:
            RunError: there is no run, or none of its checkpoints is whole.
        """
        run = RunDirectory(path)
        saved = run.config()
        name = saved.get("task")
        if name not in RECIPES:
            raise RunError(f"{run.config_file} names no task that there is: it is of another version of rlgan")
        recipe, _ = restored(saved, name)
        say = functools.partial(print, file=sys.stderr)
        best = run.checkpoints.best() if which == "best" else None
        if best is not None:
            try:
                return Opened(name, run, recipe, run.checkpoints.load(best, saved["recipe_id"]))
            except BrokenCheckpointError as error:
                say(f"{error}; taking the newest in place of the best")
        newest = run.checkpoints.newest(say, saved["recipe_id"])
        if newest is None:
            raise RunError(f"{run.path} has no whole checkpoint: train first, or go on with --resume")
        return Opened(name, run, recipe, newest)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words of a run on text.

        Raises:
            RunError: they are not those of the checkpoint's networks.
        """
        words = self.run.words()
        due = len(self.checkpoint.weights.generator["output.bias"])
        ends = self.recipe.layout != "sentences" or END in words
        if len(words) != due or len(words) != len(set(words)) or not ends:
            raise RunError(
                f"{self.run.vocabulary_file} has {len(set(words))} different words and does not fit the networks of "
                f"checkpoint {self.checkpoint.step}, which know {due}: put the run's own back"
            )
        return words


def restored(saved: dict[str, Any], name: str) -> tuple[Any, RunConfig]:
    """The settings of a saved run of a task.

    Raises:
        RunError: it is of another task, or of another version.
    """
    if saved.get("task") != name:
        raise RunError(f"the run is one of {saved.get('task')}, not of {name}: give its task, or another --run-dir")
    try:
        # JSON has lists where a recipe has tuples.
        settings = {
            key: tuple(map(tuple, value)) if isinstance(value, list) else value
            for key, value in saved["recipe"].items()
        }
        if "cache" in settings:  # who gives away a run does not say where others write
            settings["cache"] = None
        due = {field.name for field in dataclasses.fields(cast(Any, RECIPES[name]))}
        if settings.keys() != due:
            raise TypeError(f"its settings differ in {', '.join(sorted(settings.keys() ^ due))}")
        recipe, run = RECIPES[name](**settings), RunConfig(**saved["run"])
        recipe.check()
        return recipe, run
    except (TypeError, KeyError, AttributeError, UsageError) as error:
        raise RunError(f"the run's config.json is of another version of rlgan: {error}") from None


def measure(opened: Opened) -> Result:
    """Measure a run of any task as its training does."""
    task = _prepared(opened)
    evaluation = task.evaluator(prepare(0)).evaluate(opened.checkpoint.weights)
    which: Result = {"run": str(opened.run.path), "step": opened.checkpoint.step}
    which |= opened.recipe.labels
    return which | evaluation.metrics | evaluation.series


def _prepared(opened: Opened) -> Task:
    """The task of a run, with its data, which must be what the run was trained on."""
    task = load(opened.task, opened.recipe)
    if fingerprint(*task.identity) != opened.checkpoint.recipe:
        raise RunError(f"{task.data} is not the data that {opened.run.path} was trained on: put it back")
    with Console(stderr=True).status("") as status:
        task.prepare(in_processes, status.update)
    return task


def inception_distance(opened: Opened, weights: Path) -> float:
    """The FID of a run on pictures, as many generated ones as are held out, with the Inception weights of a file.

    Raises:
        RunError: the file holds no such weights, or the library that reads them is not installed.
    """
    test = cast(ImageTask, _prepared(opened)).pictures.test()
    made = image_samples(opened.recipe, opened.checkpoint.weights, len(test), opened.recipe.seed, prepare(0))
    from rlgan.images.inception import inception_fid

    return inception_fid(made, test, weights)


def seeds(folder: Path) -> list[Path]:
    """The runs of several seeds in a directory, in the order of the seeds; none where it is a run itself."""
    numbered = [(entry.name.removeprefix("seed-"), entry) for entry in folder.glob("seed-*")]
    return [entry for _, entry in sorted((int(number), entry) for number, entry in numbered if number.isdecimal())]


def measure_seeds(runs: Sequence[Path], which: str) -> Metrics:
    """Measure the runs of several seeds, as one."""
    opened = [Opened.of(str(run), which) for run in runs]
    if any(one.task != "gaussian" for one in opened):
        raise RunError(f"{runs[0].parent} holds runs of other tasks than gaussian: give one of them")
    for run, one in zip(runs, opened, strict=True):
        differences = changed(opened[0].recipe, dataclasses.replace(one.recipe, seed=opened[0].recipe.seed))
        if differences:
            raise RunError(f"{run} differs from {runs[0]} ({', '.join(differences)}): part them")
        if which == "newest" and one.checkpoint.step != opened[0].checkpoint.step:
            steps = f"step {one.checkpoint.step}, {runs[0]} at step {opened[0].checkpoint.step}"
            print(f"{run} is at {steps}: --resume brings them to the end", file=sys.stderr)
    found = [measure(one) for one in opened]
    return summarise([{name: value for name, value in one.items() if isinstance(value, float)} for one in found])


def measure_text(
    opened: Opened,
    which: str,
    data: str | None,
    temperatures: Sequence[float],
    samples: int | None,
    controls: Sequence[str],
) -> Result:
    """Measure a run on text: as its training does, and the quality of what it writes beside that of real text.

    Args:
        opened: the run.
        which: of the checkpoints of the controls.
        data: another text to take as the test set.
        temperatures: of sampling.
        samples: how many sequences at each; None leaves quality out, and the perplexity of the stream.
        controls: directories of runs to hold it against.

    Raises:
        RunError: the run's own data is not there, a text can't be read, or a control does not compare.
    """
    try:
        task = TextTask.load(opened.recipe)
    except DataError as error:
        raise RunError(f"the run's own data is needed, for its validation and unigrams: {error}") from error
    if task.corpus.words != opened.vocabulary or fingerprint(*task.identity) != opened.checkpoint.recipe:
        raise RunError(f"{opened.recipe.data} is not the data that {opened.run.path} was trained on: put it back")
    others = [_control(path, which, task) for path in controls]
    tested: Result = {}
    if data is not None:
        task, unknown = task.tested_on(data)
        tested = {"test_data": data, "test_unknown_words": unknown}
    with Console(stderr=True).status("") as status:
        judge = None if samples is None else Judge(task, samples, prepare(0), status.update)
        result = _measured(opened, task, judge, temperatures) | tested
        if judge:
            result |= {"quality_floor": judge.floor(), "quality_rows": judge.rows, "quality_samples": judge.samples}
            result |= {"quality_protocol": PROTOCOL}
        if others:
            result["controls"] = [
                _measured(other, task, judge, temperatures) | {"differs_in": changed(opened.recipe, other.recipe)}
                for other in others
            ]
    for control in result.get("controls", []):
        control["gain_nats_per_token"] = math.log(control["test_perplexity"] / result["test_perplexity"])
        if judge:
            control["difference"] = difference(result["quality"], control["quality"])
    return result


def _measured(opened: Opened, task: TextTask, judge: Judge | None, temperatures: Sequence[float]) -> Result:
    """What is found of a run on the corpus of a task, and which run it is."""
    weights, recipe = opened.checkpoint.weights, opened.recipe
    own = dataclasses.replace(task, config=recipe)
    evaluation = own.evaluator(prepare(0)).evaluate(weights)
    result: Result = {"run": str(opened.run.path), "step": opened.checkpoint.step, "data": recipe.data}
    result |= recipe.labels | evaluation.metrics | evaluation.series
    if judge:
        result["test_perplexity_carried"] = carried_perplexity(own, weights, prepare(0))
        result["quality"] = [judge.generated(recipe, weights, t) for t in temperatures]
    return result


def _control(path: str, which: str, task: TextTask) -> Opened:
    """Open a run to hold another one against.

    Raises:
        RunError: it has other words or other data, or learned from its discriminator.
    """
    opened = Opened.of(path, which)
    if opened.task != "text" or opened.vocabulary != task.corpus.words:
        raise RunError(f"--control {path} has another vocabulary: give a run on the same data")
    if opened.recipe.reward_control == "none" and opened.recipe.method != "mle":
        raise RunError(f"--control {path} learned from its discriminator: train one with --reward-control, or by mle")
    own = TextTask.load(opened.recipe)
    if fingerprint(*own.identity) != opened.checkpoint.recipe or own.corpus.fingerprint != task.corpus.fingerprint:
        raise RunError(f"--control {path} has other data, or other rows of it: give a run on the same")
    return opened


def show(result: Result) -> None:
    """Print what was found, for people: a line for each number of a run, and tables of its quality."""
    runs = [result, *result.get("controls", [])]
    for entry in runs:
        for name, value in entry.items():
            if name not in ("controls", "difference", "quality", "quality_floor", "quality_protocol"):
                values = value if isinstance(value, list) else [value]
                print(f"{name:44} {' '.join(_brief(v) for v in values)}")
        print()
    if "quality" not in result:
        return
    for name, text in result["quality_protocol"].items():
        print(f"{name}: {text}")
    print("Good is what is close to real text in all of them: each by itself can be had cheaply.")
    for entry in runs:
        title = f"{entry['run']}, step {entry['step']}"
        _show_table(title, [*entry["quality"], result["quality_floor"]])
    for entry in runs[1:]:
        _show_table(f"{result['run']} less {entry['run']}", entry["difference"])


def _show_table(title: str, columns: list[dict[str, float]]) -> None:
    """Print measures as rows; a column without a temperature is of real text."""
    print(f"\n{title}")
    heads = [f"T = {column['temperature']:g}" if "temperature" in column else "real text" for column in columns]
    print(f"{'':28}" + "".join(f"{head:>11}" for head in heads))
    for name in dict.fromkeys(itertools.chain(*columns)):
        if name != "temperature":
            print(f"  {name:26}" + "".join(f"{_brief(column.get(name, '-')):>11}" for column in columns))


def _brief(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
