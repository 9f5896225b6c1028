"""The command line: `rlgan train | evaluate | sample | reproduce`. What is slow to import is imported late."""

import contextlib
import dataclasses
import datetime
import functools
import io
import itertools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, arg

from rlgan import __version__
from rlgan.config import (
    GAUSSIAN_PRESETS,
    GAUSSIAN_RUN,
    PRESETS,
    TEXT_PRESETS,
    GaussianConfig,
    Preset,
    Recipe,
    RunConfig,
    RunError,
    TextConfig,
    UsageError,
    changed,
    printable,
)

if TYPE_CHECKING:
    from rlgan.run import Checkpoint, RunDirectory
    from rlgan.types import Metrics

C = TypeVar("C")

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

    recipe: OmitArgPrefixes[TextConfig] = field(default_factory=lambda: TEXT_PRESETS["best"])
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
    """Measure a checkpoint: of text perplexities, D's accuracy, diversity; of a Gaussian distances to N(0, 1)."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory, or that of several seeds: then medians, the worst W1 and the share that collapsed."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by the task's score (validation perplexity, W1)."""
    data: str | None = None
    """Another text to take as the test set, in the run's vocabulary: a file, or a directory with ptb.test.txt."""
    json: bool = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True)
class Sample:
    """Print sentences that the generator writes, or numbers, one per line."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    count: int = 10
    """How many."""
    seed: int = 0
    """Of the samples."""
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
        print(json.dumps(_measure_seeds(_seeds(folder), "newest")))


def evaluate(words: list[str]) -> None:
    """`rlgan evaluate RUN ...`."""
    options = _parse(Evaluate, words, None, "rlgan evaluate")
    seeds = _seeds(Path(options.run))
    if seeds:
        if options.data is not None:
            raise UsageError("--data is for text: leave it out")
        result: dict[str, Any] = {"run": options.run} | _measure_seeds(seeds, options.checkpoint)
    else:
        result = _measure(options.run, options.checkpoint, options.data)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        values = value if isinstance(value, list) else [value]
        print(f"{name:34} {' '.join(f'{v:.4g}' if isinstance(v, float) else str(v) for v in values)}")


def _measure(path: str, which: str, data: str | None) -> dict[str, Any]:
    """Measure a run's checkpoint."""
    name, run, recipe, checkpoint = _open(path, which)

    from rlgan.data.text import DataError
    from rlgan.device import prepare
    from rlgan.tasks import load

    result: dict[str, Any] = {"run": str(run.path), "step": checkpoint.step}
    try:
        task: Any = load(name, recipe)
    except DataError as error:
        raise RunError(f"the run's own data is needed, for its validation and unigrams: {error}") from error
    if task.vocabulary and task.vocabulary != run.words():
        raise RunError(f"{task.data} is not the data that {run.path} was trained on: put it back")
    if data is not None:
        if name != "text":
            raise UsageError(f"--data is for text, and {run.path} is a run of {name}: leave it out")
        task, unknown = task.tested_on(data)
        result |= {"test_data": data, "test_unknown_words": unknown}
    evaluation = task.evaluator(prepare(0)).evaluate(checkpoint.weights)
    result |= evaluation.metrics | evaluation.series
    return result


def _seeds(folder: Path) -> list[Path]:
    """The runs of several seeds in a directory, in the order of the seeds; none where it is a run itself."""
    numbered = [(entry.name.removeprefix("seed-"), entry) for entry in folder.glob("seed-*")]
    return [entry for _, entry in sorted((int(number), entry) for number, entry in numbered if number.isdecimal())]


def _measure_seeds(runs: list[Path], which: str) -> "Metrics":
    """Measure the runs of several seeds, as one."""
    from rlgan.evaluation.gaussian import summarise

    found = [_measure(str(run), which, None) for run in runs]
    if any("w1" not in one for one in found):
        raise RunError(f"{runs[0].parent} holds runs of other tasks than gaussian: give one of them")
    return summarise([{name: value for name, value in one.items() if isinstance(value, float)} for one in found])


def sample(words: list[str]) -> None:
    """`rlgan sample RUN ...`."""
    options = _parse(Sample, words, None, "rlgan sample")
    if options.count < 1 or options.seed < 0:
        raise UsageError(
            f"--count {options.count} --seed {options.seed}: the count must be 1 or more, the seed 0 or more"
        )
    name, run, recipe, checkpoint = _open(options.run, options.checkpoint)

    lines = {"text": _sentences, "gaussian": _numbers}[name](run, recipe, checkpoint, options)
    print("\n".join(lines), flush=True)


def _sentences(run: "RunDirectory", recipe: Any, checkpoint: "Checkpoint", options: Sample) -> list[str]:
    from rlgan.data.text import to_text
    from rlgan.device import prepare
    from rlgan.tasks.text import generate, sampler

    words = run.words()
    made = generate(sampler(recipe, words, prepare(0)), checkpoint.weights, options.count, options.seed)
    return to_text(words, made.tokens)


def _numbers(run: "RunDirectory", recipe: Any, checkpoint: "Checkpoint", options: Sample) -> list[str]:  # noqa: ARG001
    from rlgan.device import prepare
    from rlgan.tasks.gaussian import samples

    made = samples(recipe, checkpoint.weights, options.count, options.seed, prepare(0))
    return [f"{x:.6f}" for x in made]


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
        asked = _parse(kind, words, kind(PRESETS[name][asked.recipe.preset]), program)
    asked.recipe.check()
    asked.run.check()
    return asked, saved


def _restored(saved: dict[str, Any], name: str) -> Any:
    if saved.get("task") != name:
        raise RunError(f"the run is one of {saved.get('task')}, not of {name}: give its task, or another --run-dir")
    try:
        kind, recipe = TRAIN[name], type(PRESETS[name]["best"])
        # JSON has lists where a recipe has tuples.
        settings = {
            key: tuple(map(tuple, value)) if isinstance(value, list) else value
            for key, value in saved["recipe"].items()
        }
        return kind(recipe(**settings), RunConfig(**saved["run"]))
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


def _open(path: str, which: str) -> "tuple[str, RunDirectory, Any, Checkpoint]":
    """A run's task, directory, recipe and checkpoint."""
    from rlgan.run import BrokenCheckpointError, RunDirectory

    run = RunDirectory(Path(path))
    saved = run.config()
    name = saved.get("task")
    if name not in TRAIN:
        raise RunError(f"{run.config_file} names no task that there is: it is of another version of rlgan")
    recipe = _restored(saved, name).recipe
    say = functools.partial(print, file=sys.stderr)
    best = run.checkpoints.best() if which == "best" else None
    if best is not None:
        try:
            return name, run, recipe, run.checkpoints.load(best, saved["recipe_id"])
        except BrokenCheckpointError as error:
            say(f"{error}; taking the newest in place of the best")
    newest = run.checkpoints.newest(say, saved["recipe_id"])
    if newest is None:
        raise RunError(f"{run.path} has no whole checkpoint: train first, or go on with --resume")
    return name, run, recipe, newest


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
