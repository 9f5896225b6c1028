"""How settings are checked, compared and shown. No torch, no ray: the command line must answer at once."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from rlgan.errors import UsageError

Preset = Literal["paper", "best"]
AdversarialLoss = Literal["non_saturating", "saturating", "relativistic"]
OptimizerName = Literal["sgd", "adam"]
Decay = Literal["none", "linear", "cosine"]


class Recipe(Protocol):
    """What the command line asks of a task's settings: a dataclass."""

    @property
    def preset(self) -> Preset:
        """Where the defaults come from."""
        ...

    @property
    def label(self) -> str:
        """For the name of a run's directory."""
        ...

    @property
    def defaults(self) -> "Recipe":
        """The preset that these settings start from."""
        ...

    @property
    def labels(self) -> dict[str, str]:
        """What every result of a run says of it."""
        ...

    @property
    def bounds(self) -> "Bounds":
        """How long a run is for which nothing is said."""
        ...

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        ...


@dataclass(frozen=True)
class Bounds:
    """Where a run ends: at the first that is reached."""

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None


# Settings that say where things lie: what lies there counts.
PLACES = ("data", "cache")


def changed(old: Any, new: Any) -> list[str]:
    """Name the settings in which two recipes differ, as `--flag old -> new`.

    Where the data lies is not among them: what it holds counts.
    """
    fields = [field.name for field in dataclasses.fields(old) if field.name not in PLACES]
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in fields]
    return [f"{_flag(name)} {before} -> {after}" for name, before, after in pairs if before != after]


def check_address(flag: str, address: str) -> None:
    """Refuse a URL with a secret in it: logs, process lists and a cluster's pages show what was typed."""
    for part in address.split("::"):  # fsspec's, one in another
        store, _, rest = part.partition("://")
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if at and (":" in user or not store.startswith(("abfs", "az"))):  # abfs://container@account names no user
            raise UsageError(f"{flag} has a user or a password in it, which would be seen: leave them out of it")


def absolute(flag: str, path: str) -> Path:
    """A path of this machine that was typed, whole.

    Raises:
        UsageError: it starts with the home of nobody, or its links lead in a circle.
    """
    try:
        return Path(path).expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{flag} {path}: {error}: give another path") from error


def printable(line: str) -> str:
    """A line that any terminal and file takes: what is not UTF-8 in a name of a file comes as an escape."""
    return line.encode("utf-8", "backslashreplace").decode()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _require(config: object, name: str, due: str, holds: Callable[[float], bool]) -> None:
    value = getattr(config, name)
    # Written so that a NaN, for which every comparison is false, is refused too.
    if not (math.isfinite(value) and holds(value)):
        raise UsageError(f"{_flag(name)} is {value}: it must be {due}")
