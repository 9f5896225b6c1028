"""What a data set of pictures has to be: a `Source`, which says what it holds and gives the work of making it.

A source of your own needs no file of this package: write a function that takes a `Request` and returns a `Source`, and
open what it returns with `rlgan.images.pictures.open_source`. The names that `--data` knows are in
`rlgan.images.tables`.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "test"]
Pixels = NDArray[np.uint8]

SPLITS: tuple[Split, ...] = ("train", "test")
CHUNK = 64  # pictures of a job: about 0.1 s of work, and 0.8 MB of result
HELD_OUT = 5  # one person of so many is held out


@dataclass(frozen=True)
class Request:
    """What was asked for. A source reads the fields that concern it."""

    data: str  # a name, or a directory
    size: int = 64  # pixels a side of the pictures that are made
    crop: int | None = None  # pixels a side of the centre square that is cut out; None: the source's own default
    filter: str = "lanczos"  # that resizes the square, a name in `rlgan.images.tables.FILTERS`
    faces: int = 12_000  # how many are drawn
    seed: int = 0  # of drawn pictures; not the run's, so that runs can be compared
    split: str | None = None  # of a directory, a name in `rlgan.images.tables.SPLITS`; None: what suits it
    index: Path | None = None  # a folder that keeps what files hold; None: all are read each time


@dataclass(frozen=True)
class MadePictures:
    """What came of a job."""

    pixels: Pixels  # [pictures, size, size, 3] without those that can't be used
    bad: tuple[tuple[str, str], ...] = ()  # (name, what is wrong with it)
    digests: tuple[str, ...] = ()  # `digest` of each file, the bad ones' too


class Job(Protocol):
    """Some pictures to be made; small and picklable."""

    def make(self) -> MadePictures:
        """Make them: a pure function of the job and of the files that it reads."""
        ...


class Source(Protocol):
    """A data set of pictures; small and picklable, for it travels to every process."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def size(self) -> int:
        """Pixels a side of the pictures that are made."""
        ...

    @property
    def crop(self) -> int | None:
        """Pixels a side of what is cut out; None: the largest square, or nothing is cropped."""
        ...

    @property
    def settings(self) -> tuple[object, ...]:
        """All that the pixels depend on beside the files; for JSON."""
        ...

    def describe(self) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
        """The digests of each split's files in order, none where there are no files, and lines for people.

        Raises:
            DataError: the data can't be used.
        """
        ...

    def jobs(self) -> dict[Split, list[Job]]:
        """The work of making all of each split, in order; together their digests are those of `describe`."""
        ...


OpenSource = Callable[[Request], Source]


def digest(name: str, content: bytes | OSError) -> str:
    """A file in a word: the SHA-256 of its content, or `-` where it can't be read, and its name.

    Example:
        >>> digest("a.png", OSError("no such file"))
        '- a.png'
        >>> digest("a.png", b"same") == digest("b.png", b"same")
        False
    """
    # The name counts too, because splits are made by names. A file that can't be read now has a digest of its own, so
    # that the pictures are made anew once it can be read.
    return f"{'-' if isinstance(content, OSError) else hashlib.sha256(content).hexdigest()} {name}"


def fingerprint(settings: Sequence[object], digests: Mapping[Split, Sequence[str]]) -> str:
    """The SHA-256 of all that pixels depend on: a cache is named by it.

    Example:
        >>> fingerprint(["ab", "c"], {}) == fingerprint(["a", "bc"], {})
        False
        >>> fingerprint([64], {"train": ["a", "b"]}) == fingerprint([64], {"train": ["b", "a"]})  # the order counts
        False
    """
    # As JSON, whose quotes and brackets keep the parts apart: joined as they
    # are, different parts could give one text.
    return hashlib.sha256(json.dumps([settings, digests]).encode()).hexdigest()


def hold_out(people: Iterable[str]) -> set[str]:
    """Choose a fifth of the people, at least one: those whose names' hashes come first.

    By hash and not by chance, so that who is held out hardly changes when pictures are added.

    Example:
        >>> sorted(hold_out(f"person {i}" for i in range(10)))
        ['person 3', 'person 9']
    """
    # os.fsencode takes the bytes of a name that is not UTF-8, on which str.encode fails.
    ranked = sorted(set(people), key=lambda person: hashlib.sha256(os.fsencode(person)).digest())
    return set(ranked[: max(len(ranked) // HELD_OUT, 1)])
