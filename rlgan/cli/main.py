"""The command line: `rlgan train | evaluate | sample | reproduce`. What is slow to import is imported late."""

import contextlib
import dataclasses
import datetime
import io
import itertools
import json
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

from rlgan import __version__
from rlgan.engine.settings import GAUSSIAN_RUN, IMAGE_RUN, RunConfig
from rlgan.errors import RunError, UsageError
from rlgan.gaussian.settings import GAUSSIAN_PRESETS, GaussianConfig
from rlgan.images.settings import IMAGE_PRESETS, ImageConfig
from rlgan.settings import Preset, Recipe, changed, printable
from rlgan.text.settings import BEST, Baseline, Estimator, RewardControl, RewardRule, TextConfig, Weighting

if TYPE_CHECKING:
    from rlgan.cli.measure import Opened

C = TypeVar("C")

# Names of several words are taken with hyphens too, as flags have them: by flag, what is typed and what is meant.
_SPELLINGS: dict[str, dict[str, str]] = {
    flag: {choice.replace("_", "-"): choice for choice in get_args(choices)}
    for flag, choices in {
        "--reward": RewardRule,
        "--reward-control": RewardControl,
        "--estimator": Estimator,
        "--weighting": Weighting,
        "--baseline": Baseline,
    }.items()
}

HELP = f"""rlgan {__version__}: GANs for text, trained by reinforcement learning with Ray, for pictures and a Gaussian

  rlgan train [text] ...    train; without arguments PolicyGan on the built-in stories
  rlgan train image ...     train on pictures; without arguments on faces that are drawn here
  rlgan train gaussian ...  train a perceptron pair on N(0, 1), or on 8 or 25 Gaussians in the plane
  rlgan evaluate RUN ...    measure a run's checkpoint, or those of several seeds
  rlgan sample RUN ...      print sentences that a run's generator writes, or numbers, or draw pictures
  rlgan reproduce FIGURE    draw figure2, figure3, figure4 or figure5 of the paper

`rlgan COMMAND --help` lists what a command takes."""


@dataclass(frozen=True)
class Train:
    """Train a text GAN (Yala & Song, section 4)."""

    recipe: OmitArgPrefixes[TextConfig] = field(default=BEST)
    run: OmitArgPrefixes[RunConfig] = field(default_factory=RunConfig)


@dataclass(frozen=True)
class TrainGaussian:
    """Train a GAN on samples of N(0, 1) (Yala & Song, section 2), or of a mixture of Gaussians in the plane."""

    recipe: OmitArgPrefixes[GaussianConfig] = field(default_factory=lambda: GAUSSIAN_PRESETS["best"])
    run: OmitArgPrefixes[RunConfig] = field(default_factory=lambda: GAUSSIAN_RUN)
    seeds: int = 1
    """How many runs, of --seed and those that follow, in RUN/seed-<n>/; as many at a time as there are cores."""


@dataclass(frozen=True)
class TrainImage:
    """Train a GAN on pictures (Yala & Song, section 3)."""

    recipe: OmitArgPrefixes[ImageConfig] = field(default_factory=lambda: IMAGE_PRESETS["best"])
    run: OmitArgPrefixes[RunConfig] = field(default_factory=lambda: IMAGE_RUN)


TRAIN: dict[str, Any] = {"text": Train, "gaussian": TrainGaussian, "image": TrainImage}


@dataclass(frozen=True)
class Evaluate:
    """Measure a checkpoint: of text perplexities, D, quality and diversity; else distances to the data."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory, or that of several seeds: medians, the worst of some measures, the share collapsed."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by the task's score (validation perplexity, W1); of the controls too."""
    data: str | None = None
    """Another text to take as the test set, in the run's vocabulary: a file, or a directory with ptb.test.txt."""
    temperatures: tuple[float, ...] = (0.7, 1.0, 1.3)
    """Of sampling, to measure quality against diversity at each. Each takes as long."""
    samples: int = 2000
    """Sequences generated at each temperature; they, and as many real ones, train the reverse language model."""
    quick: bool = False
    """Leave out what takes long: the quality of samples and the perplexity with the state carried over."""
    control: tuple[str, ...] = ()
    """Runs on the same data that learned nothing from a discriminator, to report what this one gained over them."""
    figure: str | None = None
    """Draw quality against diversity into this PNG."""
    inception: str | None = None
    """Weights of the Inception network, a file: measure the true FID of pictures too."""
    cache: str | None = None
    """Where decoded pictures are kept, as `rlgan train image` has it."""
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
            if self.quick:
                raise UsageError("--figure shows what --quick leaves out: give one of them")
            _check_new("--figure", Path(self.figure))


