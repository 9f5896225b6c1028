"""The types of the settings of `rlgan.train`, and the examples of the docstrings."""

import doctest
import importlib
import pkgutil
from collections.abc import Sequence
from os import PathLike
from types import NoneType, UnionType
from typing import Union, get_args, get_origin, get_type_hints

import pytest

import rlgan.api
from rlgan.api.train_settings import TrainSettings
from rlgan.runs.settings import RunSettings
from rlgan.settings import all_settings
from rlgan.task import TASKS, find_task

PATHS = {"run_dir", "data", "cache"}


def _as_given(kind):
    """A kind of setting as a program may give it: any sequence where settings have a tuple of any length."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return frozenset().union(*map(_as_given, parts))
    if origin is Sequence or (origin is tuple and parts[-1] is ...):
        return frozenset({("sequence", _as_given(parts[0]))})
    return frozenset({kind})


def test_the_types_of_settings_are_those_that_are_declared():
    kinds = [RunSettings, *(type(find_task(name).defaults) for name in TASKS)]
    declared = {setting.name: _as_given(setting.kind) for kind in kinds for setting in all_settings(kind)}
    for name in PATHS:
        declared[name] |= {PathLike[str]}
    typed = {name: _as_given(hint) for name, hint in get_type_hints(TrainSettings).items()}
    assert typed == declared
    assert typed["run_dir"] == {str, PathLike[str], NoneType}


@pytest.mark.parametrize("name", [module.name for module in pkgutil.walk_packages(rlgan.api.__path__, "rlgan.api.")])
def test_the_examples_of_the_docstrings_run(name):
    if name == "rlgan.api.serving":
        pytest.importorskip("openenv", reason="an extra, in an environment of its own")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
