"""Environments of their own for what needs other libraries."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def python_with(tmp_path_factory):
    """Give the interpreter of an environment with some libraries and what this package needs.

    It is made in `$RLGAN_ENVIRONMENTS`, a directory, and kept there for the next time; where that is not set, in a
    temporary one. Where pip can't get the libraries, the test is skipped.
    """
    given = os.environ.get("RLGAN_ENVIRONMENTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("environments")

    def made(name, *requirements, constrained=True):
        place = folder / name
        python = place / "bin" / "python"
        if (place / "finished").exists():
            return python
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pinned = {requirement.partition("==")[0] for requirement in requirements}
        lines = (ROOT / "constraints.txt").read_text().splitlines() if constrained else []
        constraints = place / "constraints.txt"
        constraints.write_text("\n".join(line for line in lines if line.partition("==")[0] not in pinned) + "\n")
        ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        pip = [python, "-m", "pip", "install", "--quiet", "--constraint", constraints]
        done = subprocess.run([*pip, *requirements, *ours], capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
            pytest.skip(f"pip can't install {' '.join(requirements)}: {last}")
        (place / "finished").touch()
        return python

    return made
