"""A run's directory: config, vocabulary, metrics, TensorBoard's events, log, and checkpoints that are whole or absent.

    RUN/config.json        the resolved settings and what they ran on
    RUN/vocabulary.json    the words by token, of text
    RUN/metrics.jsonl      a line per evaluation
    RUN/events/            for TensorBoard
    RUN/pictures/          what evaluations drew: <name>-epoch-<epoch>.png
    RUN/log.txt            what the terminal said
    RUN/checkpoints/<step>/{generator,discriminator,...}.safetensors and manifest.json

RUN is a directory, or an address of an object store: there, what can't be appended to (events, log) is written to a
directory of this machine and copied at every evaluation. No file is ever unpickled.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError
from tensorboard.summary.writer.event_file_writer import EventFileWriter  # type: ignore[import-untyped]
from torch.utils.tensorboard import SummaryWriter

from rlgan.errors import RunError
from rlgan.images.grids import save_png
from rlgan.runs.storage import Place, place, remove
from rlgan.types import Evaluation, Metrics, State, Weights

MANIFEST = "manifest.json"
SEAL = "sha256_of_the_rest"  # in it: of all else that it has
# What a run leaves that was killed before its config was written: nothing that could be lost.
BEGUN = {".lock", "vocabulary.json"}
_LAGGED = re.compile(r"(generator|discriminator)-at-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run goes on from: before training step `step`."""

    step: int
    state: State  # the learner's
    recipe: str  # SHA-256 of the recipe and the data
    seconds: float  # in training so far
    score: float | None = None  # the task's, where these weights were evaluated; less is better
    lagged: list[Weights] = field(default_factory=list)  # earlier versions that rollouts still need

    @property
    def weights(self) -> Weights:
        """What evaluations and samples use: with the average of the generator's weights, where there is one."""
        generator, average = self.state["generator"], self.state.get("generator_average")
        if average is None:
            return Weights(self.step, generator, self.state["discriminator"])
        return Weights(self.step, average, self.state["discriminator"], latest=generator)


