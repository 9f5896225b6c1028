"""Output to terminals without UTF-8, to readers that go, and to full disks."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

ASCII = {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
POSIX = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


TEXT = ["--workers", "0", "--batch-size", "8", "--shards", "2", "--length", "8", "--hidden-size", "8"]
TEXT += ["--embedding-size", "8", "--sinks", "json_lines"]


@pytest.fixture
def accents(tmp_path):
    """A text in which every word has an accent, and one would clear the screen."""
    file = tmp_path / "caf\u00e9.txt"
    file.write_text("\n".join(["caf\u00e9 \u00e9t\u00e9 d\u00e9j\u00e0 \x1b[2J\u00fc"] * 100), encoding="utf-8")
    return file


@pytest.mark.parametrize("environment", [ASCII, POSIX])
def test_a_terminal_without_utf_8_shows_escapes(rlgan, typed, accents, environment, all_sinks, tmp_path):
    # Where Python takes names for ASCII too, this one would be refused.
    run = tmp_path / ("caf\u00e9" if environment is ASCII else "run")
    words = ["train", *TEXT, *all_sinks, "--data", accents, "--steps", 1, "--run-dir", run]
    done = rlgan(*words, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "\\xe9" in done.stdout
    sampled = rlgan("sample", run, "--count", 20, environment=environment)
    assert sampled.returncode == 0, sampled.stderr
    assert "\\xe9" in sampled.stdout
    # What would do something to a terminal is escaped in any encoding.
    in_utf_8 = typed("sample", run, "--count", 200)
    assert "\\x1b[2J" in in_utf_8.stdout
    assert "\u00e9" in in_utf_8.stdout
    assert "\x1b" not in in_utf_8.stdout + sampled.stdout + done.stdout + (run / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", [ASCII, POSIX])
def test_a_usage_error_says_what_is_wrong_without_utf_8(rlgan, environment):
    done = rlgan("train", "--stepz", 3, environment=environment)
    assert done.returncode == 2
    assert "--stepz" in done.stderr


def test_a_reader_that_goes_makes_it_quiet_and_the_run_goes_on(gaussian, tmp_path):
    typed = shlex.join([sys.executable, "-m", "rlgan", *gaussian, "--evaluate-every", "5", "--steps", "40"])
    command = f"set -o pipefail; {typed} --run-dir {tmp_path}/run | head -2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    assert (tmp_path / "run" / "checkpoints" / "40").is_dir()
    assert "step 40" in (tmp_path / "run" / "log.txt").read_text()


def test_a_full_disk_beneath_the_output_is_a_line_and_the_run_goes_on(gaussian, tmp_path):
    command = shlex.join([sys.executable, "-m", "rlgan", *gaussian, "--steps", "3", "--run-dir", str(tmp_path / "run")])
    typed = ["bash", "-c", f"{command} > /dev/full"]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line
    assert "the run goes on" in line
    assert (tmp_path / "run" / "checkpoints" / "3").is_dir()


def test_samples_that_can_not_be_written_are_an_error(typed, gaussian, tmp_path):
    assert typed(*gaussian, "--steps", 1, "--run-dir", tmp_path / "run").returncode == 0
    command = shlex.join([sys.executable, "-m", "rlgan", "sample", str(tmp_path / "run")])
    shell = ["bash", "-c", f"{command} > /dev/full"]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["rlgan: error: [Errno 28] No space left on device"]


def test_closed_streams_are_no_fault(gaussian, tmp_path):
    command = shlex.join([sys.executable, "-m", "rlgan", *gaussian, "--steps", "2", "--run-dir", str(tmp_path / "run")])
    assert subprocess.run(["bash", "-c", f"{command} >&- 2>&-"], timeout=300, check=False).returncode == 0
    assert (tmp_path / "run" / "checkpoints" / "2").is_dir()


def test_samples_are_printed_as_they_are_made(typed, sentences, tmp_path):
    run = tmp_path / "run"
    assert typed("train", *TEXT, "--data", sentences, "--steps", 1, "--run-dir", run).returncode == 0
    command = shlex.join([sys.executable, "-m", "rlgan", "sample", str(run), "--count", "1000000000"])
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -1"], capture_output=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 1


def test_events_that_are_removed_meanwhile_do_not_end_a_run(started, gaussian, tmp_path, wait_until, steps_of):
    run = tmp_path / "run"
    process = started(*gaussian, "--evaluate-every", 20, "--steps", 200, "--checkpoint-every", 20, "--run-dir", run)
    wait_until(lambda: steps_of(run))
    shutil.rmtree(run / "events")
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 200


def test_help_whose_reader_goes_is_no_fault():
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m rlgan --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=300, env=os.environ, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.timeout(120)
def test_who_follows_the_metrics_sees_every_line_and_a_resume_takes_back_what_it_repeats(typed, gaussian, tmp_path):
    run = tmp_path / "run"
    words = [*gaussian, "--run-dir", run, "--evaluate-every", 2]
    assert typed(*words, "--steps", 2).returncode == 0
    with subprocess.Popen(["tail", "-n", "+1", "-f", run / "metrics.jsonl"], stdout=subprocess.PIPE, text=True) as tail:
        try:
            assert typed(*words, "--steps", 6, "--resume").returncode == 0
            steps = [json.loads(tail.stdout.readline())["step"] for _ in range(4)]
        finally:
            tail.kill()
    assert steps == [0, 2, 4, 6]
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7}\n{"step": 8, "cut sh')
    assert typed(*words, "--steps", 8, "--resume").returncode == 0
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 2, 4, 6, 8]
