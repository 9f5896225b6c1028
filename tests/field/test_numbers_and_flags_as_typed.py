"""Numbers and flags as people type them."""

import json

import pytest

from rlgan.cli import main
from rlgan.cli.typed import whole_numbers
from rlgan.text.settings import TextSettings


@pytest.mark.parametrize("typed", [["--steps", "2e0"], ["--steps=20e-1"], ["--steps", "2.0"], ["--steps", "+2"]])
def test_whole_numbers_as_people_type_them(gaussian, tmp_path, typed):
    assert main([*gaussian, *typed, "--run-dir", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["steps"] == 2


def test_a_large_number_stays_exact():
    assert whole_numbers(["--seed", "1e23", "--lambda", "1e-1"], TextSettings) == [
        "--seed",
        f"1{23 * '0'}",
        "--lambda",
        "1e-1",
    ]


@pytest.mark.parametrize("value", ["1.5", "1,000", "10k", "two", "inf", "1e-3"])
def test_what_is_no_whole_number_says_what_is_due(gaussian, capsys, value):
    assert main([*gaussian, "--steps", value]) == 2
    assert f"--steps is {value}: it must be a whole number, as 1000 or 1e3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "due"),
    [
        (["--lambda", "7"], "--lambda is 7.0: it must be"),
        (["--lambda=7"], "--lambda is 7.0: it must be"),
        (["--discount", "7"], "--discount is 7.0: it must be"),
        (["--generator-average", "7"], "--generator-average is 7.0: it must be"),
        (["--generator-ema-decay", "7"], "--generator-ema-decay is 7.0: it must be"),
    ],
)
def test_an_error_names_the_flag_that_was_typed(capsys, words, due):
    assert main(["train", "--workers", "0", *words]) == 2
    assert f"rlgan: error: {due}" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400"])
def test_what_is_no_finite_number_says_so(gaussian, capsys, value):
    assert main([*gaussian, "--generator-learning-rate", value]) == 2
    assert "it must be a finite number, more than 0" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["\u2013steps", "\u2014steps", "-\u2013steps", "-steps", "\u2013\u2013steps=2"])
def test_dashes_that_a_page_made_of_hyphens_are_said(gaussian, capsys, typed):
    assert main([*gaussian, typed, "2"]) == 2
    assert f"{typed.partition('=')[0]} is no flag: type --steps" in capsys.readouterr().err


def test_a_dash_within_a_flag_is_said_too(capsys):
    assert main(["train", "--batch\u2010size", "8"]) == 2
    assert "type --batch-size" in capsys.readouterr().err


def test_a_flag_with_nothing_behind_its_equals_sign_is_said(gaussian, capsys):
    assert main([*gaussian, "--steps="]) == 2
    assert "--steps is empty: it must be a whole number" in capsys.readouterr().err


def test_a_value_that_is_longer_than_a_name_of_a_file_may_be_is_no_path(gaussian, capsys, tmp_path):
    run = str(tmp_path / "run")
    assert main([*gaussian, "--steps", "1", "--run-dir", run]) == 0
    capsys.readouterr()
    assert main(["sample", run, "--prompt", "word " * 2000]) == 2
    assert "--prompt is for text" in capsys.readouterr().err
