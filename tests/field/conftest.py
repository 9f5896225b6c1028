"""What people really type, and where they really run it: subprocesses, signals, and places that refuse."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

GAUSSIAN = ["train", "gaussian", "--workers", "0", "--evaluate-every", "1000"]
ON_RAY = "train --workers 1 --batch-size 8 --shards 2 --length 8 --hidden-size 8 --embedding-size 8 --sinks json_lines"
SENTENCES = [f"the cat number {number} sees a dog" for number in range(60)]


@pytest.fixture
def gaussian():
    """The words of the quickest training that there is."""
    return GAUSSIAN


@pytest.fixture
def on_ray():
    """The words of a quick training on Ray."""
    return ON_RAY.split()


@pytest.fixture
def a_cluster(tmp_path):
    """A cluster of one node on loopback: its address, the environment that joins it, and its process."""
    log = tmp_path / "cluster.log"
    with log.open("w") as said:
        process = subprocess.Popen([sys.executable, "-m", "rlgan", "cluster", "1"], stdout=said, stderr=said)
    try:
        for _ in range(900):
            if found := re.search(r"or attach: (.*)", log.read_text()):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        settings = dict(word.split("=", 1) for word in shlex.split(found[1]) if "=" in word)
        yield settings.pop("RAY_ADDRESS"), settings, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


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
        # The tests may have been started by nohup, which all that they start would inherit.
        heed = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        options = {"cwd": tmp_path, "preexec_fn": heed} | pipes | options
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

    def wait(holds, seconds=150):
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
