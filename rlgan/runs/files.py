"""Files that are whole or absent, on a disk or in an object store, and small helpers to read them."""

import datetime
import errno
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlgan.errors import RunError
from rlgan.runs.storage import Place

# What disks answer that can't write a folder through; whatever else they answer is a failure.
REFUSES_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}


def write_through(file: Place, content: bytes) -> str:
    """Write a file through to the disk and return its SHA-256.

    Raises:
        OSError: the disk is full, say; a part of the file may be there.
    """
    if isinstance(file, Path):
        with file.open("wb") as stream:
            stream.write(content)
            stream.flush()
            # Without it, a rename may reach the disk before the content does, and a power failure would leave a file
            # under its final name that is empty.
            os.fsync(stream.fileno())
    else:
        file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def replace(file: Place, content: bytes) -> None:
    """Write a file anew: a reader, or the next start after a crash, finds the old content or the new one, whole.

    Raises:
        RunError: it can't be written; the old content is as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "note.txt")
        ...     replace(file, b"old")
        ...     replace(file, b"new")
        ...     file.read_bytes(), [each.name for each in Path(folder).iterdir()]  # the partial file is gone
        (b'new', ['note.txt'])
    """
    # A rename within a folder is atomic. A store needs none: there an object appears whole or not at all.
    partial = file.with_name(f".{file.name}.partial") if isinstance(file, Path) else file
    try:
        write_through(partial, content)
        if partial != file:
            partial.rename(str(file))
    except OSError as error:
        if isinstance(partial, Path):
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        raise RunError(f"{file} can't be written: {error}") from error


def append(file: Path, content: bytes) -> None:
    """Write something to the end of a file, through to the disk; all of it or, where the disk is full, nothing.

    Raises:
        RunError: it can't be written; the file is as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "note.txt")
        ...     append(file, b"one, ")
        ...     append(file, b"two")
        ...     file.read_bytes()
        b'one, two'
    """
    try:
        with file.open("ab", buffering=0) as stream:
            before = os.fstat(stream.fileno()).st_size
            try:
                if stream.write(content) < len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(stream.fileno())
            except OSError:
                os.ftruncate(stream.fileno(), before)
                raise
    except OSError as error:
        raise RunError(f"{file} can't be written: {error}") from error


def sync_folder(folder: Path) -> str | None:
    """Write a folder's list of names through to the disk: a rename is only then sure to outlive a power failure.

    Returns:
        Why this disk refuses that, as shares and FUSE do; None where it was done.

    Raises:
        OSError: the disk fails.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in REFUSES_FOLDERS:
            raise
        return str(error)
    return None


def append_to_log(file: Path, line: str) -> None:
    """Append a line with the time; the file is opened for each line, so that a run that is killed loses none.

    A line that can't be written is left out: a full disk ends a run where it loses something, which such a line is not.
    """
    with suppress(OSError), file.open("a", encoding="utf-8") as log:
        log.write(f"{datetime.datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n")


class AbsentError(RunError):
    """A file of a run is not there."""


def read_json(file: Place) -> Any:
    """Read a JSON file of a run.

    Raises:
        AbsentError: it is not there.
        RunError: it is not JSON.

    Example:
        >>> read_json(Path("/nowhere/config.json"))
        Traceback (most recent call last):
        rlgan.runs.files.AbsentError: /nowhere holds no run (no config.json): give the directory of one
    """
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise AbsentError(f"{file.parent} holds no run (no {file.name}): give the directory of one") from None
    except (ValueError, RecursionError) as error:  # the latter of brackets within brackets, by the thousand
        raise RunError(f"{file} can't be read: {first_line(error)}") from None


def fingerprint(*parts: object) -> str:
    """SHA-256 of things that JSON can hold; the order of keys does not count.

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of its message.

    Example:
        >>> first_line(ValueError("no JSON in this file"))
        'ValueError: no JSON in this file'
    """
    return f"{type(error).__name__}: {error}".splitlines()[0]
