"""Reads what was typed into settings, by tyro."""

import contextlib
import dataclasses
import io
from collections.abc import Mapping
from typing import Annotated, Any

import tyro

from rlgan.errors import UsageError
from rlgan.settings import canonical, old_flags


def command(name: str, summary: str, parts: Mapping[str, tuple[Any, Any]]) -> type[Any]:
    """A dataclass of all that a command takes, put together from parts.

    Args:
        name: of the class.
        summary: its docstring, which --help shows.
        parts: by name: a type, and a default or `dataclasses.MISSING`. The flags of a part that is a dataclass have no
            prefix.
    """
    fields: list[Any] = []
    for part, (kind, default) in parts.items():
        typed = Annotated[kind, tyro.conf.OmitArgPrefixes] if dataclasses.is_dataclass(kind) else kind
        fields.append((part, typed, dataclasses.field() if default is dataclasses.MISSING else _default(default)))
    made: type[Any] = dataclasses.make_dataclass(name, fields, frozen=True)
    made.__doc__ = summary
    return made


def _default(value: Any) -> Any:
    # In a function, so that the lambda keeps this value: made in the loop above, all would give the loop's last one.
    return dataclasses.field(default_factory=lambda: value)


def parse(kind: type[Any], words: list[str], program: str, default: Any = None) -> Any:
    """Let tyro read the words.

    Args:
        kind: a dataclass of settings.
        words: as they were typed; flags of earlier versions are understood.
        program: what was typed before them.
        default: settings to start from; by default those of the dataclass.

    Raises:
        UsageError: with what tyro says in its box, on one line.
    """
    # Here, and not as aliases of tyro's, so that --help shows the new names alone.
    renamed = old_flags(kind)
    words = [_renamed(word, renamed) for word in words]
    box = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        # tyro prints a box of several lines and ends the process; every error of
        # ours is one line, which the caller prints.
        with contextlib.redirect_stderr(box):
            return canonical(tyro.cli(kind, args=words, prog=program, **options))
    except SystemExit as end:
        # This was --help, which has been printed.
        if not end.code:
            raise
        raise UsageError(f"{_in_box(box.getvalue())}; see {program} --help") from None


def _in_box(drawn: str) -> str:
    """What tyro says between the first rule of its box and the next, below which stands where to find help.

    The box is drawn with what the terminal's encoding has.
    """
    lines = [line.strip("│ ") for line in drawn.splitlines()]
    rules = [number for number, line in enumerate(lines) if line.startswith(("╭", "──", "----", "╰"))]
    return " ".join(lines[rules[0] + 1 : rules[1]])


def _renamed(word: str, renamed: Mapping[str, str]) -> str:
    flag, equals, value = word.partition("=")
    # tyro takes underscores for hyphens, and names of earlier versions have to work in the same way.
    flag = flag.replace("_", "-") if flag.startswith("--") else flag
    return f"{renamed[flag]}{equals}{value}" if flag in renamed else word
