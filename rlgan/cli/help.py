"""What `--help` prints: the settings that matter first, then all in their groups, then examples to paste."""

import dataclasses
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, get_args, get_origin

from rlgan.settings import Setting, declared, flatten, summary

# Wider lines than this are hard to read.
WIDEST = 100
INDENT, DEEPER = "  ", "      "
HELP = {"-h", "--help"}
KINDS = {int: "INT", float: "FLOAT", str: "TEXT"}

Section = tuple[str, list[Setting]]


@dataclass(frozen=True)
class Page:
    """What a page of help says beside the settings.

    Args:
        program: what is typed first, as `rlgan sample`.
        arguments: what follows, as `RUN [--FLAG VALUE ...]`.
        summary: what the command does.
        first: names of the settings that stand first.
        lists: words with what they stand for, under a title.
        examples: lines to paste.
    """

    program: str
    arguments: str
    summary: str
    first: tuple[str, ...] = ()
    lists: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


def print_help(page: Page, kind: type[Any], defaults: Mapping[str, Any]) -> None:
    """Print a page of help.

    Args:
        page: what it says beside the settings.
        kind: a dataclass of all that the command takes.
        defaults: values by name; a setting that has none must be given.
    """
    lines = list(_lines(page, kind, defaults, min(shutil.get_terminal_size().columns, WIDEST)))
    if not sys.stdout.isatty():  # where the reader of a pipe goes, rich would end this process
        print("\n".join(line for _, line in lines), flush=True)
        return
    from rich.console import Console

    console = Console()
    for style, line in lines:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether help was asked for among the words that were typed.

    Example:
        >>> asks_for_help(["text", "-h"]), asks_for_help(["text", "--helpful"])
        (True, False)
    """
    return not HELP.isdisjoint(words)


def default_values(kind: Any) -> dict[str, Any]:
    """The default of every setting of a dataclass, by name, as far as it has one.

    Example:
        >>> from rlgan.runs.settings import RunSettings
        >>> values = default_values(RunSettings)
        >>> values["keep_checkpoints"], values["placement"]  # of groups within it
        (3, 'spread')
    """
    values: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        found = each.default if each.default_factory is MISSING else each.default_factory()
        inner = declared(kind)[each.name]
        if isinstance(inner, Setting):
            values |= {} if found is MISSING else {each.name: found}
        else:
            values |= default_values(inner) if found is MISSING else flatten(found)
    return values


def _lines(page: Page, kind: type[Any], defaults: Mapping[str, Any], width: int) -> Iterator[tuple[str, str]]:
    usage = textwrap.wrap(f"usage: {page.program} {page.arguments}", width, subsequent_indent=DEEPER)
    for text in (*usage, "", *textwrap.wrap(_sentence(page.summary), width)):
        yield "", text
    for title, words in page.lists.items():
        yield from _list(title, words, width)
    yield from _settings(_first(page, kind), defaults, width)
    yield from _settings(_sections(kind, page.first), defaults, width)
    if page.examples:
        yield "", ""
        yield "bold", "Examples"
        for example in page.examples:
            yield "", f"{INDENT}{example}"


def _first(page: Page, kind: type[Any]) -> list[Section]:
    by_name = {setting.name: setting for _, settings in _sections(kind) for setting in settings}
    chosen = [by_name[name] for name in page.first if name in by_name]
    return [("Used most", chosen)] if chosen else []


def _sections(kind: Any, besides: Iterable[str] = ()) -> Iterator[Section]:
    """The groups of a dataclass and their settings, from the outside in."""
    fields = declared(kind)
    own = [each for each in fields.values() if isinstance(each, Setting) and each.name not in besides]
    if own:
        yield summary(kind) or "Options", own
    for each in fields.values():
        if not isinstance(each, Setting):
            yield from _sections(each, besides)


def _settings(sections: Iterable[Section], defaults: Mapping[str, Any], width: int) -> Iterator[tuple[str, str]]:
    for title, settings in sections:
        heading, mark, more = title.partition(": ")
        yield "", ""
        for text in textwrap.wrap(heading, width):
            yield "bold", text
        for text in textwrap.wrap(_sentence(more), width) if mark else ():
            yield "", text
        for setting in settings:
            for text in textwrap.wrap(
                _typed(setting, defaults), width, initial_indent=INDENT, subsequent_indent=DEEPER
            ):
                yield "", text
            said = " ".join(filter(None, (setting.help, _default(setting, defaults))))
            for text in textwrap.wrap(said, width, initial_indent=DEEPER, subsequent_indent=DEEPER):
                yield "", text


def _list(title: str, words: Mapping[str, str], width: int) -> Iterator[tuple[str, str]]:
    yield "", ""
    yield "bold", title
    column = max(map(len, words)) + 2
    beside = column < width / 2
    for word, text in words.items():
        if not beside:
            yield "", f"{INDENT}{word}"
        first = f"{INDENT}{word:{column}}" if beside else DEEPER
        for line in textwrap.wrap(text, width, initial_indent=first, subsequent_indent=" " * len(first)):
            yield "", line


def _typed(setting: Setting, defaults: Mapping[str, Any]) -> str:
    """How a setting is typed: its flags, and what follows them."""
    if setting.positional:
        return metavar(setting)
    if setting.kind is bool:
        name = setting.flag.removeprefix("--")
        # What is on is typed to turn it off.
        return f"--{name}, --no-{name}" if defaults.get(setting.name) else f"--{name}"
    return f"{', '.join((setting.flag, *setting.aliases))} {metavar(setting)}"


def metavar(setting: Setting) -> str:
    """What stands for the value of a setting: STEPS, FILE, or its choices.

    Example:
        >>> from rlgan.runs.settings import RecordSettings
        >>> settings = declared(RecordSettings)
        >>> [metavar(settings[name]) for name in ("evaluate_every", "keep_checkpoints", "on_collapse")]
        ['STEPS', 'INT', '{warn,stop}']
    """
    if setting.metavar is not None:
        return setting.metavar
    many = " ..." if get_origin(setting.kind) is tuple else ""
    if setting.choice is not None:
        return setting.choice.metavar + many
    return ("PATH" if setting.is_path else _kind(setting.kind)) + many


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "{" + ",".join(map(str, get_args(kind))) + "}"
    # None, which is what a setting has that is not typed, can't be typed and is not shown.
    parts = [part for part in get_args(kind) if part not in (type(None), ...)]
    return "|".join(_kind(part) for part in parts) if parts else KINDS.get(kind, "VALUE")


def _default(setting: Setting, defaults: Mapping[str, Any]) -> str:
    if setting.name not in defaults:
        return "(required)"
    value = defaults[setting.name]
    if isinstance(value, bool):
        return "(default: on)" if value else ""
    return f"(default: {_spoken(value)})" if value not in (None, (), "") else ""


def _spoken(value: Any) -> str:
    return " ".join(map(_spoken, value)) if isinstance(value, tuple) else str(value)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."
