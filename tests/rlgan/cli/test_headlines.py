"""Numbers as lines for a person, in terminals that are wide and narrow."""

import sys

import pytest

from rlgan.cli.headlines import say_headlines
from rlgan.cli.main import main
from rlgan.task import Headline

LINES = [Headline("rfid", 1877.04, "lower", {"floor": 21.1, "the average picture": 982.4, "a Gaussian": 29.45})]


@pytest.mark.parametrize(
    ("columns", "due"),
    [
        (80, ["  rfid       1877 ↓  floor 21.1, the average picture 982.4, a Gaussian 29.45"]),
        (58, ["  rfid       1877 ↓  floor 21.1, the average picture", "                     982.4, a Gaussian 29.45"]),
        (40, ["  rfid       1877 ↓", "      floor 21.1, the average picture", "      982.4, a Gaussian 29.45"]),
        (None, ["  rfid       1877 ↓  floor 21.1, the average picture 982.4, a Gaussian 29.45"]),
    ],
)
def test_what_stands_beside_a_number_is_broken_between_words_where_a_terminal_is_too_narrow(monkeypatch, columns, due):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: columns is not None)
    monkeypatch.setenv("COLUMNS", str(columns or 20))
    said = []
    say_headlines(LINES, said.append)
    assert said == due


def test_few_held_out_rows_are_warned_of_in_training_and_in_evaluations(tmp_path, small_words, capsys):
    caveat = "only 3 held-out rows: on others the numbers may be quite different; more data gives more of them"
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"the {name} sat on the mat .\n" for name in ("cat", "dog", "hen") for _ in range(20)))
    run = tmp_path / "run"
    words = ["train", *small_words, "--data", str(lines), "--workers", "0", "--steps", "1", "--run-dir", str(run)]
    for typed in (words, ["evaluate", str(run), "--quick"]):
        assert main(typed) == 0
        assert caveat in capsys.readouterr().out.splitlines()
