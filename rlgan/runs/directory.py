"""A run's directory: what lies where in it, which process may write to it, and its settings.

    RUN/config.json        the resolved settings, and what they ran on
    RUN/vocabulary.json    the words by token, where the task is text
    RUN/metrics.jsonl      a line per evaluation
    RUN/events/            for TensorBoard
    RUN/pictures/          what evaluations drew: <name>-epoch-<epoch>-step-<step>.png, and <name>.gif
    RUN/log.txt            what the terminal said
    RUN/checkpoints/       see rlgan.runs.checkpoints

RUN is a directory, or an address in an object store. There, what is appended to (events, log) is written to a directory
of this machine and copied at every evaluation.
"""

import errno
import fcntl
import itertools
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

from rlgan.errors import RunError
from rlgan.runs.checkpoints import Checkpoints
from rlgan.runs.files import AbsentError, read_json, replace
from rlgan.runs.near import meant_runs
from rlgan.runs.storage import Place, place

# What a run can't be started beside. All else is none of a run's: `lost+found` of a fresh volume, a job's own log.
# Neither are `.lock` and `vocabulary.json`, which a run leaves that was killed before its config was written.
RUN_NAMES = {"config.json", "metrics.jsonl", "events", "pictures", "log.txt", "checkpoints"}

# What shared disks answer that have no locks at all, or no server for them.
NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL}


