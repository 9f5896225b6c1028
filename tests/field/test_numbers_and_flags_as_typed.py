"""Numbers and flags as people type them."""

import json

import pytest

from rlgan.cli import main
from rlgan.cli.typed import spelled
from rlgan.text.settings import TextSettings


@pytest.mark.parametrize("typed", [["--steps", "2e0"], ["--steps=20e-1"], ["--steps", "2.0"], ["--steps", "+2"]])
def test_whole_numbers_as_people_type_them(gaussian, tmp_path, typed):
    assert main([*gaussian, *typed, "--run-dir", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["steps"] == 2


def test_a_large_number_stays_exact():
    assert spelled(["--seed", "1e23", "--lambda", "1e-1"], TextSettings) == [
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


@pytest.mark.parametrize(
    ("words", "due"),
    [
        (["train", "--version"], "--version stands by itself: type rlgan --version"),
        (["--versoin"], "Did you mean --version?"),
        (["train", "text", "text"], "'text' is one word too many. See rlgan train --help"),
        (["train", "steps", "3"], "unknown task 'steps': a setting begins with two hyphens, --steps"),
        (["train", "--steps"], "--steps has no value: type --steps STEPS"),
        (["train", "--run-dir", "--steps", "3"], "--run-dir has no value: type --run-dir PATH"),
        (["train", "-k"], "-k has no value: type -k INT"),
        (["train", "-j", "3"], "there is no flag -j. See rlgan train --help"),
        (["train", "--preset", "Bset"], "--preset 'Bset' is not a choice. Did you mean best?"),
        (["train", "--estimator", "ppo"], "--estimator 'ppo' is not an estimator. Choose one of"),
        (["train", "--lambda", "two"], "--lambda is two: it must be a number, as 0.5 or 1e-3"),
        (["train", "--minutes", "ten"], "--minutes is ten: it must be a number, as 0.5 or 1e-3"),
        (["train", "--minutes="], "--minutes is empty: it must be a number, as 0.5 or 1e-3"),
        (["train", "--curriculum", "0"], "--curriculum has 1 value: type --curriculum EPOCH W ..."),
        (["train", "--curriculum", "0", "one"], "--curriculum is one: it must be a number"),
        (["train", "--normalise-advantages", "yes"], "'yes' is one word too many"),
        (["train", "--resume", "maybe"], "'maybe' is one word too many"),
        (["train", "--temperature", "2"], "there is no flag --temperature. See"),  # no flag is like it
        (["train", "--gpus", "1"], "there is no flag --gpus. Did you mean --rollout-gpus or --learner-gpus?"),
        (["evaluate"], "RUN is missing: the run's directory, or that of several seeds"),
        (["evaluate", "a", "b"], "'b' is one word too many"),
        (["sample", "a", "--temperature", "hot"], "--temperature is hot: it must be a number"),
        (["reproduce", "figure9"], "NAME 'figure9' is not a figure or table. Did you mean figure"),
        (["reproduce", "my:figure"], "NAME 'my:figure' is not a figure or table."),
        (["cluster"], "N is missing: how many nodes"),
        (["cluster", "three"], "N is three: it must be a whole number"),
        (["cluster", "3", "--cpus", "two"], "--cpus is two: it must be a whole number"),
        (["completion", "tcsh"], "SHELL 'tcsh' is not a choice. Choose one of: bash, zsh, fish"),
        (["submit", "train"], "two hyphens come before what is submitted: type rlgan submit --address URL -- train"),
    ],
)  # fmt: skip
def test_what_is_mistyped_is_said_in_one_line_that_says_what_to_type(capsys, words, due):
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"rlgan: error: {due}" if not due.startswith("Did") else "rlgan: error: ")
    assert due in line
    assert "Annotated" not in line


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--preset", "PAPER"], ("preset", "paper")),
        (["--on-collapse=Stop"], ("on_collapse", "stop")),
        (["--activation", "Tanh"], ("activation", "tanh")),
        (["--device", "CPU"], ("device", "cpu")),
    ],
)
def test_choices_may_be_typed_in_capitals(gaussian, tmp_path, words, value):
    gaussian = ["Train", "Gaussian", *gaussian[2:]]
    assert main([*gaussian, "--steps", "1", *words, "--run-dir", str(tmp_path / "run")]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["task"] == "gaussian"
    assert (config["recipe"] | config["run"])[value[0]] == value[1]


@pytest.mark.parametrize(("words", "first"), [(["version"], "rlgan "), (["-V"], "rlgan "), (["help"], "rlgan ")])
def test_what_other_programs_take_is_taken_too(capsys, words, first):
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize("words", [["help", "train"], ["train", "help"]])
def test_help_may_be_a_word(capsys, words):
    with pytest.raises(SystemExit):
        main(words)
    assert capsys.readouterr().out.startswith("usage: rlgan train ")


def test_a_data_set_that_is_mistyped_is_told_the_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", "storys"]) == 1
    said = capsys.readouterr().err
    assert "--data storys: No such file or directory" in said
    assert "the data sets by name are stories and oracle" in said
