"""Where a run may lie: a directory, or an address in an object store (`s3://...`, or whatever else fsspec opens).

`place` gives a `pathlib.Path`, or an object with those of its methods that a run needs. A store differs from a disk: an
object appears whole or not at all, but it can't be appended to, and there are no locks and no renaming of folders.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from rlgan.errors import RunError


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Turn what a store's library raises into the OSError that a disk would raise."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # each store has a library of its own, with errors of its own
        raise OSError(f"the store can't be used: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class RemotePath:
    """An object in a store, or a folder of objects; its methods, and what they raise, are those of `pathlib.Path`."""

    files: Any  # fsspec.AbstractFileSystem, whose types are not known to mypy
    path: str  # as the store names it, without the protocol

    def __str__(self) -> str:
        """The address, as a person types it."""
        address: str = self.files.unstrip_protocol(self.path)
        return address

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(self.files, f"{self.path.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> "RemotePath":
        return RemotePath(self.files, self.path.rpartition("/")[0])

    def with_name(self, name: str) -> "RemotePath":
        return self.parent / name

    @_as_os_error()
    def exists(self) -> bool:
        return bool(self.files.exists(self.path))

    @_as_os_error()
    def is_dir(self) -> bool:
        return bool(self.files.isdir(self.path))

    @_as_os_error()
    def is_file(self) -> bool:
        return bool(self.files.isfile(self.path))

    def iterdir(self) -> Iterator["RemotePath"]:
        # fsspec remembers what it has listed before, and another process may have written here since.
        with _as_os_error():
            self.files.invalidate_cache()
            found = self.files.ls(self.path, detail=False)
        for path in found:
            yield RemotePath(self.files, path.rstrip("/"))

    @_as_os_error()
    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        # Most stores have no folders: the name of an object makes those that it lies in.
        self.files.makedirs(self.path, exist_ok=parents or exist_ok)

    @_as_os_error()
    def read_bytes(self) -> bytes:
        content: bytes = self.files.cat_file(self.path)
        return content

    @_as_os_error()
    def write_bytes(self, content: bytes) -> int:
        # In one request: a reader meanwhile gets the old object or the new one, never a part.
        self.files.pipe_file(self.path, content)
        return len(content)

    @_as_os_error()
    def rename(self, address: str) -> None:
        """Rename by copying: a process that is killed meanwhile leaves a part under each name."""
        self.files.mv(self.path, self.files._strip_protocol(address), recursive=True)


Place = Path | RemotePath


def place(address: str | Path) -> Place:
    """Give the path or the object that an address stands for.

    Args:
        address: a path, or a URL.

    Raises:
        RunError: no installed library opens it.

    Example:
        >>> place("file:///tmp/run")
        PosixPath('/tmp/run')
        >>> str(place("memory://bucket/run") / "log.txt")
        'memory:///bucket/run/log.txt'
    """
    if isinstance(address, Path) or "://" not in address:
        return Path(address)
    # A local URL becomes a Path: then it has locks, and renames that are whole or absent.
    try:
        files, path = fsspec.core.url_to_fs(address)
    except Exception as error:  # a store's library may raise anything
        raise RunError(f"{urlsplit(address).scheme}:// can't be opened: {error}") from error
    return Path(path) if isinstance(files, LocalFileSystem) else RemotePath(files, path)


def remove(where: Place) -> None:
    """Remove a folder and everything in it, if it is there.

    Example:
        >>> folder = place("memory://remove")
        >>> _ = (folder / "log.txt").write_bytes(b"a line")
        >>> remove(folder)
        >>> folder.exists()
        False
        >>> remove(folder)  # there is nothing left to do
    """
    if isinstance(where, Path):
        shutil.rmtree(where, ignore_errors=True)
    elif where.exists():
        with _as_os_error():
            where.files.rm(where.path, recursive=True)
