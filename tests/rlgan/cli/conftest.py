"""Fixtures of the tests on the command line."""

import pytest
from refusals import assert_refused

from rlgan.cli.main import main


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Type words in an empty directory, and check that they are refused with nothing written."""

    def typed(words, code, *parts):
        monkeypatch.chdir(tmp_path)
        assert_refused(main(words), capsys.readouterr().err, code, *parts)
        assert list(tmp_path.iterdir()) == []

    return typed