@dataclass(frozen=True)
class Sample:
    """Print sentences that the generator writes, or numbers, one per line; or draw pictures."""

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run's directory."""
    count: int = 10
    """How many."""
    seed: int = 0
    """Of the samples."""
    temperature: float = 1.0
    """Of text: log-probabilities are divided by it, so that below 1 likely words become more likely, above 1 less."""
    checkpoint: Literal["newest", "best"] = "newest"
    """Which: the newest whole one, or the best by the task's score."""
    out: str | None = None
    """Of pictures: the PNG to write, a grid of them. By default samples.png, here."""


@dataclass(frozen=True)
class Reproduce:
    """Draw a figure of the paper, sections 2 and 3, as a PNG file, and say what it shows in numbers."""

    figure: Positional[Literal["figure2", "figure3", "figure4", "figure5"]]
    """2: density and D before and after training; 3: both losses; 4: the effect of pre-training D; 5: the average
    picture, and pictures after epochs 2, 5, 10 and 17."""
    preset: Preset = "paper"
    """With best, figure 2 and 3 have the cure beside the paper's recipe; figures 4 and 5 have it alone."""
    data: str = "faces"
    """Of figure 5: what `rlgan train image` takes."""
    learning_rate: float | None = None
    """Of both players, in place of the preset's."""
    seed: int = 0
    """Of the runs."""
    out: str | None = None
    """The file to write. By default <figure>.png, here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0, 2 for what makes no sense, 1 for what failed, 130 or 143 when interrupted or terminated
        before training.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"train": train, "evaluate": evaluate, "sample": sample, "reproduce": reproduce}
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0 if words else 2
    if words[0] == "--version":
        print(f"rlgan {__version__}")
        return 0
    terminated: list[int] = []
    try:
        if words[0] not in commands:
            raise UsageError(f"unknown command {words[0]!r}: give one of {', '.join(commands)}")
        with _terminable(terminated):
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
        return _fail("terminated", 143) if terminated else _fail("interrupted", 130)
    return 0


@contextlib.contextmanager
def _terminable(terminated: list[int]) -> Iterator[None]:
    """Let SIGTERM end this process as Ctrl-C does, in order, and note that it came."""

    def end(number: int, _: object) -> None:
        terminated.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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

    from rlgan.runs.directory import RunDirectory
    from rlgan.runs.files import fingerprint
    from rlgan.runs.terminal import Terminal
    from rlgan.task import load

    run = RunDirectory(config.run_dir or _new_directory(recipe))
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and isinstance(run.path, Path) and not run.path.is_absolute():
        raise UsageError(
            f"--run-dir {run.path} is relative: a job's directory goes when it ends, so give an absolute path"
        )
    run.check(resume=config.resume)
    task = load(name, recipe)
    recipe_id = fingerprint(*task.identity)
    if saved is not None and saved["recipe_id"] != recipe_id:
        raise RunError(f"{task.data} is not the data that {run.path} was trained on: give the same with --data")
    config = _bounded(config, recipe)

    terminal = Terminal(Console())
    engine = _engine(task, config, terminal)
    try:
        run.claim()
        content = {
            "task": name,
            "recipe": dataclasses.asdict(task.config),
            "run": dataclasses.asdict(config),
            "recipe_id": recipe_id,
            "versions": _versions(),
            "kinds": engine.kinds,
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
            before = (saved or {}).get("kinds", engine.kinds)
            moved = [
                f"{what} now on {kind}, before on {before.get(what)}"
                for what, kind in engine.kinds.items()
                if kind != before.get(what)
            ]
            if start and moved:
                terminal.say(f"another kind of machine ({'; '.join(moved)}): the result is not bit-identical")

        task.prepare(engine.map, terminal.say)

        from rlgan.runs.training import train as loop

        stopped = loop(task, config, run, start, recipe_id, engine, terminal)
    except BaseException:
        engine.close()
        with contextlib.suppress(RunError, OSError):  # they would hide why the run ends
            run.close()
        raise
    engine.close()
    if stopped:
        again = "" if name == "text" else f"{name} "
        terminal.say(f"stopped by {stopped} and saved; to go on: rlgan train {again}--run-dir {run.path} --resume")
    here = Path(sys.executable).parent
    terminal.say(f"the run lies in {run.path}; to see it: {_short(here / 'tensorboard')} --logdir {run.path}")
    made = "sentences" if name == "text" else "samples"
    terminal.say(f"{made}: {_short(here / 'rlgan')} sample {run.path}")
    run.close()


def _train_seeds(asked: TrainGaussian, words: list[str]) -> None:
    """One run for each seed, in processes of their own."""
    if asked.seeds < 1:
        raise UsageError(f"--seeds is {asked.seeds}: it must be 1 or more")
    from rlgan.cli.measure import measure_seeds
    from rlgan.cli.measure import seeds as seeds_of
    from rlgan.runs.seeds import train_seeds

    if "://" in (asked.run.run_dir or ""):
        raise UsageError("--seeds needs a --run-dir on this machine: give a path")
    folder = Path(asked.run.run_dir or _new_directory(asked.recipe))
    seeds = range(asked.recipe.seed, asked.recipe.seed + asked.seeds)
    for run in seeds_of(folder) if asked.run.resume else ():
        _check_same(run, asked.recipe, seeds)
    if train_seeds(main, ["train", "gaussian", *words], folder, seeds, resume=asked.run.resume):
        print(json.dumps(measure_seeds(seeds_of(folder), "newest")))


def _check_same(run: Path, recipe: GaussianConfig, seeds: range) -> None:
    """Check that one of several runs is one of those asked for: what is not typed again has the preset's value."""
    from rlgan.cli.measure import restored
    from rlgan.runs.directory import RunDirectory

    if not (run / "config.json").is_file():  # killed before it began
        return
    before, _ = restored(RunDirectory(run).config(), "gaussian")
    differences = changed(dataclasses.replace(before, seed=recipe.seed), recipe)
    if before.seed not in seeds:
        differences.append(f"its seed, {before.seed}, is not from {seeds.start} to {seeds.stop - 1}")
    if differences:
        raise UsageError(
            f"--seeds with --resume goes on with what is typed, and {run} differs ({', '.join(differences)}): type the "
            "same as before"
        )


