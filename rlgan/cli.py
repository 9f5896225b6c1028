"""The command line: `rlgan train | evaluate | sample`. What is slow to import is imported when it is needed."""

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
from rlgan.config import TEXT_PRESETS, RunConfig, RunError, TextConfig, UsageError, changed, printable

if TYPE_CHECKING:
    from rlgan.run import Checkpoint, RunDirectory

C = TypeVar("C")

# Of a run on the stories for which nothing is said: three minutes of two cores with all that comes before and after.
STORIES_STEPS = 800
STORIES_MINUTES = 2.5

HELP = f"""rlgan {__version__}: GANs for text, trained by reinforcement learning with Ray

  rlgan train [text] ...    train; without arguments PolicyGan on the built-in stories
  rlgan evaluate RUN ...    measure a run's checkpoint
  rlgan sample RUN ...      print sentences that a run's generator writes

`rlgan COMMAND --help` lists what a command takes."""


@dataclass(frozen=True)
class Train:
    """Train a text GAN (Yala & Song, section 4)."""

    recipe: OmitArgPrefixes[TextConfig] = field(default_factory=lambda: TEXT_PRESETS["best"])
    run: OmitArgPrefixes[RunConfig] = field(default_factory=RunConfig)


@dataclass(frozen=True)
class Evaluate:
    """Measure a checkpoint: perplexities, the discriminator's accuracy, diversity."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by validation perplexity."""
    data: str | None = None
    """Another text to take as the test set, in the run's vocabulary: a file, or a directory with ptb.test.txt."""
    json: bool = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True)
class Sample:
    """Print sentences that the generator writes, one per line."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    count: int = 10
    """How many."""
    seed: int = 0
    """Of the samples."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by validation perplexity."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0, 2 for what makes no sense, 1 for what failed, 130 when interrupted before training.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"train": train, "evaluate": evaluate, "sample": sample}
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
    """`rlgan train [text] ...`."""
    if words and not words[0].startswith("-"):
        task_name = words.pop(0)
        if task_name != "text":
            raise UsageError(f"unknown task {task_name!r}: there is text")
    recipe, config, saved = _resolve(words)

    from rich.console import Console

    from rlgan.run import RunDirectory, fingerprint
    from rlgan.tasks.text import TextTask
    from rlgan.terminal import Terminal

    run = RunDirectory(Path(config.run_dir or _new_directory(recipe.method)))
    run.check(resume=config.resume)
    task = TextTask.load(recipe)
    recipe_id = fingerprint(dataclasses.asdict(dataclasses.replace(task.config, data="")), task.corpus.fingerprint)
    if saved is not None and saved["recipe_id"] != recipe_id:
        raise RunError(f"{recipe.data} is not the data that {run.path} was trained on: give the same with --data")
    config = _bounded(config, recipe)

    console = Console()
    terminal = Terminal(console)
    engine = _engine(task, config, terminal)
    try:
        run.claim()
        content = {
            "task": "text",
            "recipe": dataclasses.asdict(task.config),
            "run": dataclasses.asdict(config),
            "recipe_id": recipe_id,
            "versions": _versions(),
        }
        run.save_config(content, task.corpus.words)
        terminal.log_to(run.log_file)
        splits = (task.corpus.train, task.corpus.validation, task.corpus.test)
        sizes = " / ".join(f"{len(rows.tokens):,}" for rows in splits)
        terminal.say(f"rlgan {__version__}: {recipe.method} on text, preset {recipe.preset}, seed {recipe.seed}")
        terminal.say(
            f"data: {task.corpus.name}, {len(task.corpus.words):,} words; {sizes} {task.config.layout} "
            f"of {recipe.length} tokens to train / validate / test"
        )
        terminal.say(f"where: {engine.where}")
        terminal.say(f"run: {run.path}")
        start = None
        if config.resume:
            start = run.checkpoints.set_aside_broken(terminal.say, recipe_id)
            terminal.say(f"going on from step {start.step}" if start else "no whole checkpoint: starting afresh")

        from rlgan.train import train as loop

        stopped = loop(task, config, run, start, recipe_id, engine, terminal)
    finally:
        engine.close()
    if stopped:
        terminal.say(f"stopped by {stopped} and saved; to go on: rlgan train --run-dir {run.path} --resume")
    here = Path(sys.executable).parent
    terminal.say(f"the run lies in {run.path}; to see it: {_short(here / 'tensorboard')} --logdir {run.path}")
    terminal.say(f"sentences: {_short(here / 'rlgan')} sample {run.path}")


