"""Starting and joining a Ray, without one that runs."""

import pytest

from rlgan.engine.ray_connection import connect
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError


def test_an_address_that_is_given_after_the_first_import_counts(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with pytest.raises(RunError, match=r"RAY_ADDRESS http://127\.0\.0\.1:8265 is that of a job server"):
        connect(EngineSettings(), shards=2)
