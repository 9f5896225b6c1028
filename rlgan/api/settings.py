"""Settings as a Python program gives them: by the names of the flags, with underscores."""

import difflib
import numbers
import os
from collections.abc import Mapping
from typing import Any, TypeVar

from rlgan.errors import UsageError
from rlgan.runs.request import Ask, Asked
from rlgan.runs.settings import RunSettings
from rlgan.settings import all_settings, canonical, check, check_values, updated

S = TypeVar("S")


def asking(settings: Mapping[str, Any], kind: type[Any], *, trust_imports: bool) -> Ask:
    """What was asked for, as `rlgan.runs.request.resolve_request` takes it.

    Args:
        settings: of the recipe and of the run, by name.
        kind: the type of the recipe.
        trust_imports: import what the config of a run that is continued names outside of the package.

    Raises:
        UsageError: there is no such setting.

    Example:
        >>> from rlgan.gaussian.settings import GaussianSettings
        >>> ask = asking({"target": "ring", "steps": 20}, GaussianSettings, trust_imports=False)
        >>> asked = ask(GaussianSettings(), RunSettings())
        >>> asked.recipe.target, asked.run.bounds.steps
        ('ring', 20)
    """
    of_recipe, of_run = ({setting.name for setting in all_settings(each)} for each in (kind, RunSettings))
    check_names(settings, of_recipe | of_run)
    given = {name: plain(value) for name, value in settings.items()}

    def ask(recipe: Any, run: RunSettings) -> Asked:
        recipe = canonical(updated(recipe, {name: given[name] for name in given.keys() & of_recipe}))
        run = canonical(updated(run, {name: given[name] for name in given.keys() & of_run}))
        # Already here: the command line's parser has done it by now too, and presets are looked up by these values.
        check_values(recipe)
        check_values(run)
        return Asked(recipe, run, frozenset(given), trust_imports)

    return ask


def options_of(kind: type[S], given: Mapping[str, Any]) -> S:
    """The options of a command, by name.

    Args:
        kind: a dataclass of them.
        given: what holds over its defaults.

    Raises:
        UsageError: there is no such option, or its value makes no sense.

    Example:
        >>> from rlgan.images.settings import SampleOptions
        >>> options_of(SampleOptions, {"out": "faces.png"})
        SampleOptions(out='faces.png', force=False)
    """
    check_names(given, {setting.name for setting in all_settings(kind)})
    options = canonical(updated(kind(), {name: plain(value) for name, value in given.items()}))
    check(options)
    return options


def check_names(given: Mapping[str, Any], known: set[str]) -> None:
    """Check that there are settings of these names.

    Raises:
        UsageError: there is one that is not known.

    Example:
        >>> check_names({"step": 20}, {"steps", "minutes"})
        Traceback (most recent call last):
        rlgan.errors.UsageError: there is no setting 'step'. Did you mean steps?
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]}?" if near else f" Known here: {', '.join(sorted(known)) or 'none'}."
            raise UsageError(f"there is no setting {name!r}.{meant}")


def plain(value: Any) -> Any:
    """A value as settings have it: tuples for lists, text for paths, Python's numbers for numpy's.

    Example:
        >>> from pathlib import Path
        >>> plain([1, Path("runs")])
        (1, 'runs')
    """
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # numpy's numbers can't be written as JSON, as settings are. True and False are Integral too, and have to stay.
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, int | bool):
        return float(value)
    return value
