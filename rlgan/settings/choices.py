"""A setting that names something: a key of the table that implements it, or `package.module:object`.

A table maps each name to an object, or to `module:object` where importing the object would bring torch: `rlgan --help`
reads the keys and imports nothing.

    baseline: Annotated[str, Choice(BASELINES, "baseline")] = "none"
"""

import difflib
import importlib
import operator
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from tyro.constructors import PrimitiveConstructorSpec

from rlgan.errors import UsageError

Table = Mapping[str, Any]

OWN_PACKAGES = ("envs", "rlgan")

# Objects that were imported by a typed name, and the names of modules that were found in the current directory for
# them: what another process has to be given, which may stand elsewhere.
_imported: dict[str, Any] = {}
_found_here: set[str] = set()


class Choice(PrimitiveConstructorSpec[str]):
    """The annotation of a setting that is a name in a table, or `module:object`.

    Args:
        table: by name, an object or `module:object`; empty where all come from outside.
        what: what the names are names of, for errors: "reward rule".
        former: names that a choice had before, by old name.
        paths: anything else is taken for the path of a file or directory.
        outside: `module:object` is taken too.

    Example:
        >>> from rlgan.settings import Choice
        >>> rule = Choice({"log_odds": abs, "probability": abs}, "reward rule")
        >>> rule.canonical("log-odds"), rule.canonical("mine:Rule")
        ('log_odds', 'mine:Rule')
        >>> rule.problem("applause")
        'is not a reward rule. Choose one of: log_odds, probability, or give package.module:object'
    """

    table: Table
    what: str
    former: Mapping[str, str]
    paths: bool
    outside: bool

    def __init__(
        self,
        table: Table,
        what: str,
        former: Mapping[str, str] | None = None,
        *,
        paths: bool = False,
        outside: bool = True,
    ) -> None:
        super().__init__(
            nargs=1,
            metavar="{" + ",".join([*table, *(["PATH"] if paths else [])]) + "}" if table else "MODULE:OBJECT",
            instance_from_str=lambda words: words[0],
            is_instance=lambda value: isinstance(value, str),
            str_from_instance=lambda value: [value],
        )
        # The specification of tyro is frozen.
        given = {"table": table, "what": what, "former": former or {}, "paths": paths, "outside": outside}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def canonical(self, name: str) -> str:
        """A name as the table has it: hyphens, capitals and names of before are understood."""
        if is_import(name) or self.paths:
            return name
        spelled = name.lower().replace("-", "_")
        own = {key.lower().replace("-", "_"): key for key in self.table}
        return self.former.get(spelled, own.get(spelled, name))

    def problem(self, name: str) -> str | None:
        """What is wrong with a name, to follow the flag and the name; None where it is right."""
        if name in self.table or (self.outside and is_import(name)) or self.paths:
            return None
        if not self.table:
            return f"is {self._not_one}: give package.module:object"
        near = _near(name.lower(), self.table)
        meant = f" Did you mean {near}?" if near else ""
        outside = ", or give package.module:object" if self.outside else ""
        return f"is {self._not_one}.{meant} Choose one of: {', '.join(self.table)}{outside}"

    @property
    def _not_one(self) -> str:
        return f"not {'an' if self.what[0] in 'aeiou' else 'a'} {self.what}"


def is_import(name: str) -> bool:
    """Whether a name says where to import from.

    Example:
        >>> is_import("mine:Rule"), is_import("s3://bucket/run"), is_import("log_odds")
        (True, False, False)
    """
    module, colon, path = name.partition(":")
    # An address as s3://bucket has a colon too, and names no module.
    return bool(colon and module and path) and "/" not in name


def is_import_here(name: str) -> bool:
    """Whether a value that may be a path says where to import from: not where something lies here by that name.

    Example:
        >>> is_import_here("mine:pictures"), is_import_here("pictures")
        (True, False)
    """
    return is_import(name) and not os.path.lexists(name)


