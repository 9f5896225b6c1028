import doctest
import importlib
import pkgutil

import pytest

import rlgan

MODULES = [module.name for module in pkgutil.walk_packages(rlgan.__path__, "rlgan.") if module.name != "rlgan.__main__"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
