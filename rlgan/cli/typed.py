"""Words as people type them: whole numbers as `1e3`, choices in capitals, flags that have another name."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from rlgan.cli.help import metavar
from rlgan.errors import UsageError
from rlgan.settings import Choice, Matching, Setting, all_settings, old_flags

ENDLESS = re.compile("[+-]?(nan|inf(inity)?)", re.IGNORECASE)  # numbers that no setting takes, which its limits say


def spelled(words: list[str], kind: type[Any]) -> list[str]:
    """Write words as the settings have them: whole numbers in figures, choices in their own case.

    Args:
        words: as they were typed, all flags of them known.
        kind: a dataclass of settings.

    Raises:
        UsageError: a flag has no value, or one that is no number or none of its choices; or a word is missing, or one
            too many.

    Example:
        >>> from rlgan.task import Bounds
        >>> spelled(["--steps", "1e3", "--minutes", "1e1"], Bounds)
        ['--steps', '1000', '--minutes', '1e1']
    """
    flags = {flag: setting for setting in all_settings(kind) for flag in (setting.flag, *setting.aliases)}
    places = [setting for setting in all_settings(kind) if setting.positional]
    typed, left = list[str](), list(words)
    while left:
        word = left.pop(0)
        flag, equals, value = word.partition("=")
        flag = flag.replace("_", "-") if flag.startswith("--") else flag  # as tyro takes it
        if flag in flags and equals:
            typed.append(f"{flag}={_value(flag, value, flags[flag])}")
        elif flag in flags:
            typed += [word, *_values(flag, left, flags[flag], len(places))]
        elif word.startswith("--"):  # what turns a setting off, and tyro's own
            typed.append(word)
        elif re.match("-[A-Za-z]", word):
            raise UsageError(f"there is no flag {word}.")
        elif places:
            place = places.pop(0)
            typed.append(_value(metavar(place), word, place))
        else:
            raise UsageError(f"{word!r} is one word too many.")
    if places:
        due = places[0].help
        raise UsageError(f"{metavar(places[0])} is missing: {due[:1].lower()}{due[1:]}")
    return typed


def _values(flag: str, left: list[str], setting: Setting, due: int) -> list[str]:
    """Take the values of a flag off the words that follow it; so many words without a flag are due yet."""
    if setting.kind is bool:
        return []
    count = 1
    if get_origin(setting.kind) is tuple:
        # As `--control a b RUN`: what comes last is what is due.
        count = next((place for place, word in enumerate(left) if _is_flag(word)), max(len(left) - due, 0))
    elif not left or _is_flag(left[0]):
        raise UsageError(f"{flag} has no value: type {flag} {metavar(setting)}")
    # Of pairs, as EPOCH W, there are whole ones.
    inner = get_args(get_args(setting.kind)[0]) if count and get_origin(setting.kind) is tuple else ()
    if inner and count % len(inner):
        one = "1 value" if count == 1 else f"{count} values"
        raise UsageError(f"{flag} has {one}: type {flag} {metavar(setting)}")
    return [_value(flag, left.pop(0), setting) for _ in range(count)]


def _is_flag(word: str) -> bool:
    return re.match("--?[A-Za-z]", word) is not None and not ENDLESS.fullmatch(word)


def _value(flag: str, value: str, setting: Setting) -> str:
    leaves = set(_leaves(setting.kind))
    if value == "None" and NoneType in leaves:
        return value
    parts = leaves - {NoneType}
    literals = [part for part in parts if get_origin(part) is Literal]
    if parts == set(literals):
        choices = {str(each): each for part in literals for each in get_args(part)}
        choice = Choice(choices, "choice", outside=False)
        if problem := choice.problem(choice.canonical(value)):
            raise UsageError(f"{flag} {value!r} {problem}")
        return choice.canonical(value)
    if not parts & {int, float}:
        # As cpu and cuda:0, which no pattern has capitals for.
        patterns = [limit for limit in setting.limits if isinstance(limit, Matching)]
        return value.lower() if patterns and all(limit.holds(value.lower()) for limit in patterns) else value
    number = _number(value)
    if int in parts and float not in parts and number is not None and number == number.to_integral_value():
        return str(int(number))
    if parts == {int}:
        raise UsageError(f"{flag} is {value or 'empty'}: it must be a whole number, as 1000 or 1e3")
    if parts <= {int, float} and number is None and not ENDLESS.fullmatch(value):
        raise UsageError(f"{flag} is {value or 'empty'}: it must be a number, as 0.5 or 1e-3")
    return value


def _leaves(kind: Any) -> Iterator[Any]:
    """The types that a type is put together from, by unions and tuples."""
    if kind is ... or not get_args(kind) or get_origin(kind) is Literal:
        yield from () if kind is ... else (kind,)
    else:
        for part in get_args(kind):
            yield from _leaves(part)


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


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
