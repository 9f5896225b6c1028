"""Variables that libraries read, as notebooks, schedulers and administrators set them."""

import json
import os
import subprocess
import sys

import pytest

SMALL_PICTURES = "train image --workers 0 --faces 20 --size 8 --batch-size 4 --steps 2".split()  # noqa: SIM905


# Of each command, before any other has imported matplotlib: a process that has torch already is copied for each.
EACH_BY_ITSELF = """
import os, sys
import torch
from rlgan.cli import main

for command in sys.argv[1:]:
    if (child := os.fork()) == 0:
        os._exit(main(command.split()))
    assert os.waitpid(child, 0)[1] == 0, command
"""


def test_a_notebooks_window_for_figures_is_not_asked_for(gaussian, tmp_path):
    environment = os.environ | {"MPLBACKEND": "module://a_notebooks_own.backend_inline"}
    train = " ".join([*gaussian, "--steps", "1", "--run-dir", "run"])
    code = [sys.executable, "-c", EACH_BY_ITSELF, train, "sample run", "evaluate run"]
    done = subprocess.run(code, capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("environment", [{"OMP_DYNAMIC": "TRUE"}, {"OMP_THREAD_LIMIT": "1"}])
def test_fewer_threads_than_asked_for_do_not_stop_pictures(rlgan, tmp_path, environment):
    words = [*SMALL_PICTURES, "--cache", tmp_path / "cache", "--run-dir", tmp_path / "run"]
    done = rlgan(*words, environment=environment, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_resume_says_that_the_math_library_uses_other_instructions(rlgan, typed, gaussian, tmp_path):
    run = tmp_path / "run"
    assert typed(*gaussian, "--steps", 1, "--run-dir", run).returncode == 0
    words = ["train", "gaussian", "--workers", 0, "--run-dir", run, "--resume", "--steps", 2]
    done = rlgan(*words, environment={"MKL_CBWR": "COMPATIBLE"})
    assert "MKL_CBWR=COMPATIBLE" in done.stdout
    assert "the result is not bit-identical" in done.stdout


WITHOUT_RAY = """
import importlib.abc, importlib.metadata, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError("No module named 'ray'")

found = importlib.metadata.version

def version(name):
    if name == "ray":
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)

importlib.metadata.version = version
sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize("library", ["tensorboard", "fcntl"])
def test_a_library_that_is_missing_or_broken_is_one_line(rlgan, gaussian, tmp_path, library):
    # Not by a file of its name: in some Pythons fcntl is built in, and found before any file.
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules['{library}'] = None\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    done = rlgan(*gaussian, "--steps", 1, "--run-dir", tmp_path / "run", environment={"PYTHONPATH": path})
    assert library in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_a_run_without_workers_needs_no_ray(rlgan, gaussian, tmp_path):
    """As on a machine with a GPU that has torch and no package index."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_RAY)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    done = rlgan(*gaussian, "--steps", 1, "--run-dir", tmp_path / "run", environment={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    versions = json.loads((tmp_path / "run" / "config.json").read_text())["versions"]
    assert "torch" in versions
    assert "ray" not in versions
