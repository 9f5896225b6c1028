"""Files of pictures: what a layout of a directory has to tell, and how a file is read and named."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rlgan.images.sources import Split
from rlgan.settings import printable


@dataclass(frozen=True)
class Listing:
    """The pictures of a directory."""

    names: dict[Split, list[str]]  # paths below the directory, with `/`, in order
    about: tuple[str, ...]  # lines for people: how they are split, what is missing
    root: Path  # what the names lie below


# Lists the pictures of a directory in the two splits; raises DataError where the directory can't be used.
Find = Callable[[Path], Listing]


def read(file: Path) -> bytes | OSError:
    """Read a file, or tell why it can't be read.

    The error is returned, because what it means depends on the run: it counts as a bad picture, which may be skipped.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        return error


def one_line(path: str | Path) -> str:
    r"""Write a path on one line, in any terminal.

    Example:
        >>> one_line("a\nb.png")
        'a\\nb.png'
    """
    return printable(str(path)).replace("\n", "\\n")
