"""Reads what was typed into settings, by tyro."""

import contextlib
import dataclasses
import difflib
import io
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import tyro

from rlgan.cli.help import Page, asks_for_help, default_values, print_help
from rlgan.cli.typed import spelled
from rlgan.errors import UsageError
from rlgan.settings import all_settings, canonical, flatten, old_flags


def command(name: str, summary: str, parts: Mapping[str, tuple[Any, Any]]) -> type[Any]:
    """A dataclass of all that a command takes, put together from parts.

    Args:
        name: of the class.
        summary: its docstring, which --help shows.
        parts: by name: a type, and a default or `dataclasses.MISSING`. The flags of a part that is a dataclass have no
            prefix.

    Example:
        >>> from rlgan.task import Bounds
        >>> kind = command("Train", "Train a run", {"task": (str, "text"), "bounds": (Bounds, Bounds(steps=10))})
        >>> default_values(kind)
        {'task': 'text', 'steps': 10, 'epochs': None, 'minutes': None}
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


def parse(kind: type[Any], words: list[str], page: Page, default: Any = None) -> Any:
    """Let tyro read the words, or print the help where that is among them.

    Args:
        kind: a dataclass of settings.
        words: as they were typed; flags of earlier versions are understood.
        page: of help.
        default: settings to start from; by default those of the dataclass.

    Raises:
        UsageError: with what tyro says in its box, on one line.
        SystemExit: help was asked for, and has been printed.

    Example:
        >>> from rlgan.task import Bounds
        >>> page = Page(program="rlgan train", arguments="[--FLAG VALUE ...]", summary="Train a run")
        >>> parse(Bounds, ["--steps", "200"], page)
        Bounds(steps=200, epochs=None, minutes=None)
        >>> parse(Bounds, ["--step", "200"], page)
        Traceback (most recent call last):
        rlgan.errors.UsageError: there is no flag --step. Did you mean --steps? See rlgan train --help
    """
    if asks_for_help(words):
        print_help(page, kind, default_values(kind) if default is None else flatten(default))
        raise SystemExit(0)
    # Here, and not as aliases of tyro's, so that --help shows the new names alone.
    renamed = old_flags(kind)
    words = _with_values([_renamed(word, renamed) for word in words], kind)
    _check_flags(words, kind, page.program)
    try:
        words = spelled(words, kind)
    except UsageError as error:
        raise UsageError(f"{error} See {page.program} --help" if str(error).endswith(".") else str(error)) from None
    box = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        # tyro prints a box of several lines and ends the process; every error of
        # ours is one line, which the caller prints.
        with contextlib.redirect_stderr(box):
            return canonical(tyro.cli(kind, args=words, prog=page.program, **options))
    except SystemExit as end:
        if not end.code:  # tyro's own flags, which print what completes words in a shell
            raise
        raise UsageError(f"{_in_box(box.getvalue()).removesuffix('.')}; see {page.program} --help") from None


def _with_values(words: list[str], kind: type[Any]) -> list[str]:
    """Give a flag that may stand alone or have a value, as --resume [auto], its value where it stands alone."""
    values: dict[str, set[str]] = {}
    for setting in all_settings(kind):
        if bool in get_args(setting.kind):
            words_of = [get_args(part) for part in get_args(setting.kind) if get_origin(part) is Literal]
            values[setting.flag] = {"true", "false", *itertools.chain.from_iterable(words_of)}
    typed = []
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        positive = word.replace("--no-", "--", 1)
        if word in values and following.lower() not in values[word]:
            typed += [word, "True"]
        elif word != positive and positive in values:
            typed += [positive, "False"]
        else:
            typed.append(word)
    return typed


def _check_flags(words: list[str], kind: type[Any], program: str) -> None:
    """Check that there are flags of these names; tyro's own error does not say which one was meant."""
    settings = list(all_settings(kind))
    known = [flag for setting in settings for flag in (setting.flag, *setting.aliases)]
    known += [f"--no-{setting.flag.removeprefix('--')}" for setting in settings if setting.kind is bool]
    for word in itertools.takewhile(lambda word: word != "--", words):
        flag = word.partition("=")[0].replace("_", "-")  # tyro takes underscores for hyphens
        if (typed := _hyphens(flag)) in known and typed != flag:
            raise UsageError(f"{flag} is no flag: type {typed}, with hyphens, of which two come first")
        if flag == "--version":
            raise UsageError("--version stands by itself: type rlgan --version")
        if flag.startswith("--") and not flag.startswith("--tyro-") and flag not in known:
            raise UsageError(f"there is no flag {flag}{meant(flag, known) or '.'} See {program} --help")


def _hyphens(flag: str) -> str:
    """A flag with two hyphens before it, where it has one, or dashes: they come with what is copied from a page."""
    dashes = re.match(r"[-\u2010-\u2015\u2212]+", flag)
    return "--" + re.sub(r"[\u2010-\u2015\u2212]", "-", flag[dashes.end() :]) if dashes else flag


def meant(name: str, known: Iterable[str]) -> str:
    """A question, to follow what was typed, where it looks like a name that there is.

    Example:
        >>> meant("tarin", ["train", "sample"])
        '. Did you mean train?'
        >>> meant("--gpus", ["--rollout-gpus", "--learner-gpus"])
        '. Did you mean --rollout-gpus or --learner-gpus?'
    """
    # Without their hyphens, which would make all flags alike.
    names = {each.lstrip("-"): each for each in known}
    bare = name.lower().lstrip("-")
    near = difflib.get_close_matches(bare, names, n=1, cutoff=0.7)
    # Most flags of several words end with what they are about.
    longer = [each for each in names if each.endswith(f"-{bare}") or each.startswith(f"{bare}-")][:3]
    found = near if near and near[0] not in longer else longer
    return f". Did you mean {' or '.join(names[each] for each in found)}?" if found else ""


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
