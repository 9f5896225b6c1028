"""Words as people type them: whole numbers as `1e3`, and flags that have another name."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from types import NoneType
from typing import Any, get_args

from rlgan.errors import UsageError
from rlgan.settings import all_settings, old_flags


def whole_numbers(words: list[str], kind: type[Any]) -> list[str]:
    """Write whole numbers in figures, as `1000` where `1e3` was typed, at the flags that take one.

    Args:
        words: as they were typed.
        kind: a dataclass of settings.

    Raises:
        UsageError: a flag that takes a whole number, and nothing else, has another value.

    Example:
        >>> from rlgan.task import Bounds
        >>> whole_numbers(["--steps", "1e3", "--minutes", "1e1"], Bounds)
        ['--steps', '1000', '--minutes', '1e1']
    """
    kinds = {flag: setting.kind for setting in all_settings(kind) for flag in (setting.flag, *setting.aliases)}
    typed: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        flag, equals, value = word.partition("=")
        if equals and flag in kinds:
            typed.append(f"{flag}={_in_figures(flag, value, kinds[flag])}")
        elif before in kinds and not word.startswith("--"):
            typed.append(_in_figures(before, word, kinds[before]))
        else:
            typed.append(word)
    return typed


def _in_figures(flag: str, value: str, kind: Any) -> str:
    parts = set(get_args(kind) or (kind,)) - {NoneType}
    if int not in parts or float in parts or value == "None":
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if number.is_finite() and number == number.to_integral_value():
        return str(int(number))
    if parts == {int}:
        raise UsageError(f"{flag} is {value or 'empty'}: it must be a whole number, as 1000 or 1e3")
    return value


def as_typed(message: str, words: list[str], kind: type[Any]) -> str:
    """Name the flags of a message as they were typed, where they have several names or had another before.

    Args:
        message: of an error, which knows the name of now.
        words: as they were typed.
        kind: a dataclass of settings.

    Example:
        >>> from rlgan.text.settings import TextSettings
        >>> as_typed("--discount is 7.0: it must be from 0 to 1", ["--lambda", "7"], TextSettings)
        '--lambda is 7.0: it must be from 0 to 1'
    """
    flags = _flags(words)
    for other, flag in _other_names(kind):
        if other in flags and flag not in flags:
            message = re.sub(rf"{re.escape(flag)}(?![\w-])", other, message)
    return message


def typed_names(words: list[str], kind: type[Any]) -> Iterator[str]:
    """The names of the settings that were typed, whatever their values.

    Args:
        words: as they were typed.
        kind: a dataclass of settings.

    Example:
        >>> from rlgan.text.settings import TextSettings
        >>> list(typed_names(["-k", "2", "--seed=7"], TextSettings))
        ['seed', 'discriminator_steps']
    """
    flags = _flags(words)
    others = list(_other_names(kind))
    for setting in all_settings(kind):
        without = f"--no-{setting.flag.removeprefix('--')}"
        if flags & {setting.flag, without, *(other for other, flag in others if flag == setting.flag)}:
            yield setting.name


def _flags(words: list[str]) -> set[str]:
    """The flags among words, with hyphens."""
    return {word.partition("=")[0].replace("_", "-") for word in words if word.startswith("-")}


def _other_names(kind: type[Any]) -> Iterator[tuple[str, str]]:
    for setting in all_settings(kind):
        yield from ((alias, setting.flag) for alias in setting.aliases)
    yield from old_flags(kind).items()
