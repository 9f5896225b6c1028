"""Where a run may lie: a directory, or an address of an object store (`s3://...`, whatever fsspec opens).

`place` gives a `pathlib.Path`, or what has the few methods of one that a run needs. What differs: an object appears
whole or not at all, but nothing can be appended to it, and nothing renames or locks a directory of them.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from rlgan.config import RunError


@dataclass(frozen=True)
class RemotePath:
    """An object, or what has objects below it; the methods are those of `pathlib.Path`."""

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

    def exists(self) -> bool:
        return bool(self.files.exists(self.path))

    def is_dir(self) -> bool:
        return bool(self.files.isdir(self.path))

    def is_file(self) -> bool:
        return bool(self.files.isfile(self.path))

    def iterdir(self) -> Iterator["RemotePath"]:
        # What was listed before may be remembered, and others write here too.
        self.files.invalidate_cache()
        for found in self.files.ls(self.path, detail=False):
            yield RemotePath(self.files, found.rstrip("/"))

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        # Most stores have no directories: they come with what is in them.
        self.files.makedirs(self.path, exist_ok=parents or exist_ok)

    def read_bytes(self) -> bytes:
        content: bytes = self.files.cat_file(self.path)
        return content

    def write_bytes(self, content: bytes) -> int:
        self.files.pipe_file(self.path, content)
        return len(content)

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
    except (ImportError, ValueError) as error:
        raise RunError(f"{urlsplit(address).scheme}:// can't be opened: {error}") from error
    return Path(path) if isinstance(files, LocalFileSystem) else RemotePath(files, path)


def remove(where: Place) -> None:
    """Remove a directory and what is in it, if it is there."""
    if isinstance(where, Path):
        shutil.rmtree(where, ignore_errors=True)
    elif where.exists():
        where.files.rm(where.path, recursive=True)
