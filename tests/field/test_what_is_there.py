"""Directories that hold something: another run's start, a volume's or a job's own files, a run that is training."""

import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from rlgan.runs.loading import load_run


def test_a_run_that_was_started_and_ended_meanwhile_is_not_replaced(started, typed, gaussian, tmp_path, wait_until):
    run = tmp_path / "run"
    # The second one waits while it builds its networks, when it has looked at the directory and not claimed it yet.
    (tmp_path / "slow.py").write_text(
        "import pathlib, time, torch\n"
        "def activation():\n"
        "    pathlib.Path('here').touch()\n"
        "    while not pathlib.Path('go').exists():\n"
        "        time.sleep(0.1)\n"
        "    return torch.nn.Tanh()\n",
        encoding="utf-8",
    )
    words = [*gaussian, "--steps", 2, "--run-dir", run]
    late = started(*words, "--seed", 1, "--activation", "slow:activation")
    wait_until((tmp_path / "here").exists)
    assert typed(*words, "--seed", 2).returncode == 0
    before = (run / "config.json").read_bytes(), (run / "metrics.jsonl").read_bytes()
    (tmp_path / "go").touch()
    said, _ = late.communicate(timeout=300)
    assert late.returncode == 1
    assert "--run-dir" in said.decode().splitlines()[-1]
    assert ((run / "config.json").read_bytes(), (run / "metrics.jsonl").read_bytes()) == before


@pytest.mark.slow
def test_starts_in_the_same_second_get_directories_of_their_own(started, gaussian, tmp_path):
    processes = [started(*gaussian, "--steps", 1) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=300)
        assert process.returncode == 0
    runs = [entry for entry in (tmp_path / "runs").iterdir() if (entry / "checkpoints" / "1").is_dir()]
    assert len(runs) == 3


@pytest.mark.parametrize("more", [[], ["--resume", "auto"]])
def test_a_fresh_volume_and_a_jobs_own_files_are_no_run(typed, gaussian, tmp_path, more):
    for name in ("lost+found", ".nfs0001"):
        (tmp_path / name).mkdir()
    for name in (".DS_Store", ".gitkeep", "slurm-1.out"):
        (tmp_path / name).touch()
    done = typed(*gaussian, "--steps", 1, "--run-dir", tmp_path, *more)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("more", [[], ["--resume", "auto"]])
def test_the_advice_to_skip_bad_pictures_works_when_it_is_typed(typed, tmp_path, more):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(data / f"Person{chr(65 + number)}_1.png")
    (data / "PersonZ_1.png").write_bytes(b"no picture")
    words = ["train", "image", "--workers", 0, "--data", data, "--size", 8, "--batch-size", 2, "--steps", 1]
    words += ["--run-dir", tmp_path / "run", "--cache", tmp_path / "cache"]
    refused = typed(*words)
    assert refused.returncode == 1
    (flag,) = re.findall(r"with (--[a-z-]+)", refused.stderr)
    done = typed(*words, flag, *more)
    assert done.returncode == 0, done.stderr


def test_an_evaluation_looks_again_where_training_removes_what_it_found(started, gaussian, tmp_path, wait_until):
    run = tmp_path / "run"
    often = ["--checkpoint-every", 1, "--keep-checkpoints", 1, "--steps", 10**9]
    process = started(*gaussian, *often, "--run-dir", run, stdout=subprocess.DEVNULL)
    wait_until(lambda: any((run / "checkpoints").glob("[1-9]*")))  # which one, changes all the time
    for _ in range(20):
        load_run(str(run), "newest")
    assert process.poll() is None


def test_a_current_directory_that_was_removed_is_one_line(gaussian, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    typed = shlex.join([sys.executable, "-m", "rlgan", *gaussian, "--run-dir", str(tmp_path / "run")])
    command = f"cd {gone} && rmdir {gone} && {typed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "rlgan: error: the current directory has been removed: change to one that is there"
    ]


def test_what_editors_and_file_managers_leave_in_a_run_counts_for_nothing(typed, gaussian, tmp_path):
    run = tmp_path / "run"
    assert typed(*gaussian, "--steps", 2, "--run-dir", run).returncode == 0
    # A byte order mark and Windows' line ends, as Notepad saves.
    config = (run / "config.json").read_bytes()
    (run / "config.json").write_bytes(b"\xef\xbb\xbf" + config.replace(b"\n", b"\r\n"))
    names = ["._2", "02", "2 (conflicted copy)", "\u0663"]
    for name in names:
        (run / "checkpoints" / name).mkdir()
    (run / "._config.json").touch()
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    done = typed("train", "gaussian", "--workers", 0, "--run-dir", copy, "--resume", "--steps", 3)
    assert done.returncode == 0, done.stderr
    assert "going on from step 2" in done.stdout
    assert {entry.name for entry in (copy / "checkpoints").iterdir()} == {"2", "3", *names}
    # A copy that goes on leaves the original as it was.
    assert {entry.name for entry in (run / "checkpoints").iterdir()} == {"2", *names}


def test_without_docstrings_help_and_a_run_are_the_same(rlgan, typed, gaussian, tmp_path):
    without = partial(rlgan, environment={"PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "7"})
    for name, run in (("plain", typed), ("optimized", without)):
        done = run(*gaussian, "--steps", 2, "--run-dir", tmp_path / name)
        assert done.returncode == 0, done.stderr
        (tmp_path / f"{name}.help").write_text(run("train", "gaussian", "--help").stdout)
    saved = Path("checkpoints") / "2" / "generator.safetensors"
    assert (tmp_path / "plain" / saved).read_bytes() == (tmp_path / "optimized" / saved).read_bytes()
    assert (tmp_path / "plain.help").read_text() == (tmp_path / "optimized.help").read_text()