def evaluate(words: list[str]) -> None:
    """`rlgan evaluate RUN ...`."""
    options = _parse(Evaluate, words, None, "rlgan evaluate")
    options.check()

    from rlgan.cli.measure import Opened, inception_distance, measure, measure_seeds, measure_text, seeds, show

    several = seeds(Path(options.run))
    opened = None if several else Opened.of(options.run, options.checkpoint)
    if opened is None or opened.task != "text":
        for name in ("data", "temperatures", "samples", "quick", "control", "figure"):
            if getattr(options, name) != getattr(Evaluate(options.run), name):
                raise UsageError(f"--{name} is for text, and {options.run} is none: leave it out")
    if opened is not None and opened.task == "image":
        opened = dataclasses.replace(opened, recipe=dataclasses.replace(opened.recipe, cache=options.cache))
    else:
        for name in ("inception", "cache"):
            if getattr(options, name) is not None:
                raise UsageError(f"--{name} is for pictures, and {options.run} has none: leave it out")
    result: dict[str, Any]
    if opened is None:
        result = {"run": options.run} | measure_seeds(several, options.checkpoint)
    elif opened.task == "text":
        samples = None if options.quick else options.samples
        temperatures = sorted(set(options.temperatures))
        result = measure_text(opened, options.checkpoint, options.data, temperatures, samples, options.control)
    else:
        result = measure(opened)
        if options.inception is not None:
            result["fid"] = inception_distance(opened, Path(options.inception))
    if options.json:
        print(json.dumps(result))
    else:
        show(result)
    if options.figure is not None:
        from rlgan.text.figures import quality_against_diversity

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

    from rlgan.cli.measure import Opened

    opened = Opened.of(options.run, options.checkpoint)
    if opened.task != "text" and options.temperature != 1:
        raise UsageError(f"--temperature is for text, and {options.run} is none: leave it out")
    if opened.task != "image" and options.out is not None:
        raise UsageError(f"--out is for pictures, and {options.run} has none: leave it out")
    lines = {"text": _sentences, "gaussian": _numbers, "image": _pictures}[opened.task](opened, options)
    print("\n".join(lines), flush=True)


