"""The command line: `rlgan train | evaluate | sample | reproduce`. What is slow to import is imported late."""

import contextlib
import dataclasses
import datetime
import functools
import io
import itertools
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, arg

from rlgan import __version__
from rlgan.config import (
    BEST,
    GAUSSIAN_PRESETS,
    GAUSSIAN_RUN,
    Baseline,
    Estimator,
    GaussianConfig,
    Preset,
    Recipe,
    RewardControl,
    RewardRule,
    RunConfig,
    RunError,
    TextConfig,
    UsageError,
    Weighting,
    changed,
    printable,
)

if TYPE_CHECKING:
    from rlgan.run import Checkpoint, RunDirectory
    from rlgan.tasks.quality import Judge
    from rlgan.tasks.text import TextTask

C = TypeVar("C")

_CHOICES = {
    choice.replace("_", "-"): choice
    for choices in (RewardRule, RewardControl, Estimator, Weighting, Baseline)
    for choice in get_args(choices)
}

HELP = f"""rlgan {__version__}: GANs for text, trained by reinforcement learning with Ray, and for a Gaussian

  rlgan train [text] ...    train; without arguments PolicyGan on the built-in stories
  rlgan train gaussian ...  train a perceptron pair on samples of N(0, 1)
  rlgan evaluate RUN ...    measure a run's checkpoint, or those of several seeds
  rlgan sample RUN ...      print sentences that a run's generator writes, or samples
  rlgan reproduce FIGURE    draw figure2, figure3 or figure4 of the paper

`rlgan COMMAND --help` lists what a command takes."""


@dataclass(frozen=True)
class Train:
    """Train a text GAN (Yala & Song, section 4)."""

    recipe: OmitArgPrefixes[TextConfig] = field(default=BEST)
    run: OmitArgPrefixes[RunConfig] = field(default_factory=RunConfig)


@dataclass(frozen=True)
class TrainGaussian:
    """Train a GAN on samples of N(0, 1) (Yala & Song, section 2)."""

    recipe: OmitArgPrefixes[GaussianConfig] = field(default_factory=lambda: GAUSSIAN_PRESETS["best"])
    run: OmitArgPrefixes[RunConfig] = field(default_factory=lambda: GAUSSIAN_RUN)
    seeds: int = 1
    """How many runs, of --seed and those that follow, in RUN/seed-<n>/; as many at a time as there are cores."""


TRAIN: dict[str, Any] = {"text": Train, "gaussian": TrainGaussian}


@dataclass(frozen=True)
class Evaluate:
    """Measure a checkpoint: of text perplexities, D, quality and diversity; of a Gaussian distances to N(0, 1)."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory, or that of several seeds: then medians, the worst W1 and the share that collapsed."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by the task's score (validation perplexity, W1); of the controls too."""
    data: str | None = None
    """Another text to take as the test set, in the run's vocabulary: a file, or a directory with ptb.test.txt."""
    temperatures: tuple[float, ...] = (1.0,)
    """Of sampling, to measure quality against diversity at each: 0.7 0.85 1 1.15 1.3, say. Each takes as long."""
    samples: int = 2000
    """Sequences generated at each temperature; they, and as many real ones, train the reverse language model."""
    quick: bool = False
    """Leave out what takes long: the quality of samples and the perplexity with the state carried over."""
    control: tuple[str, ...] = ()
    """Runs on the same data that learned nothing from a discriminator, to report what this one gained over them."""
    figure: str | None = None
    """Draw quality against diversity into this PNG."""
    json: bool = False
    """Print one JSON object and nothing else."""

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        if not self.temperatures:
            raise UsageError("--temperatures names none: give one or more, as 0.7 1 1.3")
        for temperature in self.temperatures:
            _check_temperature("--temperatures", temperature)
        if self.samples < 2:
            raise UsageError(f"--samples is {self.samples}: it must be 2 or more")
        if self.figure is not None:
            file = Path(self.figure)
            if self.quick:
                raise UsageError("--figure shows what --quick leaves out: give one of them")
            if file.exists():
                raise UsageError(f"--figure {file} is there already: give another name")
            if not file.parent.is_dir():
                raise UsageError(f"--figure {file}: there is no directory {file.parent}")