def evaluate(words: list[str]) -> None:
    """`rlgan evaluate RUN ...`."""
    options = _parse(Evaluate, words, None, "rlgan evaluate")
    run, recipe, checkpoint = _open(options.run, options.checkpoint)

    from rlgan.data.text import DataError, encode
    from rlgan.device import prepare
    from rlgan.tasks.text import TextTask

    try:
        task = TextTask.load(recipe)
    except DataError as error:
        raise RunError(f"the run's own data is needed, for its validation and unigrams: {error}") from error
    if task.corpus.words != run.words():
        raise RunError(f"{recipe.data} is not the data that {run.path} was trained on: put it back")
    result: dict[str, Any] = {"run": str(run.path), "step": checkpoint.step}
    if options.data is not None:
        rows, unknown = encode(Path(options.data), task.corpus.words, recipe.length, task.config.layout or "windows")
        task = dataclasses.replace(task, corpus=dataclasses.replace(task.corpus, test=rows, true_log_probs=None))
        result |= {"test_data": options.data, "test_unknown_words": unknown}
    evaluation = task.evaluator(prepare(0)).evaluate(checkpoint.weights)
    result |= evaluation.metrics | evaluation.series
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        values = value if isinstance(value, list) else [value]
        print(f"{name:34} {' '.join(f'{v:.4g}' if isinstance(v, float) else str(v) for v in values)}")


def sample(words: list[str]) -> None:
    """`rlgan sample RUN ...`."""
    options = _parse(Sample, words, None, "rlgan sample")
    if options.count < 1 or options.seed < 0:
        raise UsageError(
            f"--count {options.count} --seed {options.seed}: the count must be 1 or more, the seed 0 or more"
        )
    run, recipe, checkpoint = _open(options.run, options.checkpoint)

    from rlgan.data.text import to_text
    from rlgan.device import prepare
    from rlgan.tasks.text import generate, sampler

    vocabulary = run.words()
    made = generate(sampler(recipe, vocabulary, prepare(0)), checkpoint.weights, options.count, options.seed)
    print("\n".join(to_text(vocabulary, made.tokens)), flush=True)


def _resolve(words: list[str]) -> tuple[TextConfig, RunConfig, dict[str, Any] | None]:
    """Settings: what was typed, over those of the run that is gone on with, or else of the preset."""
    asked = _parse(Train, words, Train(), "rlgan train")
    saved = None
    if asked.run.resume and asked.run.run_dir is not None and (Path(asked.run.run_dir) / "config.json").is_file():
        from rlgan.run import RunDirectory

        saved = RunDirectory(Path(asked.run.run_dir)).config()
        before = _restored(saved)
        # What was asked of that part of the run alone is not taken over; a new bound takes the place of all old ones.
        anew = dataclasses.replace(before.run, run_dir=None, resume=False, steps=None, epochs=None, minutes=None)
        asked = _parse(Train, words, dataclasses.replace(before, run=anew), "rlgan train")
        if (asked.run.steps, asked.run.epochs, asked.run.minutes) == (None, None, None):
            bounds = {name: getattr(before.run, name) for name in ("steps", "epochs", "minutes")}
            asked = dataclasses.replace(asked, run=dataclasses.replace(asked.run, **bounds))
        differences = changed(before.recipe, asked.recipe)
        if differences:
            raise UsageError(
                f"--resume can't change {', '.join(differences)}: leave it as it was, or start another run"
            )
    else:
        asked = _parse(Train, words, Train(TEXT_PRESETS[asked.recipe.preset]), "rlgan train")
    recipe = asked.recipe
    recipe.check()
    asked.run.check()
    if recipe.data != "stories":
        recipe = dataclasses.replace(recipe, data=str(Path(recipe.data).expanduser().resolve()))
    return recipe, asked.run, saved


def _restored(saved: dict[str, Any]) -> Train:
    try:
        recipe = dict(saved["recipe"])
        recipe["curriculum"] = tuple((epoch, w) for epoch, w in recipe["curriculum"])  # JSON has lists
        return Train(TextConfig(**recipe), RunConfig(**saved["run"]))
    except (TypeError, KeyError) as error:
        raise RunError(f"the run's config.json is of another version of rlgan: {error}") from None


def _bounded(config: RunConfig, recipe: TextConfig) -> RunConfig:
    """Without a bound: a short look at the stories, also on a slow machine; an epoch of anything else."""
    if (config.steps, config.epochs, config.minutes) != (None, None, None):
        return config
    if recipe.data == "stories":
        return dataclasses.replace(config, steps=STORIES_STEPS, minutes=STORIES_MINUTES)
    return dataclasses.replace(config, epochs=1)


def _engine(task: Any, config: RunConfig, terminal: Any) -> Any:
    if config.workers == 0:
        from rlgan.local import LocalEngine

        return LocalEngine(task, config)
    if config.workers > task.config.shards:
        terminal.say(
            f"{config.workers} workers and {task.config.shards} shards: {config.workers - task.config.shards} will be "
            "idle; --shards belongs to the recipe and caps how many are useful"
        )
    terminal.say("starting Ray ...")
    from rlgan.cluster import RayEngine

    return RayEngine(task, config, terminal.say)


def _open(path: str, which: str) -> "tuple[RunDirectory, TextConfig, Checkpoint]":
    """A run's directory, recipe and checkpoint."""
    from rlgan.run import BrokenCheckpointError, RunDirectory

    run = RunDirectory(Path(path))
    saved = run.config()
    recipe = _restored(saved).recipe
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


def _new_directory(method: str) -> Path:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"text-{method}-{now}"


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
