"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest

from rlgan.config import TextConfig
from rlgan.device import prepare
from rlgan.tasks.text import TextTask

SMALL = {"preset": "paper", "length": 12, "batch_size": 16, "embedding_size": 16, "hidden_size": 16}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Compute as every process of a run does."""
    return prepare(0)


@pytest.fixture
def small():
    """Give a small recipe of the paper's kind, with changes."""

    def make(**changes):
        return TextConfig(**(SMALL | changes))

    return make


@pytest.fixture
def task(small):
    """Give the small task on the stories, with changes."""

    def make(**changes):
        return TextTask.load(small(**changes))

    return make


@pytest.fixture
def treebank():
    """Name the directory of the Penn Treebank's three files."""
    if "RLGAN_DATA" not in os.environ:
        pytest.skip("RLGAN_DATA is not set: no Penn Treebank")
    path = Path(os.environ["RLGAN_DATA"]) / "ptb"
    if not path.is_dir():
        pytest.skip(f"{path} is not there: no Penn Treebank")
    return path
