"""What settings were called before, and what they were before they existed: `config.json` is a file format.

A setting that gets another name keeps the old one in its annotation, and one that is added says which value recipes had
before it:

    generator_ema_decay: Annotated[float, Below(0, 1), Was("generator_average")] = 0.0
    discriminator_form: Annotated[str, Choice(FORMS, "form"), Added(before="plain")] = "plain"

So old runs are read under their names, and the fingerprint of a recipe (`identity`) stays what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rlgan.errors import UsageError
from rlgan.settings.choices import is_import
from rlgan.settings.groups import Setting, all_settings, flatten, updated

S = TypeVar("S")


@dataclass(frozen=True)
class Was:
    """The name that a setting had before.

    Example:
        >>> from typing import Annotated
        >>> @dataclass(frozen=True)
        ... class Recipe:
        ...     rate: Annotated[float, Was("speed")] = 1.0
        >>> read(Recipe(), {"speed": 0.5}), identity(Recipe())
        (Recipe(rate=0.5), {'speed': 1.0})
    """

    name: str


@dataclass(frozen=True)
class Added:
    """A setting that recipes did not have from the beginning.

    Args:
        before: the value that they had, in effect, when it did not exist.

    Example:
        >>> from typing import Annotated
        >>> @dataclass(frozen=True)
        ... class Recipe:
        ...     form: Annotated[str, Added(before="plain")] = "structured"
        >>> read(Recipe(), {}), identity(Recipe()), identity(Recipe("plain"))
        (Recipe(form='plain'), {'form': 'structured'}, {})
    """

    before: Any


def old_flags(kind: type[Any]) -> dict[str, str]:
    """The flags of before, and what they are called now.

    Example:
        >>> from rlgan.learning.settings import PlayerSettings
        >>> old_flags(PlayerSettings)
        {'--generator-average': '--generator-ema-decay'}
    """
    return {
        Setting(was, str, ()).flag: setting.flag
        for setting in all_settings(kind)
        if (was := _old_name(setting)) != setting.name
    }


def identity(settings: Any, ignored: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that a recipe says, by the oldest names: what its fingerprint is made of.

    A setting with the value that it had before it existed is left out, so that a recipe of then has the same
    fingerprint now.

    Args:
        settings: the recipe.
        ignored: names of settings whose value does not count; it is given as it was when nothing was said.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> identity(LossSettings(r1=0.5), ignored=("loss",))
        {'loss': '', 'r1': 0.5, 'r2': 0.0}
    """
    values = flatten(settings)
    known: dict[str, Any] = {}
    for setting in all_settings(type(settings)):
        value = values[setting.name]
        added = next((note for note in setting.notes if isinstance(note, Added)), None)
        if added is not None and value == added.before:
            continue
        if setting.name in ignored:
            # Not left out: recipes of before had the setting in their fingerprint, with nothing said.
            value = "" if isinstance(value, str) and setting.kind is str else None
        # By the names of then: by today's, every older run would seem to be of another recipe.
        known[_old_name(setting)] = _old_value(setting, value)
    return known


def read(defaults: S, saved: Any) -> S:
    """Take settings out of a file, under the names of any version.

    Args:
        defaults: settings of the kind that is due.
        saved: by name.

    Raises:
        UsageError: a setting is missing that every version had, one is there that no version knows, or what is saved
            are not settings by name.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> read(LossSettings(), {"r2": 1, "loss": "SATURATING", "r1": 0.0})
        LossSettings(loss='saturating', r1=0.0, r2=1)
    """
    if not isinstance(saved, Mapping):
        raise UsageError(f"its settings are a {type(saved).__name__}: they must be an object, a value for each name")
    values: dict[str, Any] = {}
    left = dict(saved)
    for setting in all_settings(type(defaults)):
        names = [name for name in (setting.name, _old_name(setting)) if name in left]
        added = next((note for note in setting.notes if isinstance(note, Added)), None)
        if names:
            values[setting.name] = _new_value(setting, left.pop(names[0]))
        elif added is not None:
            values[setting.name] = added.before
        else:
            raise UsageError(f"the setting {setting.name} is missing")
    # Not passed over: a setting that this version does not know may have changed the result.
    if left:
        raise UsageError(f"it has settings that this version does not know: {', '.join(sorted(left))}")
    return updated(defaults, values)


def _old_name(setting: Setting) -> str:
    return next((note.name for note in setting.notes if isinstance(note, Was)), setting.name)


def _old_value(setting: Setting, value: Any) -> Any:
    if setting.choice is None or not isinstance(value, str):
        return value
    return next((old for old, new in setting.choice.former.items() if new == value), value)


def _new_value(setting: Setting, value: Any) -> Any:
    if isinstance(value, list):  # JSON has lists where settings have tuples
        return tuple(_new_value(setting, each) for each in value)
    if setting.choice is not None and isinstance(value, str) and not is_import(value):
        return setting.choice.canonical(value)
    return value
