"""Reads text as numbers, block by block: of a large file no more than a block is ever there as words."""

import array
import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.text.corpora.formats import check_format, has_nul
from rlgan.text.corpora.token_kinds import MARK, TokenKind
from rlgan.text.vocabulary import END, UNKNOWN

Numbers = NDArray[np.int32]

BLOCK = 2**20  # bytes; their words fit into a processor's cache
CHUNK = 2**20  # numbers that are looked at together


class Numbering(dict[str, int]):
    """Gives every word that it is asked for a number: 0, 1, 2, ... in the order in which they come.

    Example:
        >>> numbering = Numbering()
        >>> numbering["cat"], numbering["dog"], numbering["cat"], numbering[END]
        (3, 4, 3, 1)
    """

    def __init__(self) -> None:
        super().__init__({MARK: 0, END: 1, UNKNOWN: 2})

    def __missing__(self, word: str) -> int:
        """The next number."""
        number = self[word] = len(self)
        return number

    def numbers(self, words: Sequence[str]) -> Numbers:
        """The number of each of some words."""
        return np.fromiter(map(self.__getitem__, words), np.int32, len(words))

    @property
    def words(self) -> list[str]:
        """All words by number; `MARK` is none."""
        return list(self)


@contextmanager
def naming_a_large_text(path: Path) -> Iterator[None]:
    """Say in one line that this machine has not enough memory for a text that is read within.

    Args:
        path: of the file, or of the directory with a file for each split.

    Raises:
        DataError: it has not.
    """
    try:
        yield
    except MemoryError as error:
        size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))
        raise DataError(
            f"not enough memory for {path} of {size / 1e6:,.0f} MB: give a part of it, as head -c makes one"
        ) from error


def read_text(file: Path, numbering: Numbering, kind: TokenKind) -> Numbers:
    r"""Read a UTF-8 text: the numbers of its tokens, `<eos>` after each line that has any, int32 [tokens].

    No second `<eos>` where the text has it at the end of a line itself. Lines end with `\n`, or, where a text has
    none, with `\r`, as those of old Macs.

    Args:
        file: of the text.
        numbering: takes up the words that it does not have yet.
        kind: what a token is.

    Raises:
        DataError: no such file, another format, not UTF-8, or no words.
    """
    # Of Python's and not of numpy's, since it grows without a copy of all that it has.
    read = array.array("i")
    last = numbering[MARK]  # as if a line had ended before the first one
    try:
        with file.open("rb") as opened:
            check_format(file, opened)
            for text in _pieces(file, opened):
                numbers = numbering.numbers(kind.split(text))
                kept, last = _with_ends(numbers, last, numbering)
                read.frombytes(kept.tobytes())
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    if not read:
        raise DataError(f"{file} has no words")
    return np.frombuffer(read, np.int32)


def _with_ends(numbers: Numbers, last: int, numbering: Numbering) -> tuple[Numbers, int]:
    """Put `<eos>` at the ends of lines that have words and do not end with it; and the number that came last."""
    mark, end = numbering[MARK], numbering[END]
    before = np.concatenate([np.array([last], np.int32), numbers[:-1]])
    superfluous = (numbers == mark) & ((before == mark) | (before == end))
    kept = np.where(numbers == mark, np.int32(end), numbers)[~superfluous]
    return kept, int(numbers[-1]) if len(numbers) else last


def _pieces(file: Path, opened: IO[bytes]) -> Iterator[str]:
    r"""A file in pieces of whole words; lines end with `\n`, also the last one."""
    decode = codecs.getdecoder("utf-8")
    line_end = b"\n" if _has(opened, b"\n") else b"\r"
    rest, read = b"", 0  # what is left of the last word, and the bytes before it
    within = False  # whether a piece goes on with the line of the one before
    while True:
        block = opened.read(BLOCK)
        content = rest + block if block else rest + line_end
        cut = _last_end(content, line_end) if block else len(content)
        try:
            text, _ = decode(content[:cut])
        except UnicodeDecodeError as error:
            start = read + error.start
            raise DataError(
                f"{file} is not UTF-8: {error.reason} at byte {start}, on line {_line(opened, start, line_end)}"
            ) from error
        if read == 0:
            # Some editors begin a file with a byte order mark; it would become part of the first word.
            text = text.removeprefix("\ufeff")
        if MARK in text:
            raise has_nul(file)
        if cut:
            # White space may be a token: within a line it stands at the beginning of the next piece, once.
            text = text if within else text.lstrip()
            within = not content[:cut].endswith(line_end)
            text = text.rstrip() if within else text
        yield text.replace("\r", "\n") if line_end == b"\r" else text
        if not block:
            return
        rest, read = content[cut:], read + cut


def _last_end(content: bytes, line_end: bytes) -> int:
    """Where a piece may end: behind its last line, or before its last blank; 0 where it has neither."""
    return content.rfind(line_end) + 1 or max(content.rfind(b" "), 0)


def _has(opened: IO[bytes], byte: bytes) -> bool:
    opened.seek(0)
    found = any(byte in block for block in iter(lambda: opened.read(BLOCK), b""))
    opened.seek(0)
    return found


def _line(opened: IO[bytes], place: int, line_end: bytes) -> int:
    opened.seek(0)
    return opened.read(place).count(line_end) + 1


def count(numbers: Numbers, size: int) -> NDArray[np.int64]:
    """How often each number is there, int64 [size].

    Example:
        >>> count(np.array([0, 2, 2], dtype=np.int32), size=4).tolist()
        [1, 0, 2, 0]
    """
    counts = np.zeros(size, np.int64)
    # By and by, since numpy counts in a copy of int64.
    for first in range(0, len(numbers), CHUNK):
        counts += np.bincount(numbers[first : first + CHUNK], minlength=size)
    return counts


def renumber(numbers: Numbers, table: Numbers) -> None:
    """Put in the place of every number what a table [numbers] has for it.

    Example:
        >>> numbers = np.array([0, 2, 1, 2], dtype=np.int32)
        >>> renumber(numbers, table=np.array([7, 8, 9], dtype=np.int32))
        >>> numbers.tolist()
        [7, 9, 8, 9]
    """
    for first in range(0, len(numbers), CHUNK):
        numbers[first : first + CHUNK] = table[numbers[first : first + CHUNK]]
