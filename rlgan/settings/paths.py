"""Paths and addresses as people type them."""

from pathlib import Path

from rlgan.errors import UsageError


def check_address(flag: str, address: str) -> None:
    """Refuse a URL with a secret in it: logs, process lists and a cluster's pages show what was typed.

    Raises:
        UsageError: there is one.
    """
    for part in address.split("::"):  # fsspec's, one in another
        store, _, rest = part.partition("://")
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if at and (":" in user or not store.startswith(("abfs", "az"))):  # abfs://container@account names no user
            raise UsageError(
                f"{flag} contains a user name or a password, which logs and process lists would show: leave it out"
            )


def absolute(flag: str, path: str) -> Path:
    """Make a path of this machine that was typed absolute.

    Raises:
        UsageError: it starts with the home of nobody, or its links lead in a circle.
    """
    try:
        return Path(path).expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{flag} {path}: {error}: give another path") from error


def printable(line: str) -> str:
    r"""A line that any terminal and file takes: what is not UTF-8 in a name of a file comes as an escape.

    Example:
        >>> printable("caf\udce9.txt")
        'caf\\udce9.txt'
    """
    return line.encode("utf-8", "backslashreplace").decode()


def check_new(flag: str, file: Path) -> None:
    """Check that a file can be written without losing one.

    Raises:
        UsageError: it is there already, or its directory is not.
    """
    if file.exists():
        raise UsageError(f"{flag} {file} is there already: give another name")
    if not file.parent.is_dir():
        raise UsageError(f"{flag} {file}: there is no directory {file.parent}")


def new_png(flag: str, name: str) -> Path:
    """A PNG file to write, which is not there yet; .png is added to a name without an ending.

    Raises:
        UsageError: the name has another ending, or the file can't be written without losing one.
    """
    out = Path(name)
    if not out.name:
        raise UsageError(f"{flag} {name!r} names no file: give one that ends in .png")
    if not out.suffix:
        out = out.with_name(f"{out.name}.png")
    if out.suffix != ".png":
        raise UsageError(f"{flag} {out}: give a file that ends in .png")
    check_new(flag, out)
    return out