def _sentences(opened: "Opened", options: Sample) -> list[str]:
    from rlgan.device import prepare
    from rlgan.text.corpus import to_text
    from rlgan.text.task import generate, sampler

    words = opened.vocabulary
    player = sampler(opened.recipe, words, prepare(0), options.temperature)
    return to_text(words, generate(player, opened.checkpoint.weights, options.count, options.seed).tokens)


def _numbers(opened: "Opened", options: Sample) -> list[str]:
    from rlgan.device import prepare
    from rlgan.gaussian.task import samples

    made = samples(opened.recipe, opened.checkpoint.weights, options.count, options.seed, prepare(0))
    return [" ".join(f"{x:.6f}" for x in one) for one in made]


def _pictures(opened: "Opened", options: Sample) -> list[str]:
    out = _new_png("samples" if options.out is None else options.out)

    from rlgan.device import prepare
    from rlgan.images.grids import grid, save_png
    from rlgan.images.task import samples

    made = samples(opened.recipe, opened.checkpoint.weights, options.count, options.seed, prepare(0))
    save_png(grid(made, math.ceil(math.sqrt(options.count))), out)
    return [str(out)]


def reproduce(words: list[str]) -> None:
    """`rlgan reproduce FIGURE`."""
    options = _parse(Reproduce, words, None, "rlgan reproduce")
    if options.seed < 0:
        raise UsageError(f"--seed is {options.seed}: it must be 0 or more")
    out = _new_png(options.figure if options.out is None else options.out)
    if options.figure == "figure5":
        recipe = dataclasses.replace(_at_rate(IMAGE_PRESETS[options.preset], options), data=options.data)
        recipe.check()

        from rlgan.engine.processes import in_processes
        from rlgan.images.reproduce import figure5

        figure5(recipe, out, in_processes, print)
    else:
        if options.data != "faces":
            raise UsageError(f"--data is for figure5: {options.figure} has none; leave it out")
        preset, paper = (_at_rate(GAUSSIAN_PRESETS[name], options) for name in (options.preset, "paper"))

        from rlgan.gaussian.reproduce import FIGURES

        FIGURES[options.figure]([paper] if preset == paper else [paper, preset], out, print)
    print(out)


A = TypeVar("A", GaussianConfig, ImageConfig)


def _at_rate(recipe: A, options: Reproduce) -> A:
    rate = options.learning_rate
    if rate is not None:
        recipe = dataclasses.replace(recipe, generator_learning_rate=rate, discriminator_learning_rate=rate)
    recipe.check()
    return dataclasses.replace(recipe, seed=options.seed)


def _new_png(name: str) -> Path:
    """A PNG file to write, which is not there yet; .png is added to a name without an ending."""
    out = Path(name)
    if not out.name:
        raise UsageError(f"--out {name!r} names no file: give one that ends in .png")
    if not out.suffix:
        out = out.with_name(f"{out.name}.png")
    if out.suffix != ".png":
        raise UsageError(f"--out {out}: give a file that ends in .png")
    _check_new("--out", out)
    return out


