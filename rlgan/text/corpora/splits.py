"""Which part of a text is trained on, and which are held out: the files of a directory, or parts of one file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.rng import Purpose, stream
from rlgan.settings import resolve
from rlgan.text.corpora import SPLITS
from rlgan.text.corpora.reading import CHUNK, Numbers

# What files call the splits.
NAMES = {
    "train": ("train", "training"),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}
_SPLIT_OF_NAME = {name: split for split, names in NAMES.items() for name in names}
_FILE = re.compile(
    rf"(?P<before>(?:.*[._-])?)(?P<name>{'|'.join(_SPLIT_OF_NAME)})(?P<after>(?:[._-].*)?)", re.IGNORECASE
)

# Cuts a text [tokens] with this number for `<eos>` into parts, of which the last ones are held out: one line, or word,
# of so many in each.
Cut = Callable[[Numbers, int, int, int], list[Numbers]]


@dataclass(frozen=True)
class SplitFiles:
    """The files of a directory."""

    train: Path
    validation: Path | None  # None where there is none
    test: Path
    treebank: bool  # named as those of the Penn Treebank are


def split_files(folder: Path) -> SplitFiles:
    """Find the files of a directory, as `ptb.{train,valid,test}.txt` or `{train,dev,test}.txt`.

    Raises:
        DataError: there are none, or more than one set of them.
    """
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _FILE.fullmatch(file.name)
        if match and file.is_file() and not file.name.startswith("."):
            around = (match["before"], match["after"])
            # The first of several names of a split: `val` and `valid` side by side are no set of files.
            found.setdefault(around, {}).setdefault(_SPLIT_OF_NAME[match["name"].lower()], file)
    whole = {around: files for around, files in found.items() if {"train", "test"} <= files.keys()}
    # These come before others that lie beside them, as `ptb.char.train.txt`.
    for around in (("ptb.", ".txt"), ("", ".txt")):
        if around in whole:
            return _named(whole[around], treebank=around[0] == "ptb.")
    if len(whole) > 1:
        sets = ", ".join(sorted(f"{before}train{after}" for before, after in whole))
        raise DataError(f"{folder} has more than one set of files ({sets}): give a directory with one")
    if not whole:
        raise DataError(_missing(folder, found))
    return _named(next(iter(whole.values())), treebank=False)


def _named(files: Mapping[str, Path], *, treebank: bool) -> SplitFiles:
    return SplitFiles(files["train"], files.get("validation"), files["test"], treebank)


def _missing(folder: Path, found: Mapping[tuple[str, str], Mapping[str, Path]]) -> str:
    due = "name a directory with train.txt, valid.txt and test.txt, or one text file"
    for (before, after), files in found.items():
        absent = [f"{before}{split}{after}" for split in ("train", "test") if split not in files]
        there = ", ".join(file.name for file in files.values())
        return f"{folder} has {there} and no {', '.join(absent)}: {due}"
    return f"{folder} has no train.txt, valid.txt, test.txt: {due}"


def last_lines(text: Numbers, end: int, share: int, parts: int) -> list[Numbers]:
    """The last lines are held out, the test last: windows run over true neighbours, in the order of the text.

    Args:
        text: [tokens], each line followed by `end`.
        end: the number of `<eos>`.
        share: one line of so many is held out in each part, at least one.
        parts: how many are held out.

    Example:
        >>> text = np.array([2, 1, 3, 1, 4, 4, 1, 5, 1], dtype=np.int32)  # four lines
        >>> [part.tolist() for part in last_lines(text, end=1, share=4, parts=2)]
        [[2, 1, 3, 1], [4, 4, 1], [5, 1]]
    """
    ends = np.flatnonzero(text == end) + 1
    held_out = max(len(ends) // share, 1)
    return np.split(text, [int(ends[-part * held_out - 1]) for part in range(parts, 0, -1)])


def last_words(text: Numbers, end: int, share: int, parts: int) -> list[Numbers]:  # noqa: ARG001
    """The last words are held out, the test last, wherever lines end; otherwise as `last_lines`.

    Example:
        >>> text = np.array([2, 1, 3, 1, 4, 4, 1, 5, 1], dtype=np.int32)
        >>> [part.tolist() for part in last_words(text, end=1, share=4, parts=2)]  # a fourth of nine: two
        [[2, 1, 3, 1, 4], [4, 1], [5, 1]]
    """
    held_out = max(len(text) // share, 1)
    return np.split(text, [len(text) - part * held_out for part in range(parts, 0, -1)])


def drawn_lines(text: Numbers, end: int, share: int, parts: int) -> list[Numbers]:
    """Lines drawn from all over the text are held out, the same for every seed of a run; as `last_lines` otherwise.

    Example:
        >>> text = np.array([2, 1, 3, 1, 4, 1, 5, 1], dtype=np.int32)  # four lines
        >>> parts = [part.tolist() for part in drawn_lines(text, end=1, share=4, parts=2)]
        >>> [len(part) for part in parts], sorted(sum(parts, []))
        ([4, 2, 2], [1, 1, 1, 1, 2, 3, 4, 5])
    """
    ends = np.flatnonzero(text == end) + 1
    held_out = max(len(ends) // share, 1)
    # Not of the run's seed, so that runs can be compared.
    order = stream(0, Purpose.SPLIT).permutation(len(ends))
    part_of_line = np.zeros(len(ends), np.int8)
    for part in range(parts):
        part_of_line[order[part * held_out : (part + 1) * held_out]] = part + 1
    part_of_token = np.repeat(part_of_line, np.diff(ends, prepend=0))
    held = [text[part_of_token == part + 1] for part in range(parts)]
    return [_kept(text, part_of_token == 0), *held]


def _kept(text: Numbers, chosen: NDArray[np.bool_]) -> Numbers:
    """The chosen part of a text, in the same memory: a large one would not be there twice."""
    length = 0
    for first in range(0, len(text), CHUNK):
        kept = text[first : first + CHUNK][chosen[first : first + CHUNK]]
        text[length : length + len(kept)] = kept
        length += len(kept)
    return text[:length]


def find_split(name: str) -> Cut:
    """The function of a name in `SPLITS`, or `module:object`.

    Example:
        >>> text = np.array([2, 2, 2, 2, 1], dtype=np.int32)  # one line
        >>> [len(part) for part in find_split("words")(text, 1, 5, 2)]
        [3, 1, 1]
    """
    cut: Cut = resolve(name, SPLITS)
    return cut
