"""The command line: `rlgan train | evaluate | sample`. What is slow to import is imported when it is needed."""

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
    BUILT_IN,
    Baseline,
    Estimator,
    RewardControl,
    RewardRule,
    RunConfig,
    RunError,
    TextConfig,
    UsageError,
    Weighting,
    changed,
    printable,
    text_preset,
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

    recipe: OmitArgPrefixes[TextConfig] = field(default=BEST)
    run: OmitArgPrefixes[RunConfig] = field(default_factory=RunConfig)


@dataclass(frozen=True)
class Evaluate:
    """Measure a checkpoint: perplexities, the discriminator, quality and diversity, beside real text."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by validation perplexity; of the controls too."""
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
    """Print sentences that the generator writes, one per line."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    count: int = 10
    """How many."""
    seed: int = 0
    """Of the samples."""
    temperature: float = 1.0
    """Log-probabilities are divided by it: below 1 likely words become more likely, above 1 less."""
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
    options.check()
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


def sample(words: list[str]) -> None:
    """`rlgan sample RUN ...`."""
    options = _parse(Sample, words, None, "rlgan sample")
    if options.count < 1 or options.seed < 0:
        raise UsageError(
            f"--count {options.count} --seed {options.seed}: the count must be 1 or more, the seed 0 or more"
        )
    _check_temperature("--temperature", options.temperature)
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
        named = _parse(Train, words, Train(text_preset(asked.recipe.preset)), "rlgan train").recipe
        preset = text_preset(named.preset, named.method, named.estimator)
        asked = _parse(Train, words, Train(preset), "rlgan train")
    recipe = asked.recipe
    recipe.check()
    asked.run.check()
    if recipe.data not in BUILT_IN:
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
