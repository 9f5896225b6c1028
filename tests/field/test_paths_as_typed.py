"""Paths as people type them: with a `~` that the shell left as it is, out of a pipe, with blanks."""

import re
import shlex
import subprocess
import sys

import pytest

from rlgan.errors import UsageError
from rlgan.settings import absolute, typed_path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home directory; another one is the current directory."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_tilde_after_an_equals_sign_is_the_home_directory(typed, gaussian, home, tmp_path):
    done = typed(*gaussian, "--steps", 2, "--run-dir=~/a")
    assert done.returncode == 0, done.stderr
    assert (home / "a" / "config.json").is_file()
    assert not (tmp_path / "~").exists()
    assert len(typed("sample", "~/a", "--count", 3).stdout.split()) == 3
    assert typed("evaluate", "~/a").returncode == 0
    again = typed("train", "gaussian", "--run-dir=~/a", "--resume", "--steps", 3, "--workers", 0)
    assert "going on from step 2" in again.stdout


def test_the_home_of_nobody_is_one_line(typed):
    done = typed("train", "--run-dir=~nobody-of-this-name/a")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "rlgan: error: --run-dir ~nobody-of-this-name/a: there is no home directory for ~nobody-of-this-name; give a "
        "whole path"
    ]


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["evaluate", "--data=~x-nobody/c", "run"], "--data"),
        (["evaluate", "--control", "~x-nobody/c", "--", "run"], "--control"),
        (["evaluate", "--figure=~x-nobody/c", "run"], "--figure"),
        (["evaluate", "--inception=~x-nobody/c", "run"], "--inception"),
        (["evaluate", "--cache=~x-nobody/c", "run"], "--cache"),
        (["sample", "--out=~x-nobody/c", "run"], "--out"),
        (["reproduce", "figure-2", "--out=~x-nobody/c"], "--out"),
        (["train", "image", "--data=~x-nobody/c"], "--data"),
        (["train", "--data=~x-nobody/c"], "--data"),
        (["train", "image", "--cache=~x-nobody/c"], "--cache"),
    ],
)
def test_every_path_that_is_typed_goes_the_same_way(words, flag, monkeypatch, capsys, tmp_path):
    from rlgan.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert f"{flag} ~x-nobody/c: there is no home directory for ~x-nobody" in capsys.readouterr().err


def test_a_name_with_a_tilde_inside_stays_as_it_is():
    assert typed_path("--out", "a~b") == "a~b"
    assert typed_path("--out", "./~/b") == "./~/b"


def test_what_can_be_read_only_once_is_refused_in_one_line(sentences):
    typed = f"{shlex.quote(sys.executable)} -m rlgan train --workers 0 --data"
    for command in (f"{typed} <(cat {sentences})", f"cat {sentences} | {typed} /dev/stdin"):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 1 or done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "can be read only once" in line
        assert "write it to a file" in line


def test_a_file_as_standard_input_is_that_file(sentences):
    code = "from rlgan.settings import absolute; print(absolute('--data', '/dev/stdin'))"
    with sentences.open() as stdin:
        done = subprocess.run([sys.executable, "-c", code], stdin=stdin, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(sentences)


def test_a_named_pipe_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="can be read only once"):
        absolute("--data", str(tmp_path / "pipe"))


def test_commands_that_are_printed_can_be_pasted(typed, gaussian, tmp_path):
    run = tmp_path / "my run; it's"
    done = typed(*gaussian, "--steps", 1, "--run-dir", run)
    said = re.search(r": (\S*rlgan sample .*)", done.stdout)
    assert shlex.split(said[1])[1:] == ["sample", str(run)]


def test_a_directory_that_may_not_be_written_names_the_flag(typed, gaussian, tmp_path, monkeypatch):
    import os

    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    monkeypatch.chdir(folder)
    done = typed(*gaussian, "--steps", 1)
    assert done.returncode == 1
    assert "--run-dir" in done.stderr


LEADS_NOWHERE = ("corpus.txt/below", "n" * 300, "circle")


@pytest.mark.parametrize("path", LEADS_NOWHERE, ids=("beneath a file", "a name that is too long", "a circle of links"))
@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["train", "gaussian", "--run-dir"], "--run-dir"),
        (["train", "--data"], "--data"),
        (["train", "image", "--data"], "--data"),
        (["train", "image", "--cache"], "--cache"),
        (["sample", "run", "--out"], "--out"),
        (["evaluate", "run", "--data"], "--data"),
        (["evaluate", "run", "--figure"], "--figure"),
        (["reproduce", "figure-2", "--out"], "--out"),
        (["sample"], "RUN"),
    ],
)
def test_a_path_that_can_lead_nowhere_names_its_flag(words, flag, path, monkeypatch, capsys, tmp_path):
    from rlgan.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").touch()
    (tmp_path / "circle").symlink_to("circle")
    assert main([*words, path]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{flag} {path}: " in line
    assert "give another path" in line
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["circle", "corpus.txt"]


def test_a_file_may_have_a_slash_behind_its_name_and_a_long_address_is_no_path(tmp_path):
    (tmp_path / "corpus.txt").touch()
    assert typed_path("--data", f"{tmp_path}/corpus.txt/") == f"{tmp_path}/corpus.txt/"
    assert typed_path("--run-dir", f"s3://bucket/{'n' * 300}")
