"""Where a run may lie: a directory, or an address of an object store (`s3://...`, whatever fsspec opens).

`place` gives a `pathlib.Path`, or what has the few methods of one that a run needs. What differs: an object appears
whole or not at all, but nothing can be appended to it, and nothing renames or locks a directory of them.
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
    """Let what a store's library raises, which may be anything, be what a disk would raise."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"the store can't be used: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class RemotePath:
    """An object, or what has objects below it; the methods and what they raise are those of `pathlib.Path`."""

    files: Any  # fsspec.AbstractFileSystem
    path: str

    def __str__(self) -> str:
        """The address, as it can be typed."""
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
        # What was listed before may be remembered, and others write here too.
        with _as_os_error():
            self.files.invalidate_cache()
            found = self.files.ls(self.path, detail=False)
        for path in found:
            yield RemotePath(self.files, path.rstrip("/"))

    @_as_os_error()
    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        # Most stores have no directories: they come with what is in them.
        self.files.makedirs(self.path, exist_ok=parents or exist_ok)

    @_as_os_error()
    def read_bytes(self) -> bytes:
        content: bytes = self.files.cat_file(self.path)
        return content

    @_as_os_error()
    def write_bytes(self, content: bytes) -> int:
        self.files.pipe_file(self.path, content)
        return len(content)

    @_as_os_error()
    def rename(self, address: str) -> None:
        """By copying: this can stop half-way."""
        self.files.mv(self.path, self.files._strip_protocol(address), recursive=True)


Place = Path | RemotePath


def place(address: str | Path) -> Place:
    """Where an address points to.

    Args:
        address: a path, or a URL.

    Raises:
        RunError: nothing that is installed opens it.
    """
    if isinstance(address, Path) or "://" not in address:
        return Path(address)
    try:
        files, path = fsspec.core.url_to_fs(address)
    except Exception as error:  # a store's library may raise anything
        raise RunError(f"{urlsplit(address).scheme}:// can't be opened: {error}") from error
    return Path(path) if isinstance(files, LocalFileSystem) else RemotePath(files, path)


def remove(where: Place) -> None:
    """Remove a directory and what is in it, if it is there."""
    if isinstance(where, Path):
        shutil.rmtree(where, ignore_errors=True)
    elif where.exists():
        with _as_os_error():
            where.files.rm(where.path, recursive=True)
