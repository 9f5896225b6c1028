"""`rlgan serve-env`, as far as it goes without OpenEnv; with it: tests/long/test_serve_env.py."""

import sys

import pytest

from rlgan.cli.main import main


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run"], 1, "serve-env needs OpenEnv, and there is no module"),
        (
            ["run", "--rule", "applause"],
            2,
            "--rule applause is not a reward rule: give one of probability, log_probability",
        ),
        (["run", "--port", "70000"], 2, "--port is 70000: it must be"),
        (["run", "--sessions", "0"], 2, "--sessions is 0: it must be"),
        ([], 2, "RUN"),
    ],
)
def test_what_can_t_be_served_is_told_in_one_line(monkeypatch, capsys, words, code, said):
    monkeypatch.setitem(sys.modules, "openenv", None)
    monkeypatch.delitem(sys.modules, "rlgan.api.serving", raising=False)
    assert main(["serve-env", *words]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