@dataclass(frozen=True)
class Sample:
    """Print sentences that the generator writes, or numbers, one per line."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    count: int = 10
    """How many."""
    seed: int = 0
    """Of the samples."""
    temperature: float = 1.0
    """Log-probabilities are divided by it: below 1 likely words become more likely, above 1 less."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by the task's score."""


@dataclass(frozen=True)
class Reproduce:
    """Draw a figure of the paper, section 2, as a PNG file, and say what it shows in numbers."""

    figure: Positional[Literal["figure2", "figure3", "figure4"]]
    """2: density and D before and after training; 3: both losses; 4: the effect of pre-training D."""
    preset: Preset = "paper"
    """With best, figure 2 and 3 have the cure beside the paper's recipe; figure 4 has it alone."""
    learning_rate: float | None = None
    """Of both players, in place of the preset's."""
    seed: int = 0
    """Of the runs."""
    out: str | None = None
    """The file to write. By default <figure>.png, here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0, 2 for what makes no sense, 1 for what failed, 130 when interrupted before training.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"train": train, "evaluate": evaluate, "sample": sample, "reproduce": reproduce}
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0 if words else 2
    if words[0] == "--version":
        print(f"rlgan {__version__}")
        return 0
    try:
        if words[0] not in commands:
            raise UsageError(f"unknown command {words[0]!r}: give one of {', '.join(commands)}")
        commands[words[0]](words[1:])
    except UsageError as error:
        return _fail(error, 2)
    except BrokenPipeError:  # who read our output has gone, as `head` does: no fault, and nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (RunError, OSError) as error:
        return _fail(error, 1)
    except MemoryError as error:
        return _fail(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return 0


def train(words: list[str]) -> None:
    """`rlgan train [text | gaussian] ...`."""
    name = words.pop(0) if words and not words[0].startswith("-") else "text"
    if name not in TRAIN:
        raise UsageError(f"unknown task {name!r}: give one of {', '.join(TRAIN)}")
    asked, saved = _resolve(name, words)
    if name == "gaussian" and asked.seeds != 1:
        _train_seeds(asked, words)
        return
    recipe, config = asked.recipe, asked.run

    from rich.console import Console

    from rlgan.run import RunDirectory, fingerprint
    from rlgan.tasks import load
    from rlgan.terminal import Terminal

    run = RunDirectory(Path(config.run_dir or _new_directory(recipe)))
    run.check(resume=config.resume)
    task = load(name, recipe)
    recipe_id = fingerprint(*task.identity)
    if saved is not None and saved["recipe_id"] != recipe_id:
        raise RunError(f"{task.data} is not the data that {run.path} was trained on: give the same with --data")
    config = _bounded(config, recipe)

    console = Console()
    terminal = Terminal(console)
    engine = _engine(task, config, terminal)
    try:
        run.claim()
        content = {
            "task": name,
            "recipe": dataclasses.asdict(task.config),
            "run": dataclasses.asdict(config),
            "recipe_id": recipe_id,
            "versions": _versions(),
        }
        run.save_config(content, task.vocabulary)
        terminal.log_to(run.log_file)
        first, *others = task.about
        for line in (f"rlgan {__version__}: {first}", *others, f"where: {engine.where}", f"run: {run.path}"):
            terminal.say(line)
        start = None
        if config.resume:
            start = run.checkpoints.set_aside_broken(terminal.say, recipe_id)
            terminal.say(f"going on from step {start.step}" if start else "no whole checkpoint: starting afresh")

        from rlgan.train import train as loop

        stopped = loop(task, config, run, start, recipe_id, engine, terminal)
    finally:
        engine.close()
    if stopped:
        again = "" if name == "text" else f"{name} "
        terminal.say(f"stopped by {stopped} and saved; to go on: rlgan train {again}--run-dir {run.path} --resume")
    here = Path(sys.executable).parent
    terminal.say(f"the run lies in {run.path}; to see it: {_short(here / 'tensorboard')} --logdir {run.path}")
    made = "sentences" if name == "text" else "samples"
    terminal.say(f"{made}: {_short(here / 'rlgan')} sample {run.path}")


def _train_seeds(asked: TrainGaussian, words: list[str]) -> None:
    """One run for each seed, in processes of their own."""
    if asked.seeds < 1:
        raise UsageError(f"--seeds is {asked.seeds}: it must be 1 or more")
    from rlgan.seeds import train_seeds

    folder = Path(asked.run.run_dir or _new_directory(asked.recipe))
    seeds = range(asked.recipe.seed, asked.recipe.seed + asked.seeds)
    if train_seeds(main, words, folder, seeds, resume=asked.run.resume):
        _evaluate_gaussian(Evaluate(str(folder), json=True), _seeds(folder))


def evaluate(words: list[str]) -> None:
    """`rlgan evaluate RUN ...`."""
    options = _parse(Evaluate, words, None, "rlgan evaluate")
    options.check()
    seeds = _seeds(Path(options.run))
    if seeds or _task_of(options.run) == "gaussian":
        _evaluate_gaussian(options, seeds)
        return
    run, recipe, checkpoint = _open(options.run, options.checkpoint)
    vocabulary = _vocabulary(run, recipe, checkpoint)

    from rich.console import Console

    from rlgan.data.text import DataError, encode
    from rlgan.device import prepare
    from rlgan.tasks.quality import PROTOCOL, Judge, difference
    from rlgan.tasks.text import TextTask

    try:
        task = TextTask.load(recipe)
    except DataError as error:
        raise RunError(f"the run's own data is needed, for its validation and unigrams: {error}") from error
    if task.corpus.words != vocabulary:
        raise RunError(f"{recipe.data} is not the data that {run.path} was trained on: put it back")
    controls = [_open_control(path, options.checkpoint, task) for path in options.control]
    if options.data is not None:
        rows, unknown = encode(Path(options.data), task.corpus.words, recipe.length, task.config.layout or "windows")
        task = dataclasses.replace(task, corpus=dataclasses.replace(task.corpus, test=rows, true_log_probs=None))

    device, temperatures = prepare(0), sorted(set(options.temperatures))
    with Console(stderr=True).status("") as status:
        judge = None if options.quick else Judge(task, options.samples, device, status.update)
        result = _measured(run, recipe, checkpoint, task, judge, temperatures)
        if judge:
            result |= {"quality_floor": judge.floor(), "quality_rows": judge.rows, "quality_samples": judge.samples}
            result |= {"quality_protocol": PROTOCOL}
        if options.data is not None:
            result |= {"test_data": options.data, "test_unknown_words": unknown}
        if controls:
            result["controls"] = [_measured(*control, task, judge, temperatures) for control in controls]
    for control in result.get("controls", []):
        control["gain_nats_per_token"] = math.log(control["test_perplexity"] / result["test_perplexity"])
        if judge:
            control["difference"] = difference(result["quality"], control["quality"])
    if options.json:
        print(json.dumps(result))
    else:
        _show(result)
    if options.figure is not None:
        from rlgan.evaluation.figures import quality_against_diversity

        curves = {entry["run"]: entry["quality"] for entry in (result, *result.get("controls", []))}
        quality_against_diversity(Path(options.figure), curves, result["quality_floor"])


def _evaluate_gaussian(options: Evaluate, seeds: list[Path]) -> None:
    """Measure a run of gaussian, or several seeds as one: medians, the worst W1, the share that collapsed."""
    for option in dataclasses.fields(options):
        if option.name not in ("run", "checkpoint", "json") and getattr(options, option.name) != option.default:
            raise UsageError(f"--{option.name} is for text: leave it out")
    found = [_measured_gaussian(str(path), options.checkpoint) for path in seeds or [Path(options.run)]]

    from rlgan.evaluation.gaussian import summarise

    result: dict[str, Any] = {"run": options.run} | (summarise(found) if seeds else found[0])
    if options.json:
        print(json.dumps(result))
    else:
        _show(result)


def _measured_gaussian(path: str, which: str) -> dict[str, Any]:
    run, recipe, checkpoint = _open(path, which, "gaussian")

    from rlgan.device import prepare
    from rlgan.tasks.gaussian import GaussianTask

    evaluation = GaussianTask(recipe).evaluator(prepare(0)).evaluate(checkpoint.weights)
    return {"run": str(run.path), "step": checkpoint.step} | evaluation.metrics


def _seeds(folder: Path) -> list[Path]:
    """The runs of several seeds in a directory, in the order of the seeds; none where it is a run itself."""
    numbered = [(entry.name.removeprefix("seed-"), entry) for entry in folder.glob("seed-*")]
    return [entry for _, entry in sorted((int(number), entry) for number, entry in numbered if number.isdecimal())]


def sample(words: list[str]) -> None:
    """`rlgan sample RUN ...`."""
    options = _parse(Sample, words, None, "rlgan sample")
    if options.count < 1 or options.seed < 0:
        raise UsageError(
            f"--count {options.count} --seed {options.seed}: the count must be 1 or more, the seed 0 or more"
        )
    _check_temperature("--temperature", options.temperature)
    if _task_of(options.run) == "gaussian":
        _sample_numbers(options)
        return
    run, recipe, checkpoint = _open(options.run, options.checkpoint)
    vocabulary = _vocabulary(run, recipe, checkpoint)

    from rlgan.data.text import to_text
    from rlgan.device import prepare
    from rlgan.tasks.text import generate, sampler

    player = sampler(recipe, vocabulary, prepare(0), options.temperature)
    made = generate(player, checkpoint.weights, options.count, options.seed)
    print("\n".join(to_text(vocabulary, made.tokens)), flush=True)


def _measured(
    run: "RunDirectory",
    recipe: TextConfig,
    checkpoint: "Checkpoint",
    task: "TextTask",
    judge: "Judge | None",
    temperatures: list[float],
) -> dict[str, Any]:
    """What `rlgan evaluate` finds of a run on the corpus of a task, and which run it is."""
    from rlgan.device import prepare
    from rlgan.tasks.quality import carried_perplexity

    own = dataclasses.replace(task, config=recipe)
    evaluation = own.evaluator(prepare(0)).evaluate(checkpoint.weights)
    result: dict[str, Any] = {
        "run": str(run.path),
        "step": checkpoint.step,
        "preset": recipe.preset,
        "method": recipe.method,
        "estimator": recipe.estimator,
        "weighting": recipe.weighting,
        "reward": recipe.reward,
        "reward_control": recipe.reward_control,
        "data": recipe.data,
    }
    result |= evaluation.metrics | evaluation.series
    if judge:
        result["test_perplexity_carried"] = carried_perplexity(own, checkpoint.weights, prepare(0))
        result["quality"] = [judge.generated(recipe, checkpoint.weights, t) for t in temperatures]
    return result


def _open_control(path: str, which: str, task: "TextTask") -> "tuple[RunDirectory, TextConfig, Checkpoint]":
    """Open a run to hold another one against.

    Raises:
        RunError: it has other words or other data, or learned from its discriminator.
    """
    from rlgan.tasks.text import TextTask

    run, recipe, checkpoint = _open(path, which)
    if _vocabulary(run, recipe, checkpoint) != task.corpus.words:
        raise RunError(f"--control {path} has another vocabulary: give a run on the same data")
    if recipe.reward_control == "none" and recipe.method != "mle":
        raise RunError(f"--control {path} learned from its discriminator: train one with --reward-control, or by mle")
    if TextTask.load(recipe).corpus.fingerprint != task.corpus.fingerprint:
        raise RunError(f"--control {path} has other data, or other rows of it: give a run on the same")
    return run, recipe, checkpoint


def _vocabulary(run: "RunDirectory", recipe: TextConfig, checkpoint: "Checkpoint") -> tuple[str, ...]:
    """A run's words.

    Raises:
        RunError: they are not those of the checkpoint's networks.
    """
    from rlgan.data.stories import END

    words = run.words()
    due = len(checkpoint.weights.generator["output.bias"])
    if len(words) != due or len(words) != len(set(words)) or (recipe.layout == "sentences" and END not in words):
        raise RunError(
            f"{run.vocabulary_file} has {len(set(words))} different words and does not fit the networks of checkpoint "
            f"{checkpoint.step}, which know {due}: put the run's own back"
        )
    return words


def _check_temperature(flag: str, temperature: float) -> None:
    # Written so that a NaN, for which every comparison is false, is refused too.
    if not 0.01 <= temperature <= 100:
        raise UsageError(f"{flag} has {temperature:g}: it must be from 0.01 to 100")


def _show(result: dict[str, Any]) -> None:
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


def _sample_numbers(options: Sample) -> None:
    """Samples of a run of gaussian."""
    if options.temperature != 1:
        raise UsageError("--temperature is for text: leave it out")
    _, recipe, checkpoint = _open(options.run, options.checkpoint, "gaussian")

    from rlgan.device import prepare
    from rlgan.tasks.gaussian import samples

    made = samples(recipe, checkpoint.weights, options.count, options.seed, prepare(0))
    print("\n".join(f"{x:.6f}" for x in made), flush=True)


def reproduce(words: list[str]) -> None:
    """`rlgan reproduce FIGURE`."""
    options = _parse(Reproduce, words, None, "rlgan reproduce")
    if options.seed < 0:
        raise UsageError(f"--seed is {options.seed}: it must be 0 or more")
    recipe = _at_rate(GAUSSIAN_PRESETS[options.preset], options)
    paper = _at_rate(GAUSSIAN_PRESETS["paper"], options)
    out = Path(options.out or f"{options.figure}.png")
    if out.suffix != ".png" or not out.parent.is_dir():
        raise UsageError(f"--out {out}: give a file that ends in .png, in a directory that is there")

    from rlgan.reproduce import FIGURES

    FIGURES[options.figure]([paper] if recipe == paper else [paper, recipe], out, print)
    print(out)


def _at_rate(recipe: GaussianConfig, options: Reproduce) -> GaussianConfig:
    rate = options.learning_rate
    if rate is not None:
        recipe = dataclasses.replace(recipe, generator_learning_rate=rate, discriminator_learning_rate=rate)
    recipe.check()
    return dataclasses.replace(recipe, seed=options.seed)


def _resolve(name: str, words: list[str]) -> tuple[Any, dict[str, Any] | None]:
    """Settings: what was typed, over those of the run that is gone on with, or else of the preset."""
    kind, program = TRAIN[name], "rlgan train" if name == "text" else f"rlgan train {name}"
    asked = _parse(kind, words, kind(), program)
    saved = None
    if asked.run.resume and asked.run.run_dir is not None and (Path(asked.run.run_dir) / "config.json").is_file():
        from rlgan.run import RunDirectory

        saved = RunDirectory(Path(asked.run.run_dir)).config()
        before = _restored(saved, name)
        # What was asked of that part of the run alone is not taken over; a new bound takes the place of all old ones.
        anew = dataclasses.replace(before.run, run_dir=None, resume=False, steps=None, epochs=None, minutes=None)
        asked = _parse(kind, words, dataclasses.replace(before, run=anew), program)
        if (asked.run.steps, asked.run.epochs, asked.run.minutes) == (None, None, None):
            bounds = {name: getattr(before.run, name) for name in ("steps", "epochs", "minutes")}
            asked = dataclasses.replace(asked, run=dataclasses.replace(asked.run, **bounds))
        differences = changed(before.recipe, asked.recipe)
        if differences:
            raise UsageError(
                f"--resume can't change {', '.join(differences)}: leave it as it was, or start another run"
            )
    else:
        # Once for the preset, and once for what it has for a method.
        for _ in range(2):
            asked = _parse(kind, words, kind(asked.recipe.defaults), program)
    asked.recipe.check()
    asked.run.check()
    return asked, saved


def _restored(saved: dict[str, Any], name: str) -> Any:
    if saved.get("task") != name:
        raise RunError(f"the run is one of {saved.get('task')}, not of {name}: give a run of {name}, or name its task")
    try:
        kind = TRAIN[name]
        # JSON has lists where a recipe has tuples.
        settings = {
            key: tuple(map(tuple, value)) if isinstance(value, list) else value
            for key, value in saved["recipe"].items()
        }
        return kind(type(kind().recipe)(**settings), RunConfig(**saved["run"]))
    except (TypeError, KeyError) as error:
        raise RunError(f"the run's config.json is of another version of rlgan: {error}") from None


def _bounded(config: RunConfig, recipe: Recipe) -> RunConfig:
    """A run for which no bound is given has its recipe's."""
    if (config.steps, config.epochs, config.minutes) != (None, None, None):
        return config
    return dataclasses.replace(config, **dataclasses.asdict(recipe.bounds))