class BrokenCheckpointError(RunError):
    """A checkpoint is cut short, altered, or of another recipe; the message says which and how."""


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: `RUN/checkpoints`.
        keep: how many of the newest stay, beside the best.
    """

    def __init__(self, folder: Place, keep: int = 1) -> None:
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """Of the checkpoints that are there, whole or not, in order."""
        if not self.folder.is_dir():
            return []
        return sorted(int(entry.name) for entry in self.folder.iterdir() if entry.name.isdecimal())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint beside its place and move it there, then remove those that need not stay.

        In an object store it is written in its place: until its manifest is there, which comes last, it is not whole.

        Raises:
            RunError: the disk is full, say. What was there before is as it was.
        """
        whole = self.folder / str(checkpoint.step)
        partial = self.folder / f".{checkpoint.step}.partial" if isinstance(whole, Path) else whole
        groups = dict(checkpoint.state)
        for weights in checkpoint.lagged:
            groups[f"generator-at-{weights.version}"] = weights.generator
            groups[f"discriminator-at-{weights.version}"] = weights.discriminator
        try:
            remove(partial)
            partial.mkdir(parents=True)
            sums = {
                name: _write(partial / f"{name}.safetensors", safetensors.numpy.save(g)) for name, g in groups.items()
            }
            manifest = {
                "step": checkpoint.step,
                "recipe": checkpoint.recipe,
                "seconds": checkpoint.seconds,
                "score": checkpoint.score,
                "sha256": sums,
            }
            _write(partial / MANIFEST, json.dumps(manifest | {SEAL: fingerprint(manifest)}, indent=1).encode())
            if isinstance(whole, Path):
                if whole.exists():  # a broken one, or the same step again after a resume
                    shutil.rmtree(whole)
                partial.rename(str(whole))
                _sync(whole.parent)
        except OSError as error:
            with suppress(OSError):
                remove(partial)
            raise RunError(f"checkpoint {checkpoint.step} can't be saved: {error}; {self.survivor()}") from error
        self._prune()

    def load(self, step: int, recipe: str | None = None) -> Checkpoint:
        """Read a checkpoint and check every byte of it.

        Args:
            step: which.
            recipe: the SHA-256 of the recipe that it must be of; None for any.

        Raises:
            BrokenCheckpointError: it is not whole, or not of this recipe.
            RunError: a store does not answer.
        """
        folder = self.folder / str(step)
        try:
            manifest = self._manifest(step)
            groups: State = {}
            for name, due in manifest["sha256"].items():
                if not re.fullmatch(r"[a-z_]+(-at-\d+)?", name):
                    raise BrokenCheckpointError(f"checkpoint {step} names a file {name!r} that is none of ours")
                content = (folder / f"{name}.safetensors").read_bytes()
                if hashlib.sha256(content).hexdigest() != due:
                    raise BrokenCheckpointError(
                        f"checkpoint {step} is damaged: {name}.safetensors is not what was saved"
                    )
                groups[name] = safetensors.numpy.load(content)
            if recipe is not None and manifest["recipe"] != recipe:
                raise BrokenCheckpointError(f"checkpoint {step} is of another recipe or other data")
            lagged = [
                Weights(int(match[2]), groups.pop(name), groups.pop(f"discriminator-at-{match[2]}"))
                for name in list(groups)
                if (match := _LAGGED.fullmatch(name)) and match[1] == "generator"
            ]
            return Checkpoint(
                step=int(manifest["step"]),
                state=groups,
                recipe=manifest["recipe"],
                seconds=manifest["seconds"],
                score=manifest["score"],
                lagged=lagged,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            self._check_answers(folder, error)
            raise BrokenCheckpointError(f"checkpoint {step} is not whole: {_brief(error)}") from error

    def _manifest(self, step: int) -> dict[str, Any]:
        """What a checkpoint says of itself.

        Raises:
            BrokenCheckpointError: it is not what was saved.
            OSError, ValueError, AttributeError, KeyError: it is not there, or no manifest.
        """
        manifest: dict[str, Any] = json.loads((self.folder / str(step) / MANIFEST).read_bytes())
        if manifest.pop(SEAL) != fingerprint(manifest) or manifest["step"] != step:
            raise BrokenCheckpointError(f"checkpoint {step} is damaged: {MANIFEST} is not what was saved")
        return manifest

    def _check_answers(self, folder: Place, error: Exception) -> None:
        # What a store does not give now may be whole all the same.
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and not isinstance(folder, Path):
            raise RunError(f"{folder} can't be read: {error}") from error

    def newest(self, say: Callable[[str], None], recipe: str | None = None) -> Checkpoint | None:
        """Load the newest whole checkpoint; say of each newer one why it was passed over. None where there is none."""
        for step in reversed(self.steps()):
            try:
                return self.load(step, recipe)
            except BrokenCheckpointError as error:
                say(f"{error}; trying the one before")
        return None

    def set_aside_broken(self, say: Callable[[str], None], recipe: str) -> Checkpoint | None:
        """Rename the checkpoints that can't be gone on from: they would count among the newest, or as the best.

        What is left of a save that was killed is removed: this process must have claimed the run.

        Returns:
            The newest of the others, or None.
        """
        if isinstance(self.folder, Path):
            for partial in self.folder.glob(".*.partial"):
                remove(partial)
        newest = None
        for step in self.steps():
            try:
                newest = self.load(step, recipe)
            except BrokenCheckpointError as error:
                broken = self.folder / str(step)
                aside = broken.with_name(f"{step}.unused-{time.time_ns()}")
                broken.rename(str(aside))
                say(f"{error}; it is now {aside.name}")
        return newest

    def best(self) -> int | None:
        """The step of the checkpoint of the least score."""
        scores = {step: self._score(step) for step in self.steps()}
        known = {step: score for step, score in scores.items() if score is not None}
        return min(known, key=known.__getitem__) if known else None

    def best_score(self) -> float:
        """The least score of a checkpoint; infinite where there is none."""
        best = self.best()
        score = None if best is None else self._score(best)
        return float("inf") if score is None else score

    def _score(self, step: int) -> float | None:
        try:
            value = self._manifest(step)["score"]
        except (BrokenCheckpointError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._check_answers(self.folder / str(step), error)
            return None
        return None if value is None else float(value)

    def _prune(self) -> None:
        for step in set(self.steps()[: -self.keep]) - {self.best()}:
            remove(self.folder / str(step))

    def survivor(self) -> str:
        """Say which checkpoint is the last whole one."""
        steps = self.steps()
        return f"the last whole one is {self.folder / str(steps[-1])}" if steps else "there is none yet"


class RunDirectory:
    """A run's directory, held by one process at a time.

    Args:
        path: a path, or a URL of what fsspec opens.

    Raises:
        RunError: nothing that is installed opens it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = place(path)
        self.config_file = self.path / "config.json"
        self.vocabulary_file = self.path / "vocabulary.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self._lock_file = self.path / ".lock"
        self._claim = uuid.uuid4().hex.encode()
        self._published: dict[Path, int] = {}  # sizes

    @cached_property
    def _here(self) -> Path:
        """Where files are written that are appended to, or by libraries; if that is not `path`, they are copied."""
        return self.path if isinstance(self.path, Path) else Path(tempfile.mkdtemp(prefix="rlgan-"))

    @property
    def events(self) -> Path:
        """For TensorBoard."""
        return self._here / "events"

    @property
    def pictures(self) -> Path:
        """Those of every evaluation."""
        return self._here / "pictures"

    @property
    def log_file(self) -> Path:
        """What the terminal said."""
        return self._here / "log.txt"

    def check(self, *, resume: bool) -> None:
        """Check that a run may be written here; changes nothing.

        Raises:
            RunError: it holds something and this is no resume, or something else than a run, or a link leads elsewhere.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is not a directory: give --run-dir another path")
        if self.path.is_dir() and {entry.name for entry in self.path.iterdir()} - BEGUN:
            if not resume:
                raise RunError(f"{self.path} is not empty: give --run-dir another path, or --resume to go on with it")
            if not self.config_file.is_file():
                raise RunError(f"{self.path} is not empty and holds no run (no config.json): give another --run-dir")
        self._check_links()

    def _check_links(self) -> None:
        # Else whoever gives a run to others could have them read, overwrite and remove what lies outside of it.
        home = os.path.realpath(str(self.path))
        for folder, folders, files in os.walk(self.path) if isinstance(self.path, Path) else ():
            for entry in (Path(folder, name) for name in (*folders, *files)):
                if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(home):
                    raise RunError(
                        f"{entry} is a symbolic link that leads out of the run: put in its place what it names"
                    )

    def claim(self) -> None:
        """Make the directory, and lock it until this process ends.

        An object store has no locks: there, who claims a run last has it, and who had it before stops at its next
        evaluation. What both have written meanwhile is the same, bit for bit.

        Raises:
            RunError: another process is at work in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if not isinstance(self._lock_file, Path):
            self._lock_file.write_bytes(self._claim)
            if (log := self.path / "log.txt").exists():
                self.log_file.write_bytes(log.read_bytes())
            return
        self._lock = self._lock_file.open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{self.path} is in use by another process: wait for it, or give another --run-dir"
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP):  # some shared disks know no locks
                raise

    def check_claim(self) -> None:
        """Check that this process still has the run, before it changes it.

        Raises:
            RunError: another process has claimed it meanwhile.
        """
        if not isinstance(self._lock_file, Path) and self._lock_file.read_bytes() != self._claim:
            raise RunError(f"{self.path} has been taken over by another process: this one stops")

    def publish(self) -> None:
        """Copy what was written on this machine alone to where it belongs."""
        if isinstance(self.path, Path):
            return
        self.check_claim()
        for file in self._here.rglob("*"):
            if file.is_file() and self._published.get(file) != file.stat().st_size:
                self._published[file] = (self.path / str(file.relative_to(self._here))).write_bytes(file.read_bytes())

    def close(self) -> None:
        """Copy all that is left, and remove what is not needed on this machine."""
        if not isinstance(self.path, Path):
            try:
                with suppress(RunError):
                    self.publish()
            finally:
                shutil.rmtree(self._here)

    def save_config(self, config: dict[str, Any], words: tuple[str, ...]) -> None:
        """Write the settings, and the vocabulary where there is one; whole or not at all."""
        if words:
            _replace(self.vocabulary_file, json.dumps(list(words), indent=1).encode())
        _replace(self.config_file, json.dumps(config, indent=1).encode())

    def config(self) -> dict[str, Any]:
        """The settings as they were saved.

        Raises:
            RunError: there is no run, or its config can't be read, or a link in it leads elsewhere.
        """
        self._check_links()
        config = _read_json(self.config_file)
        if not isinstance(config, dict) or not {"task", "recipe", "run", "recipe_id"} <= config.keys():
            raise RunError(
                f"{self.config_file} is not the config of a run: it is damaged, or of another version of rlgan"
            )
        return config

    def words(self) -> tuple[str, ...]:
        """The vocabulary.

        Raises:
            RunError: there is no run, or its vocabulary can't be read.
        """
        words = _read_json(self.vocabulary_file)
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise RunError(f"{self.vocabulary_file} is no list of words: it is damaged")
        return tuple(words)


class Recorder:
    """Writes metrics.jsonl and TensorBoard's events.

    Args:
        run: where.
        after: the step of the checkpoint that training goes on from, or -1: what was recorded after it is taken back.
    """

    def __init__(self, run: RunDirectory, after: int) -> None:
        self._run = run
        lines = run.metrics_file.read_bytes().decode(errors="replace").splitlines() if run.metrics_file.exists() else []
        self._lines = [line for line in lines if _step_of(line) <= after]
        if self._lines != lines:
            self._save()
        self.last_step = int(_step_of(self._lines[-1])) if self._lines else -1
        self._unhandled = threading.excepthook
        threading.excepthook = self._overhear
        self._events = SummaryWriter(str(run.events), purge_step=after + 1)

    def training(self, step: int, metrics: Metrics) -> None:
        """Scalars of one training step, for TensorBoard."""
        for name, value in metrics.items():
            self._events.add_scalar(f"training/{name}", value, step)

    def evaluation(
        self, step: int, labels: dict[str, str], evaluation: Evaluation, metrics: Metrics, counts: dict[str, int]
    ) -> None:
        """A line of metrics.jsonl, and all of it for TensorBoard.

        Args:
            step: updates so far.
            labels: what the run is one of.
            evaluation: of the weights.
            metrics: of training since the last evaluation.
            counts: shards made, by worker.

        Raises:
            RunError: the disk is full, say, or another process has claimed the run.
        """
        line = {"step": step} | labels | evaluation.metrics | evaluation.series | metrics | {"shards_by_worker": counts}
        self._lines.append(json.dumps(line))
        self._save()
        self.last_step = step
        try:
            self._show(step, evaluation, metrics, counts)
            self._events.flush()
            self._run.publish()
        except OSError as error:
            raise RunError(
                f"what was evaluated can't be written: {error}; {self._run.checkpoints.survivor()}"
            ) from error

    def close(self) -> None:
        """Write what is not written yet."""
        # What it can't write any more it has said at an evaluation; said again, it would hide why the run ends.
        with suppress(OSError):
            self._events.close()
        threading.excepthook = self._unhandled

    def _overhear(self, error: threading.ExceptHookArgs) -> None:
        # What TensorBoard's thread could not write, the next flush raises: a traceback of it would only hide our line.
        if type(error.thread).__module__ != EventFileWriter.__module__:
            self._unhandled(error)

    def _show(self, step: int, evaluation: Evaluation, metrics: Metrics, counts: dict[str, int]) -> None:
        for name, value in evaluation.metrics.items():
            self._events.add_scalar(f"evaluation/{name}", value, step)
        for name, value in metrics.items():
            self._events.add_scalar(f"run/{name}", value, step)
        for name, count in counts.items():
            self._events.add_scalar(f"run/shards_{name}", count, step)
        for name, values in evaluation.series.items():
            for position, value in enumerate(values, 1):
                self._events.add_scalar(f"positions/{name}/{position:02}", value, step)
        for name, sample in evaluation.histograms.items():
            self._events.add_histogram(name, np.asarray(sample), step)
        for name, picture in evaluation.pictures.items():
            self._events.add_image(name, picture, step, dataformats="HWC")
            self._run.pictures.mkdir(exist_ok=True)
            save_png(picture, self._run.pictures / f"{name}-epoch-{metrics['epoch']:06.2f}.png")
        if evaluation.texts:
            # As a block of code: Markdown would take `<unk>` for a tag and drop it.
            self._events.add_text("samples", "\n".join(f"    {text}" for text in evaluation.texts), step)

    def _save(self) -> None:
        self._run.check_claim()
        _replace(self._run.metrics_file, "".join(line + "\n" for line in self._lines).encode())


def fingerprint(*parts: object) -> str:
    """SHA-256 of things that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # cut short when the process was killed: taken back


def _read_json(file: Place) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{file.parent} holds no run (no {file.name}): give the directory of one") from None
    except ValueError as error:
        raise RunError(f"{file} can't be read: {_brief(error)}") from None


def _write(file: Place, content: bytes) -> str:
    """Write a file through to the disk and give its SHA-256."""
    if isinstance(file, Path):
        with file.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    else:
        file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _replace(file: Place, content: bytes) -> None:
    """Write a file anew; whoever looks, or a full disk, finds the old one or the new one, whole."""
    beside = file.with_name(f".{file.name}.partial") if isinstance(file, Path) else file
    try:
        _write(beside, content)
        if beside != file:
            beside.rename(str(file))
    except OSError as error:
        if isinstance(beside, Path):
            with suppress(OSError):
                beside.unlink(missing_ok=True)
        raise RunError(f"{file} can't be written: {error}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
