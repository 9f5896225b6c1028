"""What `--help` shows, and what a mistyped name is told."""

import re
import shutil
import subprocess
import sys

import pytest

from rlgan.cli.main import COMMANDS, main
from rlgan.settings import all_settings
from rlgan.task import TASKS, find_task

PAGES = [*(["train", task] for task in TASKS), *([command] for command in COMMANDS if command != "train")]


@pytest.fixture
def page(capsys, monkeypatch):
    """Give the lines of a page of help, at a width."""

    def shown(*words, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert not end.value.code
        return capsys.readouterr().out.splitlines()

    return shown


def _groups(lines):
    """The flags and words by the heading above them."""
    groups, heading = {}, ""
    for line in lines:
        if line and not line.startswith(" "):
            heading = line
        elif re.match(r"  [-A-Z]", line):
            groups.setdefault(heading, []).append(line.strip())
    return groups


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_groups_are_small_and_values_have_names(page, words):
    lines = page(*words)
    assert lines[0].startswith(f"usage: rlgan {words[0]}")
    assert max(map(len, _groups(lines).values())) <= 10
    assert "None" not in "\n".join(lines)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal_but_those_to_paste(page, width):
    for words in PAGES:
        lines = page(*words, width=width)
        end = lines.index("Examples") if "Examples" in lines else len(lines)
        # A list of choices has no place to break it.
        assert [line for line in lines[:end] if len(line) > width and "," not in line] == []


@pytest.mark.parametrize("task", TASKS)
def test_five_settings_come_first_and_all_are_there(page, task):
    groups = _groups(page("train", task, width=160))
    assert len(groups["Used most"]) == 5
    shown = " ".join(flag for flags in groups.values() for flag in flags)
    for setting in all_settings(type(find_task(task).defaults)):
        assert setting.flag in shown


def test_the_defaults_are_those_of_the_preset_that_is_typed(page):
    best, paper = " ".join(page("train")), " ".join(page("train", "--preset", "paper"))
    # Yala & Song: REINFORCE on sampled words, with the probability as reward and lambda 0.9.
    for default in ("(default: reinforce)", "(default: probability)", "(default: 0.9)", "(default: paper)"):
        assert default in re.sub(r"\s+", " ", paper)
    assert "(default: all_tokens)" in re.sub(r"\s+", " ", best)
    assert "(default: reinforce)" not in re.sub(r"\s+", " ", best)


def test_help_comes_whatever_is_wrong_with_the_rest(page):
    assert page("train", "--metod", "mle")[0].startswith("usage: rlgan train")


def test_training_without_a_task_names_the_others(page):
    shown = "\n".join(page("train"))
    for task in ("image", "gaussian"):
        assert f"rlgan train {task} --help" in shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["tarin"], "Did you mean train?"),
        (["train", "--metod", "mle"], "no flag --metod. Did you mean --method?"),
        (["train", "gaussion"], "Did you mean gaussian?"),
        (["train", "--method", "polycgan"], "Did you mean policygan?"),
        (["train", "--preset", "papr"], "paper"),
        (["reproduce", "figur2"], "Did you mean figure2?"),
        (["sample", "somewhere", "--cuont", "3"], "Did you mean --count?"),
    ],
)
def test_who_mistypes_a_name_is_told_which_was_meant(capsys, words, meant):
    assert main(words) == 2
    said = capsys.readouterr().err
    assert meant in said
    assert len(said.splitlines()) == 1


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"rlgan \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_and_flags(tmp_path):
    script = subprocess.run(
        [sys.executable, "-m", "rlgan", "completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "completion").write_text(script)
    asked = """
        source completion
        for typed in "rlgan tr" "rlgan train gaussian --targ" "rlgan evaluate runs/a --checkp"; do
            COMP_WORDS=($typed); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tyro_rlgan; echo "${COMPREPLY[@]}"
        done
    """
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["train", "--target", "--checkpoint"]
