"""Checkpoints that are whole or absent. None is ever unpickled: who gives away a run gives away data, not a program.

RUN/checkpoints/<step>/{generator,discriminator,...}.safetensors
RUN/checkpoints/<step>/manifest.json    step, recipe, seconds, score, and the SHA-256 of each file and of itself
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.numpy
from safetensors import SafetensorError

from rlgan.errors import RunError
from rlgan.runs.files import fingerprint, first_line, sync_folder, write_through
from rlgan.runs.storage import Place, remove
from rlgan.types import State, Weights

MANIFEST = "manifest.json"
# The key of the manifest that holds the SHA-256 of its other entries.
MANIFEST_SUM = "sha256_of_the_rest"
_STEP = re.compile(r"0|[1-9][0-9]*")
_FILE_NAME = re.compile(r"[a-z_]+(-at-\d+)?")
_LAGGED_GENERATOR = re.compile(r"generator-at-(\d+)")
# What reading a checkpoint raises that is cut short, altered, or is something else altogether.
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError)


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to go on: its state before training step `step`."""

    step: int
    state: State  # of the learner
    recipe_id: str  # SHA-256 of the recipe and the data
    seconds: float  # in training so far
    score: float | None = None  # the task's selection metric, where these weights were evaluated; less is better
    lagged: list[Weights] = field(default_factory=list)  # earlier versions that coming rollouts are made with

    @property
    def weights(self) -> Weights:
        """What evaluations and samples use: the average of the generator's weights, where the run keeps one."""
        generator, average = self.state["generator"], self.state.get("generator_average")
        if average is None:
            return Weights(self.step, generator, self.state["discriminator"])
        return Weights(self.step, average, self.state["discriminator"], raw=generator)