def resolve(name: str, table: Table) -> Any:
    """Give what a name stands for.

    Args:
        name: a key of the table, or `module:object`. A module is searched for where Python does, and last in the
            current directory.
        table: by name, an object or `module:object`.

    Raises:
        UsageError: there is no such name, module or object, or the module can't be imported.

    Example:
        >>> table = {"largest": max, "rollouts": "rlgan.rng:Purpose.ROLLOUT"}
        >>> resolve("largest", table)(2, 5), resolve("rollouts", table).name
        (5, 'ROLLOUT')
        >>> resolve("rlgan.rng:Purpose.REAL", table).name  # not in the table
        'REAL'
    """
    target = table.get(name, name)
    if not isinstance(target, str):
        return target
    if not is_import(target):
        raise UsageError(f"{name!r} is none of {', '.join(table)}, and not package.module:object")
    if target not in _imported:
        _imported[target] = _import(target)
    return _imported[target]


def _import(target: str) -> Any:
    module_name, _, path = target.partition(":")
    try:
        with nullcontext() if _is_own(module_name) else _current_directory_last():
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a module of somebody else's may raise anything, or be a program
        # Of a module that is there and imports one that is not, the name is right.
        absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        meant = _meant_module(module_name) if absent else ""
        raise UsageError(f"{target} can't be imported: {type(error).__name__}: {error}{meant}") from error
    try:
        return operator.attrgetter(path)(module)
    except AttributeError:
        near = _near(path, (name for name in dir(module) if not name.startswith("_")))
        meant = f". Did you mean {module_name}:{near}?" if near else ""
        raise UsageError(f"{target} can't be imported: the module {module_name} has no {path}{meant}") from None


def _meant_module(name: str) -> str:
    """A question, to follow what was typed, where a file of the current directory has nearly that name."""
    near = _near(name, (file.stem for file in Path.cwd().glob("*.py")))
    return f". Did you mean {near}?" if near else ""


def _near(name: str, names: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, names, n=1)), None)


@contextmanager
def _current_directory_last() -> Iterator[None]:
    # Last is not late enough for packages that a development install finds by a hook behind the path: a folder `envs/`
    # of the current directory, which many projects have, would come before ours.
    for package in OWN_PACKAGES:
        importlib.import_module(package)
    here = os.getcwd()
    before = set(sys.modules)
    # Last, so that a file here that has the name of a library does not take its place.
    # Who has it on the path already keeps it where it stands.
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)
        # Noted down, because workers on other machines do not have this directory.
        for name in set(sys.modules) - before:
            # A package without an `__init__.py` has None there, and a built-in module nothing.
            file = getattr(sys.modules[name], "__file__", None) or ""
            # A virtual environment often lies in the current directory, and the others have those packages too.
            if file.startswith(here + os.sep) and "site-packages" not in file and not _is_own(name):
                _found_here.add(name)


def imported_objects() -> dict[str, Any]:
    """What was imported by names, for another process to `adopt`."""
    return {name: value for name, value in _imported.items() if not _is_own(name)}


def _is_own(name: str) -> bool:
    """Whether a module, or an object of `module:object`, is of a package that every process of a run has."""
    return re.split("[.:]", name, maxsplit=1)[0] in OWN_PACKAGES


@contextmanager
def own_imports() -> Iterator[None]:
    """Forget, when the context ends, what was imported by names in it: it would travel with a later run.

    Modules stay imported, so that the same names stand for the same objects afterwards.

    Example:
        >>> with own_imports():
        ...     half = resolve("fractions:Fraction", {})(1, 2)
        ...     "fractions:Fraction" in imported_objects()
        True
        >>> "fractions:Fraction" in imported_objects()
        False
    """
    before = dict(_imported)
    try:
        yield
    finally:
        _imported.clear()
        _imported.update(before)


def modules_found_here() -> list[ModuleType]:
    """Modules that only the current directory of this process has: they have to be sent along."""
    # A notebook may have taken one out of the imported ones, to import it anew: what is there now counts.
    return [sys.modules[name] for name in sorted(_found_here) if name in sys.modules]


def adopt(objects: Mapping[str, Any]) -> None:
    """Take up what another process imported: here, those names stand for the same."""
    _imported.update(objects)
