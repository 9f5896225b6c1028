import doctest
import importlib
import pkgutil

import pytest

import envs

MODULES = ["envs", *(module.name for module in pkgutil.walk_packages(envs.__path__, "envs."))]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