class BrokenCheckpointError(RunError):
    """A checkpoint is cut short, altered, or of another recipe; the message says which and how."""


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: `RUN/checkpoints`.
        keep: how many of the newest stay, beside the one of the least score.
        say: tells a person a line, once, where the disk gives less than it should.
    """

    def __init__(self, folder: Place, keep: int = 1, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.keep = keep
        self._say = say

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, whole or not, in ascending order."""
        if not self.folder.is_dir():
            return []
        # By the names alone: in a store, opening each would take a request.
        # `02`, say, is no name that `save` gives.
        return sorted(int(entry.name) for entry in self.folder.iterdir() if _STEP.fullmatch(entry.name))

    def save(self, checkpoint: Checkpoint) -> None:
        """Save a checkpoint, then remove those that need not stay.

        Raises:
            RunError: the disk is full, say. What was there before is as it was.
        """
        final = self.folder / str(checkpoint.step)
        # A disk can rename a folder in one go. A store can't: there, the checkpoint is written under its final name.
        partial = self.folder / f".{checkpoint.step}.partial" if isinstance(final, Path) else final
        is_there = False
        try:
            # What is there of the same step has the same bits, and may be whole: in a store it is written over, each
            # file whole or not at all, and the manifest last.
            is_there = partial is final and partial.exists()
            if not is_there:
                # A save that was killed may have left one.
                remove(partial)
                partial.mkdir(parents=True)
            _write(partial, checkpoint)
            if isinstance(final, Path) and isinstance(partial, Path):
                _put_in_place(partial, final)
                self._sync(final.parent)
                remove(_replaced(final))
        except OSError as error:
            if not is_there:
                with suppress(OSError):
                    remove(partial)
            raise RunError(f"Checkpoint {checkpoint.step} can't be saved: {error}; {self.survivor()}") from error
        # Last: until the new checkpoint is whole, the old ones are all that a crash leaves.
        self._prune()

    def load(self, step: int, recipe_id: str | None = None) -> Checkpoint:
        """Read a checkpoint and check every byte of it.

        Args:
            step: of the checkpoint.
            recipe_id: the SHA-256 of the recipe and the data that it must be of; None accepts any.

        Raises:
            BrokenCheckpointError: it is not whole, or not of this recipe.
            RunError: an object store does not answer.
        """
        with _told_as_broken(self.folder / str(step)):
            manifest = self._manifest(step, recipe_id)
            state: State = {name: safetensors.numpy.load(content) for name, content in self._contents(step, manifest)}
            lagged = _take_lagged(state)
            return Checkpoint(
                int(manifest["step"]), state, manifest["recipe"], manifest["seconds"], manifest["score"], lagged
            )

    def check(self, step: int, recipe_id: str) -> None:
        """Check every byte of a checkpoint against its sums, a file at a time, without making tensors of them.

        Raises:
            BrokenCheckpointError: it is not whole, or not of this recipe.
            RunError: an object store does not answer.
        """
        with _told_as_broken(self.folder / str(step)):
            for _ in self._contents(step, self._manifest(step, recipe_id)):
                pass

    def newest(self, say: Callable[[str], None], recipe_id: str | None = None) -> Checkpoint | None:
        """Load the newest whole checkpoint; say of each newer one why it was skipped. None where there is none."""
        for step in reversed(self.steps()):
            try:
                return self.load(step, recipe_id)
            except BrokenCheckpointError as error:
                say(f"{error}; the one before it is tried")
        return None

    def set_aside_broken(self, say: Callable[[str], None], recipe_id: str) -> Checkpoint | None:
        """Rename the checkpoints that training can't go on from, and remove what a killed save left.

        They would otherwise count among the newest, or as the best. This process must have claimed the run.

        Returns:
            The newest of the others, or None.
        """
        if isinstance(self.folder, Path):
            for partial in self.folder.glob(".*.partial"):
                remove(partial)
            # Of a save that was killed between its two renames.
            for replaced in self.folder.glob(".*.replaced"):
                final = self.folder / replaced.name.split(".")[1]
                if final.exists():
                    remove(replaced)
                else:
                    replaced.rename(final)
        newest = None
        for step in reversed(self.steps()):
            try:
                if newest is None:
                    newest = self.load(step, recipe_id)
                else:
                    self.check(step, recipe_id)
            except BrokenCheckpointError as error:
                broken = self.folder / str(step)
                # Renamed, not removed: it may be another run's checkpoint that somebody copied here.
                unused = broken.with_name(f"{step}.unused-{time.time_ns()}")
                broken.rename(str(unused))
                say(f"{error}; it is now {unused.name}")
        return newest

    def best(self) -> int | None:
        """The step of the checkpoint of the least score; None where no checkpoint has a score."""
        scores = self._scores()
        return min(scores, key=scores.__getitem__) if scores else None

    def best_score(self) -> float:
        """The least score of a checkpoint; infinite where no checkpoint has a score."""
        return min(self._scores().values(), default=float("inf"))

    def survivor(self) -> str:
        """Say in half a sentence which checkpoint is the last whole one."""
        steps = self.steps()
        return f"the last whole checkpoint is {self.folder / str(steps[-1])}" if steps else "no checkpoint exists yet"

    def _manifest(self, step: int, recipe_id: str | None = None) -> dict[str, Any]:
        """The manifest of a checkpoint, without its own sum.

        Raises:
            BrokenCheckpointError: it is not what was saved, or is of another recipe than that.
            OSError, ValueError, AttributeError, KeyError: it is not there, or is no manifest.
        """
        manifest: dict[str, Any] = json.loads((self.folder / str(step) / MANIFEST).read_bytes())
        if manifest.pop(MANIFEST_SUM) != fingerprint(manifest) or manifest["step"] != step:
            raise BrokenCheckpointError(f"Checkpoint {step} is damaged: {MANIFEST} is not what was saved")
        if recipe_id is not None and manifest["recipe"] != recipe_id:
            raise BrokenCheckpointError(f"Checkpoint {step} is of another recipe or other data")
        return manifest

    def _contents(self, step: int, manifest: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        """The names and the contents of the files of a checkpoint, each of which has the sum that it must have."""
        for name, due in manifest["sha256"].items():
            yield name, _read(self.folder / str(step), name, due)

    def _scores(self) -> dict[int, float]:
        """The scores by step of the checkpoints that have one."""
        scores = {}
        for step in self.steps():
            try:
                score = self._manifest(step)["score"]
            except (BrokenCheckpointError, *_READ_ERRORS) as error:
                _check_store_answers(self.folder / str(step), error)
                continue
            if score is not None:
                scores[step] = float(score)
        return scores

    def _sync(self, folder: Path) -> None:
        reason = sync_folder(folder)
        if reason and self._say:
            self._say(f"this disk can't write a folder through ({reason}): a power failure may cost a checkpoint")
            self._say = None

    def _prune(self) -> None:
        old = set(self.steps()[: -self.keep])
        if old:  # or no manifest need be read
            for step in old - {self.best()}:
                remove(self.folder / str(step))


def _replaced(final: Path) -> Path:
    return final.with_name(f".{final.name}.replaced")


def _put_in_place(partial: Path, final: Path) -> None:
    """Give a checkpoint its final name; one of that name is there under another until then, also after a crash."""
    replaced = _replaced(final)
    remove(replaced)
    if final.is_symlink():  # what it leads to is none of ours
        raise OSError(f"{final} is a symbolic link")
    if final.exists():  # a broken one, or the same step, which was saved before it was measured
        final.rename(replaced)
    try:
        partial.rename(final)
    except OSError:
        if replaced.exists():
            replaced.rename(final)
        raise


def _write(folder: Place, checkpoint: Checkpoint) -> None:
    """Write the files of a checkpoint into a folder that is empty, or in a store has the same step."""
    groups = dict(checkpoint.state)
    for weights in checkpoint.lagged:
        groups[f"generator-at-{weights.version}"] = weights.generator
        groups[f"discriminator-at-{weights.version}"] = weights.discriminator
    sums = {
        name: write_through(folder / f"{name}.safetensors", safetensors.numpy.save(tensors))
        for name, tensors in groups.items()
    }
    manifest = {
        "step": checkpoint.step,
        "recipe": checkpoint.recipe_id,
        "seconds": checkpoint.seconds,
        "score": checkpoint.score,
        "sha256": sums,
    }
    # Last of all: in a store, where nothing is renamed, a checkpoint without a manifest is one whose save was killed.
    content = json.dumps(manifest | {MANIFEST_SUM: fingerprint(manifest)}, indent=1)
    write_through(folder / MANIFEST, content.encode())


def _read(folder: Place, name: str, due: str) -> bytes:
    """Read the file of a group of tensors, which must have this SHA-256."""
    # The name comes from a file that anybody may have written: `../../secret` must not lead out of the folder.
    if not _FILE_NAME.fullmatch(name):
        raise BrokenCheckpointError(
            f"Checkpoint {folder.name} is damaged: its manifest names the file {name!r}, which no checkpoint has"
        )
    content = (folder / f"{name}.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != due:
        raise BrokenCheckpointError(f"Checkpoint {folder.name} is damaged: {name}.safetensors is not what was saved")
    return content


def _take_lagged(state: State) -> list[Weights]:
    """Take the weights of earlier versions out of what was read, which is then the learner's state."""
    versions = [match[1] for name in state if (match := _LAGGED_GENERATOR.fullmatch(name))]
    return [
        Weights(int(version), state.pop(f"generator-at-{version}"), state.pop(f"discriminator-at-{version}"))
        for version in versions
    ]


@contextmanager
def _told_as_broken(folder: Place) -> Iterator[None]:
    """Turn what reading a checkpoint raises into a BrokenCheckpointError."""
    try:
        yield
    except _READ_ERRORS as error:
        _check_store_answers(folder, error)
        raise BrokenCheckpointError(f"Checkpoint {folder.name} is not whole: {first_line(error)}") from error


def _check_store_answers(folder: Place, error: Exception) -> None:
    """Raise RunError where a store did not answer: what it does not give now may be whole all the same."""
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and not isinstance(folder, Path):
        raise RunError(f"{folder} can't be read: {error}") from error