def _engine(task: Any, config: RunConfig, terminal: Any) -> Any:
    if config.workers == 0:
        from rlgan.local import LocalEngine

        return LocalEngine(task, config)
    if not task.shards:
        terminal.say("no step of this task has rollouts: the workers will be idle")
    elif config.workers > task.shards:
        terminal.say(
            f"{config.workers} workers and {task.shards} shards: {config.workers - task.shards} will be "
            "idle; --shards belongs to the recipe and caps how many are useful"
        )
    terminal.say("starting Ray ...")
    from rlgan.cluster import RayEngine

    return RayEngine(task, config, terminal.say)


def _task_of(path: str) -> str:
    """The task of a run."""
    from rlgan.run import RunDirectory

    return str(RunDirectory(Path(path)).config().get("task"))


def _open(path: str, which: str, task: str = "text") -> "tuple[RunDirectory, Any, Checkpoint]":
    """The directory, recipe and checkpoint of a run of a task."""
    from rlgan.run import BrokenCheckpointError, RunDirectory

    run = RunDirectory(Path(path))
    saved = run.config()
    recipe = _restored(saved, task).recipe
    say = functools.partial(print, file=sys.stderr)
    best = run.checkpoints.best() if which == "best" else None
    if best is not None:
        try:
            return run, recipe, run.checkpoints.load(best, saved["recipe_id"])
        except BrokenCheckpointError as error:
            say(f"{error}; taking the newest in place of the best")
    newest = run.checkpoints.newest(say, saved["recipe_id"])
    if newest is None:
        raise RunError(f"{run.path} has no whole checkpoint: train first, or go on with --resume")
    return run, recipe, newest


