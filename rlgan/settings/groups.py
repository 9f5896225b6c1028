"""Groups of settings: frozen dataclasses that nest, while all their names stand side by side on the command line.

A recipe is made of groups, so that each piece of the code takes the group that it needs and no more. On the command
line, in `config.json` and in errors a setting has its own name alone, whatever group it is in: names are unique in a
recipe.
"""

import dataclasses
import math
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tyro.conf import Positional

from rlgan.errors import UsageError
from rlgan.settings.choices import Choice, is_import, is_import_here
from rlgan.settings.explanations import Metavar, explanations
from rlgan.settings.limits import LIMITS, AtLeast, Limit, Matching, MoreThan
from rlgan.settings.paths import TypedPath, typed_path

S = TypeVar("S")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is declared of one setting."""

    name: str
    kind: Any  # the type, without annotations
    notes: tuple[Any, ...]  # the annotations: limits, a choice, what it was called before
    help: str = ""  # what it is for

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def typed(self) -> str:
        """What stands for it in a message: its flag, or of a word without one the word that --help shows."""
        return self.metavar or self.flag if self.positional else self.flag

    @property
    def choice(self) -> Choice | None:
        """The table that it is a name in, if it is one."""
        return next((note for note in self.notes if isinstance(note, Choice)), None)

    @property
    def is_path(self) -> bool:
        """Whether it is a path as it was typed."""
        return any(isinstance(note, TypedPath) for note in self.notes)

    @property
    def metavar(self) -> str | None:
        """The word that --help shows for its value, if it has one of its own."""
        # The metavar of a `Choice` is made of its table, and the caller asks for that itself.
        notes = [note for note in self.notes if note is not self.choice]
        words = (note.word if isinstance(note, Metavar) else getattr(note, "metavar", None) for note in notes)
        return next(filter(None, words), None)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other flags for it."""
        # In the notes of tyro, which has no way to ask for them.
        return next((flags for note in self.notes if (flags := getattr(note, "aliases", None))), ())

    @property
    def positional(self) -> bool:
        """Whether it is typed without a flag."""
        return Positional in self.notes

    @property
    def is_written(self) -> bool:
        """Whether it is a path where things are written."""
        return any(isinstance(note, TypedPath) and note.written for note in self.notes)

    @property
    def limits(self) -> list[Limit]:
        """The conditions on its value."""
        return [note for note in self.notes if isinstance(note, LIMITS)]


@cache  # the type says all, and hints take long to read
def declared(kind: Any) -> Mapping[str, Any]:
    """The fields of a dataclass: for each a `Setting`, or the dataclass of a group within it.

    Example:
        >>> from rlgan.gaussian.settings import GaussianSettings
        >>> fields = declared(GaussianSettings)
        >>> fields["batch_size"].limits, fields["adversarial"].__name__
        ([AtLeast(least=1, why='')], 'LossSettings')
    """
    # With the extras, since Python leaves annotations out of hints unless it is asked for them.
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        plain, notes = _unwrapped(hints[field.name])
        setting = Setting(field.name, plain, notes, explanations(kind).get(field.name, ""))
        fields[field.name] = plain if dataclasses.is_dataclass(plain) else setting
    return fields


