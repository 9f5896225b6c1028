"""Paths and addresses as people type them."""

import os
import re
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlgan.errors import UsageError


def check_address(flag: str, address: str) -> None:
    """Refuse a URL with a secret in it: logs, process lists and a cluster's pages show what was typed.

    Raises:
        UsageError: there is one.

    Example:
        >>> check_address("--out", "s3://bucket/run@2")  # behind the first slash an @ ends no user name
        >>> check_address("--out", "ftp://ann:secret@host/run")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --out contains a user name or a password, ...
    """
    for part in address.split("::"):  # fsspec's, one in another
        store, _, rest = part.partition("://")
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if at and (":" in user or not store.startswith(("abfs", "az"))):  # abfs://container@account names no user
            raise UsageError(
                f"{flag} contains a user name or a password, which logs and process lists would show: leave it out"
            )


# All but the tab and the end of a line; those above ASCII too, since some terminals begin a sequence at \x9b.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class TypedPath:
    """The annotation of a setting that is a path of this machine, or the address of a store.

        out: Annotated[str | None, TypedPath()] = None

    Args:
        written: things are written there. A run's file does not say where: who gives away a run does not say where
            others write.
    """

    written: bool = False


def typed_path(flag: str, path: str) -> str:
    """The path that was meant, where a shell left `~` as it is: it only replaces one at the beginning of a word.

    Args:
        flag: that it was typed after.
        path: as it was typed. What stands under the name `~` in the current directory is `./~`.

    Raises:
        UsageError: it starts with the home of nobody, or can't lead anywhere: it lies beneath a file, or a name in it
            is too long, say.

    Example:
        >>> typed_path("--out", "runs/a~b"), typed_path("--run-dir", "s3://bucket/~x")
        ('runs/a~b', 's3://bucket/~x')
    """
    if not path.startswith("~"):
        _check_leads(flag, path)
        return path
    # It leaves the home of nobody as it is, where `Path.expanduser` raises a RuntimeError.
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise UsageError(f"{flag} {path}: there is no home directory for {path.partition('/')[0]}; give a whole path")
    _check_leads(flag, expanded)
    return expanded


def _check_leads(flag: str, path: str) -> None:
    if "://" in path:
        return
    try:
        # A file is also taken with a slash behind its name.
        os.stat(path.rstrip("/") or path)
    # What is not there may be what is to be made; whoever reads it says so. A null byte is a ValueError.
    except (FileNotFoundError, ValueError):
        return
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}: give another path") from error


def absolute(flag: str, path: str) -> Path:
    """Make a path of this machine that was typed absolute.

    Raises:
        UsageError: it starts with the home of nobody, its links lead in a circle, or it can be read only once.

    Example:
        >>> str(absolute("--data", "/corpora/../texts"))
        '/texts'
    """
    typed = typed_path(flag, path)
    try:
        found = Path(typed).resolve()
    # A circle of links is a RuntimeError up to Python 3.12.
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{flag} {path}: {error}: give another path") from error
    # The shell's `<(...)`, a pipe as /dev/stdin, and a `<<` text, whose file is removed before we see it.
    if _is_stream(typed) or (os.path.exists(typed) and not os.path.lexists(found)):
        raise UsageError(
            f"{flag} {path} can be read only once, and a run reads its data again when it is resumed or evaluated: "
            "write it to a file, and give that"
        )
    return found


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    # A path with a null byte in it is a ValueError.
    except (OSError, ValueError):
        return False  # whoever reads it says what is wrong
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def pasteable(path: object) -> str:
    """A path as it can be pasted into a command.

    Example:
        >>> pasteable("runs/my run"), pasteable("runs/1")
        ("'runs/my run'", 'runs/1')
    """
    return shlex.quote(str(path))


def printable(line: str) -> str:
    r"""A line that any terminal and file takes, and that does nothing to a terminal.

    What is not UTF-8 in a name of a file comes as an escape, and so do control characters, which may begin a sequence
    that moves the cursor or sets the title. Tabs and line ends stay.

    Example:
        >>> printable("caf\udce9.txt \x1b[2J")
        'caf\\udce9.txt \\x1b[2J'
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", line.encode("utf-8", "backslashreplace").decode())


def check_new(flag: str, file: Path, *, force: bool = False) -> None:
    """Check that a file can be written without losing one.

    Args:
        flag: that it was typed after.
        file: to write.
        force: whether it may take the place of one.

    Raises:
        UsageError: it is there already, or its directory is not.

    Example:
        >>> check_new("--out", Path("/"))
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --out / is there already: give another name, or --force
    """
    if file.is_dir() or (file.exists() and not force):
        raise UsageError(f"{flag} {file} is there already: give another name" + ("" if force else ", or --force"))
    if not file.parent.is_dir():
        raise UsageError(f"{flag} {file}: there is no directory {file.parent}")


def new_picture(flag: str, name: str, endings: Sequence[str] = (".png",), *, force: bool = False) -> Path:
    """A file to draw into, which is not there yet unless `force` is given.

    Args:
        flag: that it was typed after.
        name: of the file; one without an ending gets the first one.
        endings: that it may have.
        force: whether it may take the place of a file.

    Raises:
        UsageError: the name has another ending, or the file can't be written without losing one.
    """
    out, due = Path(name), " or ".join(endings)
    if not out.name:
        raise UsageError(f"{flag} {name!r} names no file: give one that ends in {due}")
    if not out.suffix:
        out = out.with_name(f"{out.name}{endings[0]}")
    if out.suffix not in endings:
        raise UsageError(f"{flag} {out}: give a file that ends in {due}")
    check_new(flag, out, force=force)
    return out


FIGURE_ENDINGS = (".png", ".pdf")


def new_figure(flag: str, name: str, endings: Sequence[str] = FIGURE_ENDINGS, *, force: bool = False) -> Path:
    """The same for a figure, beside which its caption is written.

    Raises:
        UsageError: the name has another ending, or one of the two can't be written without losing a file.
    """
    out = new_picture(flag, name, endings, force=force)
    caption = caption_file(out)
    if caption.is_dir() or (caption.exists() and not force):
        raise UsageError(
            f"{flag} {out}: its caption would go to {caption}, which is there already: give another name"
            + ("" if force else ", or --force")
        )
    return out


def caption_file(file: Path) -> Path:
    """Where the caption of a figure lies.

    Example:
        >>> caption_file(Path("figure2.png")).name
        'figure2.md'
    """
    return file.with_suffix(".md")