def _new_directory(recipe: Recipe) -> Path:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{recipe.label}-{now}"


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "numpy", "ray", "gymnasium")
    return {"rlgan": __version__, "python": sys.version.split()[0]} | {name: version(name) for name in packages}


def _short(path: Path) -> str:
    """A path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _parse(kind: type[C], words: list[str], default: C | None, program: str) -> C:
    """Let tyro read the words.

    Raises:
        UsageError: with what tyro says in its box, on one line.
    """
    # Names of several words are taken with hyphens too, as flags have them.
    pairs = zip(["", *words][:-1], words, strict=True)
    words = [_CHOICES.get(word, word) if before.startswith("--") else word for before, word in pairs]
    box = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(box):
            parsed: C = tyro.cli(kind, args=words, prog=program, config=(FlagCreatePairsOff,), **options)
            return parsed
    except SystemExit as end:
        if not end.code:
            raise
        lines = [line.strip("│ ") for line in box.getvalue().splitlines() if line.startswith("│")]
        # Below the rule stands where to find help.
        said = itertools.takewhile(lambda line: not line.startswith("─"), lines)
        raise UsageError(f"{' '.join(said)}; see {program} --help") from None


def _fail(error: object, code: int) -> int:
    line = " ".join(str(error).split())
    print(f"rlgan: error: {printable(line)}", file=sys.stderr)
    return code