def _resolve(name: str, words: list[str]) -> tuple[Any, dict[str, Any] | None]:
    """Settings: what was typed, over those of the run that is gone on with, or else of the preset."""
    kind, program = TRAIN[name], "rlgan train" if name == "text" else f"rlgan train {name}"
    asked = _parse(kind, words, kind(), program)
    saved = None
    from rlgan.runs.storage import place

    if asked.run.resume and asked.run.run_dir is not None and (place(asked.run.run_dir) / "config.json").is_file():
        from rlgan.cli.measure import restored
        from rlgan.runs.directory import RunDirectory

        saved = RunDirectory(asked.run.run_dir).config()
        before = kind(*restored(saved, name))
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
        asked = _parse(kind, words, kind(asked.recipe.defaults), program)
    asked.recipe.check()
    asked.run.check()
    return asked, saved


def _check_new(flag: str, file: Path) -> None:
    """Check that a file can be written without losing one."""
    if file.exists():
        raise UsageError(f"{flag} {file} is there already: give another name")
    if not file.parent.is_dir():
        raise UsageError(f"{flag} {file}: there is no directory {file.parent}")


def _check_temperature(flag: str, temperature: float) -> None:
    # Written so that a NaN, for which every comparison is false, is refused too.
    if not 0.01 <= temperature <= 100:
        raise UsageError(f"{flag} has {temperature:g}: it must be from 0.01 to 100")


def _bounded(config: RunConfig, recipe: Recipe) -> RunConfig:
    """A run for which no bound is given has its recipe's."""
    if (config.steps, config.epochs, config.minutes) != (None, None, None):
        return config
    return dataclasses.replace(config, **dataclasses.asdict(recipe.bounds))


def _engine(task: Any, config: RunConfig, terminal: Any) -> Any:
    if config.workers == 0:
        from rlgan.engine.local import LocalEngine

        return LocalEngine(task, config)
    if task.parts % config.learners:
        raise UsageError(
            f"--learners {config.learners}: a batch of this recipe can be cut into {task.parts} equal parts, so give a "
            "divisor of that, or change --batch-size, --shards or --group"
        )
    if not task.shards:
        terminal.say("no step of this task has rollouts: once the data is prepared, the workers will be idle")
    elif (fewest := config.fleet(task.shards)[0]) > task.shards:
        terminal.say(
            f"{fewest} workers and {task.shards} shards: {fewest - task.shards} will be "
            "idle; --shards belongs to the recipe and caps how many are useful"
        )
    terminal.say("starting Ray ...")
    from rlgan.engine.ray_engine import RayEngine

    return RayEngine(task, config, terminal.say)


def _new_directory(recipe: Recipe) -> Path:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{recipe.label}-{now}"


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "numpy", "ray", "gymnasium")
    return {"rlgan": __version__, "python": sys.version.split()[0]} | {name: version(name) for name in packages}


def _short(path: Path) -> str:
    """A path as one would type it here."""
    try:
        relative = os.path.relpath(path)
    except FileNotFoundError:  # of a job Ray has taken the working directory away by now
        return str(path)
    return str(path) if relative.startswith("..") else relative


def _parse(kind: type[C], words: list[str], default: C | None, program: str) -> C:
    """Let tyro read the words.

    Raises:
        UsageError: with what tyro says in its box, on one line.
    """
    words = [_spelled(word, before) for before, word in zip(["", *words][:-1], words, strict=True)]
    box = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(box):
            parsed: C = tyro.cli(kind, args=words, prog=program, **options)
            return parsed
    except SystemExit as end:
        if not end.code:
            raise
        lines = [line.strip("│ ") for line in box.getvalue().splitlines() if line.startswith("│")]
        # Below the rule stands where to find help.
        said = itertools.takewhile(lambda line: not line.startswith("─"), lines)
        raise UsageError(f"{' '.join(said)}; see {program} --help") from None


def _spelled(word: str, before: str) -> str:
    """A word as tyro takes it, typed after another."""
    flag, equals, value = word.partition("=")
    if equals and flag in _SPELLINGS:
        return f"{flag}={_SPELLINGS[flag].get(value, value)}"
    return _SPELLINGS.get(before, {}).get(word, word)


def _fail(error: object, code: int) -> int:
    line = " ".join(str(error).split())
    print(f"rlgan: error: {printable(line)}", file=sys.stderr)
    return code
