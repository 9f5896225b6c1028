"""What settings are for, in words: the string below each, and the docstring of its group, read out of the source.

Python keeps the docstring of a class but not the string below a field.
"""

import ast
import inspect
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Metavar:
    """The annotation of a setting whose value --help shows by a word of its own: STEPS, FILE."""

    word: str


NOTHING: Mapping[str, str] = {}


def explanations(kind: type[Any]) -> Mapping[str, str]:
    """What each field of a dataclass is for, by name; nothing where its source can't be read.

    Example:
        >>> from rlgan.runs.settings import RecordSettings
        >>> explanations(RecordSettings)["sinks"]
        'Where metrics are written.'
    """
    return _of_module(kind.__module__).get(kind.__qualname__, NOTHING)


def summary(kind: type[Any]) -> str:
    """The first paragraph of a group's docstring, without its last full stop.

    Example:
        >>> from rlgan.learning.settings import LossSettings
        >>> summary(LossSettings)
        'The adversarial loss'
    """
    # Out of the source too: where docstrings are stripped (python -OO), a dataclass has its signature for one.
    written = next(
        (ast.get_docstring(node) for node in _classes(kind.__module__) if node.name == kind.__qualname__), None
    )
    return (written or inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ").removesuffix(".")


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    return {node.name: _of_class(node) for node in _classes(name)}


@cache  # a module is parsed once for all its groups
def _classes(name: str) -> tuple[ast.ClassDef, ...]:
    try:
        tree = ast.parse(Path(str(inspect.getsourcefile(sys.modules[name]))).read_bytes())
    except (KeyError, TypeError, OSError, SyntaxError):  # typed into an interpreter, say
        return ()
    return tuple(node for node in tree.body if isinstance(node, ast.ClassDef))


def _of_class(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in itertools.pairwise(node.body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = inspect.cleandoc(str(below.value.value)).replace("\n", " ")
    return found
