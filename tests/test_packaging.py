"""The wheel and the source archive: complete, and enough to train with where nothing else of ours is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a checkout has besides the project, in its root: its history, and what is made.
MADE = {".git", ".venv", ".ci", ".gitignore", "build", "dist", "runs"}
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def _besides(folder, names):
    made = MADE if Path(folder) == ROOT else set()
    return {name for name in names if name in made or name.endswith(("_cache", "__pycache__", ".egg-info"))}


def _built(what, source, folder):
    done = subprocess.run(
        [sys.executable, "-c", BUILD, f"build_{what}", folder], cwd=source, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The source archive, as pip's front ends have setuptools make it."""
    pytest.importorskip("setuptools", minversion="77", reason="pyproject.toml needs setuptools 77")
    folder = tmp_path_factory.mktemp("packages")
    shutil.copytree(ROOT, folder / "checkout", ignore=_besides)
    return _built("sdist", folder / "checkout", folder)


@pytest.fixture(scope="module")
def wheel(archive):
    """The wheel that comes of the source archive alone."""
    with tarfile.open(archive) as files:
        files.extractall(archive.parent / "unpacked")
    (source,) = (archive.parent / "unpacked").iterdir()
    return _built("wheel", source, archive.parent)


@pytest.fixture(scope="module")
def installed(wheel):
    """An environment with the wheel in it, and what it depends on from this one: nothing is downloaded."""
    pytest.importorskip("pip")
    folder = wheel.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=100)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, timeout=100)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path in a file is searched after the folder that the file is in: our own package there comes first.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def in_an_empty_folder(installed, tmp_path):
    """Run something of that environment where there is nothing else."""

    def run(program, *words):
        forgotten = {"PYTHONPATH", "RAY_ADDRESS", "VIRTUAL_ENV"}
        surroundings = {name: value for name, value in os.environ.items() if name not in forgotten}
        done = subprocess.run(
            [installed.parent / program, *words],
            cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@pytest.mark.slow
def test_the_source_archive_has_all_that_the_project_consists_of(archive):
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    checkout = archive.parent / "checkout"
    due = {str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file()}
    assert not {name for name in due - names if ".egg-info" not in name}
    for name in ("README.md", "docs/conf.py", "docs/text.md", "scripts/setup.sh", "tests/conftest.py", "LICENSE"):
        assert name in names


@pytest.mark.slow
def test_the_wheel_has_the_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"envs", "rlgan"}
    due = {str(path.relative_to(ROOT)) for package in ("envs", "rlgan") for path in (ROOT / package).rglob("*.py*")}
    assert {name for name in due if not name.endswith(".pyc")} <= set(names)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_installed_trains_and_is_measured(in_an_empty_folder, tmp_path):
    where = in_an_empty_folder("python", "-c", "import envs, rlgan; print(envs.__file__, rlgan.__file__)")
    assert all("environment" in path for path in where.split())
    in_an_empty_folder("rlgan", "train", "--steps", "2", "--workers", "0", "--run-dir", "run")
    assert (tmp_path / "run" / "checkpoints" / "2" / "manifest.json").is_file()
    assert len(in_an_empty_folder("rlgan", "sample", "run", "--count", "3").splitlines()) == 3
    assert "test perplexity" in in_an_empty_folder("rlgan", "evaluate", "run", "--quick")


@pytest.mark.slow
def test_a_job_sends_the_packages_along_and_not_what_lies_beside_them(in_an_empty_folder):
    listed = "import rlgan.cli.submit as s; print(*sorted(path.name for path in s.working_directory().iterdir()))"
    assert in_an_empty_folder("python", "-c", listed).split() == ["envs", "rlgan"]
