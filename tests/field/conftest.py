"""What people really type, and where they really run it: subprocesses, signals, and places that refuse."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GAUSSIAN = ["train", "gaussian", "--workers", "0", "--evaluate-every", "1000"]
SENTENCES = [f"the cat number {number} sees a dog" for number in range(60)]


@pytest.fixture
def gaussian():
    """The words of the quickest training that there is."""
    return GAUSSIAN


@pytest.fixture
def sentences(tmp_path):
    """A file with a text that is large enough to train on."""
    file = tmp_path / "sentences.txt"
    file.write_text("\n".join(SENTENCES), encoding="utf-8")
    return file


@pytest.fixture
def started(tmp_path):
    """Start `rlgan WORDS`; whatever still runs at the end of the test is killed."""
    processes = []

    def start(*words, environment=None, **options):
        surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        options = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
        process = subprocess.Popen(
            [sys.executable, "-m", "rlgan", *map(str, words)], env=surroundings | (environment or {}), **options
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def wait_until():
    """Wait until something holds."""

    def wait(holds, seconds=60):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not come in time"
            time.sleep(0.1)

    return wait


@pytest.fixture
def steps_of():
    """The steps of the checkpoints of a run."""

    def steps(run):
        folder = Path(run) / "checkpoints"
        return (
            sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()) if folder.is_dir() else []
        )

    return steps