class RunDirectory:
    """A run's directory, which one process at a time may write to.

    Args:
        path: a path, or a URL that fsspec opens.

    Raises:
        RunError: no installed library opens it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = place(path)
        self.config_file = self.path / "config.json"
        self.vocabulary_file = self.path / "vocabulary.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self._lock_file = self.path / ".lock"
        self._claim = uuid.uuid4().hex.encode()
        self._locked: IO[str] | None = None
        self._published: dict[Path, int] = {}  # sizes of the files that were copied to the store

    @cached_property
    def local(self) -> Path:
        """A folder of this machine for files that are appended to, or that libraries write; `publish` copies them.

        It is the run's directory itself, unless that lies in an object store.
        """
        return self.path if isinstance(self.path, Path) else Path(tempfile.mkdtemp(prefix="rlgan-"))

    @property
    def events(self) -> Path:
        """The folder for TensorBoard."""
        return self.local / "events"

    @property
    def pictures(self) -> Path:
        """The folder for what evaluations draw."""
        return self.local / "pictures"

    @property
    def log_file(self) -> Path:
        """What the terminal said."""
        return self.local / "log.txt"

    def check(self, *, resume: bool | Literal["auto"]) -> None:
        """Check that a run may be written here; changes nothing.

        Args:
            resume: whether a run is continued; auto: where there is one.

        Raises:
            RunError: it holds a run and this is no resume, or none and this is one, or a part of one, or a link leads
                elsewhere.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is not a directory: give --run-dir another path")
        if _holds_a_run(self.path):
            if not resume and self.has_begun():
                raise RunError(f"{self.path} is not empty: give --run-dir another path{_going_on(self.path)}")
            if not self.config_file.is_file():
                raise RunError(f"{self.path} is not empty and holds no run (no config.json): give another --run-dir")
        elif resume is True:
            raise RunError(
                f"{self.path} holds no run to go on with: give --resume auto to start one there, or another --run-dir"
                f"{meant_runs(self.path)}"
            )
        check_links(self.path)

    def has_begun(self) -> bool:
        """Whether there is anything to go on with, or to lose: not where the data was refused, say."""
        # In a store, which has no locks, a run that has not come so far may be at work.
        fresh = isinstance(self.path, Path) and self.config_file.is_file()
        return not fresh or bool(self.checkpoints.steps()) or self.metrics_file.exists()

    def claim(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Make the directory, and lock it until `close`, or until this process ends.

        An object store has no locks: there, the process that claims a run last has it, and the one that had it before
        stops at its next evaluation. What both have written meanwhile is the same, bit for bit.

        Args:
            say: is told where the disk has no locks.

        Raises:
            RunError: another process is at work in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if isinstance(self._lock_file, Path):
                self._lock(self._lock_file, say)
                return
        except OSError as error:
            raise RunError(f"{self.path} can't be written: {error}; give another --run-dir") from error
        self._lock_file.write_bytes(self._claim)
        # A resumed run appends to its log, and animates its pictures from the first on: files of this machine.
        pictures = self.path / "pictures"
        earlier = [each for each in pictures.iterdir() if each.name.endswith(".png")] if pictures.is_dir() else []
        if (log := self.path / "log.txt").exists():
            earlier.append(log)
        for each in earlier:
            here = self.pictures / each.name if each.parent.name == "pictures" else self.log_file
            here.parent.mkdir(exist_ok=True)
            self._published[here] = here.write_bytes(each.read_bytes())

    def _lock(self, file: Path, say: Callable[[str], None]) -> None:
        # Held by an open file, so that the system takes the lock back however this process ends; a file that says
        # "in use" would outlive a process that is killed.
        self._locked = file.open("w")
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{self.path} is in use by another process: wait for it, or give another --run-dir"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            say(f"this disk has no locks ({error}): see to it that no other process writes to {self.path}")

    def check_claim(self) -> None:
        """Check that this process still has the run, before it changes it.

        Raises:
            RunError: another process has claimed it meanwhile.
        """
        if not isinstance(self._lock_file, Path) and self._lock_file.read_bytes() != self._claim:
            raise RunError(f"{self.path} has been taken over by another process: this one stops")

    def publish(self) -> None:
        """Copy to the object store, if the run lies in one, what was written to `local`."""
        if isinstance(self.path, Path):
            return
        self.check_claim()
        for file in self.local.rglob("*"):
            # These files only grow, so that a file of the same size is the same file.
            if file.is_file() and self._published.get(file) != file.stat().st_size:
                target = self.path / str(file.relative_to(self.local))
                self._published[file] = target.write_bytes(file.read_bytes())

    def close(self) -> None:
        """Give the run back, copy what is left to copy, and remove what this machine holds of a run in a store."""
        if self._locked is not None:
            self._locked.close()
        if not isinstance(self.path, Path):
            try:
                with suppress(RunError):  # another process has the run, and writes the same
                    self.publish()
            finally:
                shutil.rmtree(self.local)

    def save_config(self, config: dict[str, Any], words: tuple[str, ...]) -> None:
        """Write the settings, and the vocabulary where there is one; whole or not at all."""
        # The config comes last: a directory that has one is a run, with all that a run needs.
        if words:
            replace(self.vocabulary_file, json.dumps(list(words), indent=1).encode())
        replace(self.config_file, json.dumps(config, indent=1).encode())

    def config(self) -> dict[str, Any]:
        """Read the settings as they were saved.

        Raises:
            RunError: there is no run, or its config can't be read, or a link in it leads elsewhere.
        """
        check_links(self.path)
        try:
            config = read_json(self.config_file)
        except AbsentError as error:
            raise RunError(f"{error}{meant_runs(self.path)}") from None
        if not isinstance(config, dict) or not {"task", "recipe", "run", "recipe_id"} <= config.keys():
            raise RunError(
                f"{self.config_file} is not the config of a run: it is damaged, or of another version of rlgan"
            )
        return config

    def words(self) -> tuple[str, ...]:
        """Read the vocabulary.

        Raises:
            RunError: there is no run, or its vocabulary can't be read.
        """
        words = read_json(self.vocabulary_file)
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise RunError(f"{self.vocabulary_file} is not a list of words: it is damaged")
        return tuple(words)


def check_saved(run: RunDirectory, saved: dict[str, Any] | None) -> None:
    """Check that a directory, which this process has claimed, still holds what was found in it before.

    Args:
        run: the directory.
        saved: the config that was found; None where there was none.

    Raises:
        RunError: another run has begun here meanwhile, which may even have ended.
    """
    now = run.config() if run.config_file.is_file() and run.has_begun() else None
    if now is not None and (saved is None or now["recipe_id"] != saved["recipe_id"]):
        raise RunError(f"{run.path} holds another run, which was started meanwhile: give another --run-dir")


def _names(path: Place) -> set[str]:
    return {entry.name for entry in path.iterdir()} if path.is_dir() else set()


def _holds_a_run(path: Place) -> bool:
    return bool(_names(path) & RUN_NAMES) or _holds_seeds(path)


def _holds_seeds(path: Place) -> bool:
    return any(name.startswith("seed-") for name in _names(path))


def _going_on(path: Place) -> str:
    """The other way out, where there is something to go on with."""
    if (path / "config.json").is_file():
        return ", or --resume to go on with it"
    return ", or --seeds N and --resume to go on with its seeds" if _holds_seeds(path) else ""


def unused_directory(path: Path) -> Path:
    """Make a directory of this name, or where that is there already, with -2, -3, ... after it.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> [unused_directory(folder / "run").name for _ in range(3)]
        ['run', 'run-2', 'run-3']
    """
    for number in itertools.count(1):
        candidate = path.with_name(f"{path.name}-{number}") if number > 1 else path
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{candidate} can't be written: {error}; give another --run-dir") from error
        break
    return candidate


def check_links(path: Place) -> None:
    """Check that no symbolic link in a run's directory leads out of it.

    A run may come from somebody else. A link in it to a folder of ours would otherwise have us read, overwrite and
    remove what lies there.

    Raises:
        RunError: one does.
    """
    home = os.path.realpath(str(path))
    for folder, folders, files in os.walk(path) if isinstance(path, Path) else ():
        for entry in (Path(folder, name) for name in (*folders, *files)):
            if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(home):
                raise RunError(f"{entry} is a symbolic link that leads out of the run: put in its place what it names")