def _unwrapped(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type and its annotations; those of the parts of a union count too, since `None` has none."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        plain, more = _unwrapped(inner)
        return plain, (*notes, *more)
    if get_origin(hint) in (Union, types.UnionType):
        parts = [_unwrapped(part) for part in get_args(hint)]
        return Union[tuple(plain for plain, _ in parts)], tuple(note for _, notes in parts for note in notes)  # noqa: UP007
    if get_origin(hint) is tuple:
        parts = [(part, ()) if part is ... else _unwrapped(part) for part in get_args(hint)]
        return tuple[tuple(plain for plain, _ in parts)], tuple(note for _, notes in parts for note in notes)  # type: ignore[misc]
    return hint, ()


def _kind(settings: Any) -> Any:
    return type(settings)  # as Any: mypy takes no class for hashable, which a cache needs


def all_settings(kind: Any) -> Iterator[Setting]:
    """Every setting of a group and of the groups within it, in the order of declaration.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> [setting.flag for setting in all_settings(LossSettings)]
        ['--loss', '--r1', '--r2']
    """
    for field in declared(kind).values():
        if isinstance(field, Setting):
            yield field
        else:
            yield from all_settings(field)


def flatten(settings: Any) -> dict[str, Any]:
    """Give all settings by name, those of groups within a group too.

    Example:
        >>> from rlgan.gaussian.settings import GaussianSettings
        >>> flatten(GaussianSettings())["r1"]
        0.0
    """
    values: dict[str, Any] = {}
    for name, field in declared(_kind(settings)).items():
        value = getattr(settings, name)
        values |= {name: value} if isinstance(field, Setting) else flatten(value)
    return values


def updated(settings: S, values: Mapping[str, Any]) -> S:
    """Give settings with some values changed, by name, whatever group they are in.

    Raises:
        TypeError: there is no such setting.

    Example:
        >>> from rlgan.gaussian.settings import GaussianSettings
        >>> updated(GaussianSettings(), {"r1": 0.5}).adversarial.r1
        0.5
    """
    # Refused here, because the groups below take what is theirs and pass over the rest.
    unknown = set(values) - {setting.name for setting in all_settings(_kind(settings))}
    if unknown:
        raise TypeError(f"{type(settings).__name__} has no setting {', '.join(sorted(unknown))}")
    return _updated(settings, values)


def _updated(settings: S, values: Mapping[str, Any]) -> S:
    changes: dict[str, Any] = {}
    for name, field in declared(_kind(settings)).items():
        if not isinstance(field, Setting):
            changes[name] = _updated(getattr(settings, name), values)
        elif name in values:
            changes[name] = values[name]
    return dataclasses.replace(settings, **changes)  # type: ignore[type-var]


def canonical(settings: S) -> S:
    """Give settings whose names are spelled as their tables have them, and whose paths are those that were meant.

    Raises:
        UsageError: a path starts with the home of nobody.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> canonical(LossSettings(loss="Non-Saturating")).loss
        'non_saturating'
    """
    values = {setting.name: _spelled(setting, value) for setting, value in _with_values(settings)}
    return updated(settings, values)


def _spelled(setting: Setting, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_spelled(setting, each) for each in value)
    if not isinstance(value, str):
        return value
    if setting.choice is not None:
        value = setting.choice.canonical(value)
    return typed_path(setting.typed, value) if setting.is_path else value


def _with_values(settings: Any) -> Iterator[tuple[Setting, Any]]:
    values = flatten(settings)
    for setting in all_settings(_kind(settings)):
        yield setting, values[setting.name]


def check(settings: Any) -> None:
    """Check every value against its type, its limits and its table, then what the groups themselves check.

    A group may have a method `check`, for what concerns several settings at once.

    Raises:
        UsageError: one line, which names the flag, what came and what is due.

    Example:
        >>> from rlgan.gaussian.settings import GaussianSettings
        >>> check(updated(GaussianSettings(), {"batch_features": "packing", "minibatch_group_size": 3}))
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --minibatch-group-size 3 does not divide --batch-size 200: choose a divisor
    """
    check_values(settings)
    _check_groups(settings)


def check_values(settings: Any) -> None:
    """Check every value by itself, against its type, its limits and its table.

    Raises:
        UsageError: one line, which names the flag, what came and what is due.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> check_values(LossSettings(r1=-0.5))
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --r1 is -0.5: it must be 0 or more
    """
    for setting, value in _with_values(settings):
        _check_value(setting, value)


def _check_groups(settings: Any) -> None:
    # From the inside out: a group's own check may rely on its parts.
    for name, field in declared(_kind(settings)).items():
        if not isinstance(field, Setting):
            _check_groups(getattr(settings, name))
    if hasattr(settings, "check"):
        settings.check()


def _check_value(setting: Setting, value: Any) -> None:
    if not matches(value, setting.kind):
        raise UsageError(f"{setting.typed} is {value!r}, which is of a wrong type: it must be {_spoken(setting.kind)}")
    if setting.choice is not None and value is not None:
        for name in value if isinstance(value, tuple) else (value,):
            if problem := setting.choice.problem(name):
                raise UsageError(f"{setting.typed} {name!r} {problem}")
    for number in value if isinstance(value, tuple) else (value,):
        for limit in setting.limits:
            # Of a union, as a number or a word or None, a limit concerns the values of its own kind alone.
            concerned = isinstance(number, str if isinstance(limit, Matching) else int | float)
            if concerned and not limit.holds(number):
                # `more than 0` would be no answer to infinity.
                endless = isinstance(limit, AtLeast | MoreThan) and not math.isfinite(number)
                raise UsageError(
                    f"{setting.typed} is {number}: it must be {'a finite number, ' if endless else ''}{limit.due}"
                )


def matches(value: Any, kind: Any) -> bool:
    """Whether a value is of a declared type; an int counts as a float.

    Example:
        >>> matches(1, float), matches("1", float), matches(((0.0, 1),), tuple[tuple[float, float], ...])
        (True, False, True)
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(matches(value, part) for part in arguments)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if arguments[-1:] == (...,):
            return all(matches(each, arguments[0]) for each in value)
        return len(value) == len(arguments) and all(map(matches, value, arguments))
    if origin is not None:  # Literal
        return value in arguments
    # To Python a bool is an int; `true` in a config.json is no number all the same.
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _spoken(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_spoken(part) for part in get_args(kind))
    words = {int: "a whole number", float: "a number", str: "a string", bool: "true or false", type(None): "left out"}
    return words.get(kind, "a list" if get_origin(kind) is tuple else str(kind))


def foreign_names(settings: Any) -> list[str]:
    """The values that would be imported from outside of the package: `--flag package.module:object`.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> foreign_names(LossSettings(loss="mine:HINGE")), foreign_names(LossSettings(loss="saturating"))
        (['--loss mine:HINGE'], [])
    """
    found: list[str] = []
    for setting, value in _with_values(settings):
        if setting.choice is None:
            continue
        table, names = setting.choice.table, value if isinstance(value, tuple) else (value,)
        # A key of the table is ours, even where it has a colon.
        imported = is_import_here if setting.choice.paths else is_import
        outside = [name for name in names if isinstance(name, str) and imported(name) and name not in table]
        found += [f"{setting.flag} {name}" for name in outside]
    return found


def differences(old: Any, new: Any, ignored: tuple[str, ...] = ()) -> list[str]:
    """Name the settings in which two recipes of a kind differ, as `--flag old -> new`.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> differences(LossSettings(), LossSettings(r1=0.5, r2=1.0), ignored=("r2",))
        ['--r1 0.0 -> 0.5']
    """
    before, after = flatten(old), flatten(new)
    return [
        f"{setting.flag} {before[setting.name]} -> {after[setting.name]}"
        for setting in all_settings(_kind(old))
        if setting.name not in ignored and before[setting.name] != after[setting.name]
    ]
