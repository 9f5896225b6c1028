"""A cache of made pictures on disk: made once, whole or not at all, by whichever process is first.

`CACHE/manifest.json` has the fingerprint, of each split the count and the SHA-256, and what could not be used;
`CACHE/train` and `CACHE/test` are the pixels, uint8 [count, size, size, 3] and nothing else.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rlgan.errors import DataError
from rlgan.images.files import one_line
from rlgan.images.sources import SPLITS, Job, MadePictures, Pixels, Source, Split, fingerprint
from rlgan.types import Map

MAKING = ".making-"  # begins the name of a cache that is not whole yet
REPORT_EVERY = 30.0  # seconds between lines of progress


@dataclass(frozen=True)
class Cache:
    """A place on disk for the pictures of a fingerprint."""

    folder: Path
    fingerprint: str

    def manifest(self, *, check: bool) -> dict[str, Any] | None:
        """What the cache says that it has; None where there is none or, with `check`, where it is not whole.

        Raises:
            DataError: it belongs to another user, who lets nobody read it.
        """
        try:
            manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_bytes())
            # By checksum and not by length, which a copy that was interrupted or a damaged disk may leave as it was.
            for split in SPLITS if check else ():
                with (self.folder / split).open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != manifest["splits"][split]["sha256"]:
                        return None
        except PermissionError as error:
            raise DataError(
                f"the cache {one_line(self.folder)} can't be read: {error.strerror}; give another folder with --cache"
            ) from error
        # A damaged manifest may hold any JSON, and is made again whatever is wrong with it.
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return manifest if manifest.get("fingerprint") == self.fingerprint else None

    def open(self, split: Split, size: int) -> Pixels:
        """The pictures of a split, uint8 [N, size, size, 3], memory-mapped, read-only.

        Raises:
            DataError: the cache is not there, or is damaged.
        """
        try:
            # Without the checksums, which `prepare` has compared: every batch opens the
            # cache, so that this must be quick.
            count = json.loads((self.folder / "manifest.json").read_bytes())["splits"][split]["count"]
            # Mapped and not read: processes of one machine share the pages, and only what is used takes memory.
            return np.memmap(self.folder / split, np.uint8, "r", shape=(count, size, size, 3))
        except (OSError, ValueError, LookupError, TypeError) as error:
            if not self.folder.is_dir():
                raise DataError(
                    f"no cache {one_line(self.folder)} on {socket.gethostname()}: start again if it was removed; "
                    "--cache must be the same on all nodes"
                ) from error
            raise DataError(f"the cache {one_line(self.folder)} is damaged: start again, to make it anew") from error

    def make(self, source: Source, map_: Map, say: Callable[[str], None], *, skip_bad: bool) -> None:
        """Make all pictures of a source, and put the cache in its place unless another process was first.

        Args:
            source: of the cache's fingerprint.
            map_: applies a function to each of some jobs, in parallel or not.
            say: takes lines for people.
            skip_bad: leave pictures out that can't be used, instead of stopping at the first.

        Raises:
            DataError: a picture can't be used, the files changed meanwhile, or the cache can't be written.
        """
        jobs = source.jobs()
        say(f"making the pictures of {source.name}, once, into {self.folder}")
        with _claim_folder(self.folder.parent) as folder:
            bad: list[tuple[str, str]] = []
            digests: dict[Split, list[str]] = {}
            splits = {}
            for split in SPLITS:
                watch = _Watch(split, skip_bad, say, len(jobs[split]))
                count, sum_ = _write(folder / split, watch.pixels(map_(_make, jobs[split])))
                if count == 0:
                    reason = "; " + " ".join(watch.bad[0]) if watch.bad else ""
                    raise DataError(f"{source.name}: no picture of the {split} split can be used{reason}")
                bad += watch.bad
                digests[split] = watch.digests
                splits[split] = {"count": count, "sha256": sum_}
            # Files were read twice, for the name of the cache and for the pixels. What changed in between would lie
            # under a name that promises something else.
            if fingerprint(source.settings, digests) != self.fingerprint:
                raise DataError(
                    f"{source.name} changed while it was read: wait until nothing writes to it, and start again"
                )
            manifest = {"fingerprint": self.fingerprint, "splits": splits, "bad": bad}
            try:
                (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
                self._put_in_place(folder)
            except OSError as error:
                raise _unwritable(self.folder, error) from error

    def _put_in_place(self, folder: Path) -> None:
        for _ in range(10):  # as often as another process may come in between
            # A rename replaces nothing but an empty folder: where a cache is, whole or damaged, it fails.
            try:
                folder.rename(self.folder)
                return
            except OSError:
                if not self.folder.exists():
                    raise
            if self.manifest(check=True):  # another process made the same
                return
            # Moved away before it is removed, so that no process finds half of it; those that have it mapped keep it.
            damaged = _new_folder(self.folder.parent, ".damaged-")
            self.folder.rename(damaged / "cache")
            shutil.rmtree(damaged, ignore_errors=True)
        raise OSError(0, "other processes keep making it too")


@contextmanager
def _claim_folder(caches: Path) -> Iterator[Path]:
    """A new folder to make a cache in, locked as long as this process lives, and removed in the end if still there."""
    try:
        caches.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(caches)
        # Beside its place, under a name of its own: only a whole cache ever gets the name that others look for.
        folder = _new_folder(caches, MAKING)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(caches, error) from error
    # Some network file systems can't lock. There no folder is taken for abandoned either: the lock is what tells.
    with suppress(OSError):
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _new_folder(parent: Path, prefix: str) -> Path:
    """A new folder, which others may read as the umask says: `tempfile` makes folders for one user alone."""
    folder = parent / f"{prefix}{uuid.uuid4().hex}"
    folder.mkdir()
    return folder


def _remove_abandoned(caches: Path) -> None:
    """Remove what processes were making when they were killed: the kernel has released their locks."""
    for folder in caches.glob(f"{MAKING}*"):
        with suppress(OSError):
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # An empty one may be so new that its process has not locked it yet.
                if any(folder.iterdir()):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


@dataclass
class _Watch:
    """Keeps what comes of a split's jobs beside the pixels, and reports progress."""

    split: Split
    skip_bad: bool
    say: Callable[[str], None]
    jobs: int  # in all
    bad: list[tuple[str, str]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    def pixels(self, results: Iterable[MadePictures]) -> Iterator[Pixels]:
        """Pass the pixels on; raise DataError at the first bad picture unless these are skipped."""
        count, reported = 0, time.monotonic()
        for done, result in enumerate(results, 1):
            if result.bad and not self.skip_bad:
                raise unusable(*result.bad[0])
            self.bad.extend(result.bad)
            self.digests.extend(result.digests)
            count += len(result.pixels)
            if time.monotonic() - reported >= REPORT_EVERY:
                self.say(f"{done / self.jobs:.0%} of the {self.split} split made: {count:,} pictures")
                reported = time.monotonic()
            yield result.pixels


def unusable(name: str, what: str) -> DataError:
    """The error that a bad picture is where such are not skipped."""
    return DataError(f"{name} {what}: mend it or take it away, or skip such pictures with --skip-bad")


def _make(job: Job) -> MadePictures:
    return job.make()


def _write(file: Path, arrays: Iterable[Pixels]) -> tuple[int, str]:
    """Write arrays one after the other; how many pictures, and SHA-256."""
    count, digest = 0, hashlib.sha256()
    with file.open("wb") as out:
        for array in arrays:
            content = array.tobytes()
            try:
                out.write(content)
                out.flush()  # here, where a full disk is told as such, and not when the file is closed
            except OSError as error:
                raise _unwritable(file, error) from error
            digest.update(content)
            count += len(array)
    return count, digest.hexdigest()


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(f"the cache {one_line(path)} can't be written: {error.strerror}; give another folder with --cache")
