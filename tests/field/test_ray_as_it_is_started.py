"""Ray of our own, started as the surroundings please: each of these failed, or trained on something else, once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlgan.engine.processes import usable_cpus
from rlgan.engine.ray_address import check_answers
from rlgan.engine.ray_connection import temporary_folder
from rlgan.errors import RunError

ON_RAY = "train --workers 1 --steps 1 --batch-size 8 --shards 2 --length 8 --hidden-size 8 --embedding-size 8".split()  # noqa: SIM905


@pytest.fixture
def console(tmp_path):
    """Run the console script's `main`: the current directory is not on the driver's path."""

    def run(*words, environment=None, cwd=tmp_path):
        code = "import sys; from rlgan.cli import main; sys.exit(main())"
        typed = [sys.executable, "-P", "-c", code, *map(str, words)]
        surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        return subprocess.run(
            typed, capture_output=True, text=True, timeout=170, cwd=cwd, env=surroundings | (environment or {})
        )

    return run


def test_a_project_with_folders_of_our_names_in_a_long_tmpdir_without_a_home(console, sentences, tmp_path):
    """All at once, since each start takes long."""
    for name in ("envs", "rlgan", "torch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    temporary = tmp_path / ("t\u00e9mp" * 20)
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary), "HOME": "/proc/nobody", "XDG_CACHE_HOME": "", "UV": "/usr/bin/uv"}
    folders = set(Path("/tmp").glob("rlgan-*"))
    words = [*ON_RAY, "--data", sentences, "--run-dir", tmp_path / "run"]
    done = console(*words, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run" / "checkpoints" / "1").is_dir()
    assert set(Path("/tmp").glob("rlgan-*")) <= folders


def test_what_is_typed_as_module_and_object_travels_from_the_current_directory(console, tmp_path):
    (tmp_path / "mine.py").write_text("import torch\n\nclass Mine(torch.nn.Tanh):\n    pass\n", encoding="utf-8")
    words = ["train", "gaussian", "--workers", 1, "--steps", 1, "--activation", "mine:Mine"]
    done = console(*words, "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr


JOINED = """
import subprocess, sys
import ray
from rlgan.cli import main

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
ray.init(address="local", num_cpus=4, include_dashboard=False)
free = ray.available_resources()["CPU"]
assert main(sys.argv[1:]) == 0
assert ray.is_initialized()
assert ray.get(ray.remote(lambda: 7).remote()) == 7
assert child.poll() is None
import time
for _ in range(100):
    if ray.available_resources().get("CPU") == free:
        break
    time.sleep(0.1)
assert ray.available_resources()["CPU"] == free
child.kill()
print("all there")
"""


def test_a_ray_that_the_caller_has_joined_is_used_and_left_running_and_so_are_its_children(tmp_path, sentences):
    typed = [sys.executable, "-c", JOINED, *ON_RAY, "--data", str(sentences), "--run-dir", str(tmp_path / "run")]
    surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(typed, capture_output=True, text=True, timeout=170, env=surroundings, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all there" in done.stdout


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "job server"),
        ("127.0.0.1", "HOST:PORT"),
        ("somewhere:", "HOST:PORT"),
        ("[::1]:1", "Connection refused"),
        ("127.0.0.1:1", "Connection refused"),
        ("127.0.0.1:99999999", "HOST:PORT"),
    ],
)
def test_an_address_of_another_form_or_with_nobody_there_says_what_is_due(address, said):
    start = time.monotonic()
    with pytest.raises(RunError) as raised:
        check_answers(address)
    assert said in str(raised.value)
    assert "HOST:PORT" in str(raised.value)
    assert "token" not in str(raised.value)
    assert time.monotonic() - start < 15


def test_a_long_or_foreign_tmpdir_gives_a_short_folder(monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    folder = temporary_folder()
    folder.rmdir()
    assert folder.parent == Path("/tmp")


def test_the_cpus_that_may_be_used_are_those_of_the_affinity_and_of_the_cgroup(tmp_path):
    mine = sorted(os.sched_getaffinity(0))
    assert usable_cpus(tmp_path) == len(mine)
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/a/b\n")
    (tmp_path / "sys" / "fs" / "cgroup" / "a" / "b").mkdir(parents=True)
    (tmp_path / "sys" / "fs" / "cgroup" / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(tmp_path) == len(mine)
    (tmp_path / "sys" / "fs" / "cgroup" / "a" / "cpu.max").write_text("50000 100000\n")
    assert usable_cpus(tmp_path) == 1
    code = "from rlgan.engine.processes import usable_cpus; print(usable_cpus())"
    typed = ["taskset", "-c", str(mine[0]), sys.executable, "-c", code]
    assert subprocess.run(typed, capture_output=True, text=True, check=True).stdout == "1\n"
