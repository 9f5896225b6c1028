"""The set-up of the scripts, with a Python that notes what is asked of it in place of minutes of installing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
STUB = """#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip")
    echo pip >>{calls}
    [ ! -e {broken} ] || exit 1
    printf '#!/bin/sh\\necho trained: "$@"\\n' >.venv/bin/rlgan
    chmod +x .venv/bin/rlgan ;;
*) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A bare checkout with what the set-up reads."""
    path = tmp_path / "a checkout"  # people have blanks in their paths
    shutil.copytree(ROOT / "scripts", path / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, path)
    return path


@pytest.fixture
def train(checkout, tmp_path):
    """Run scripts/train from elsewhere; gives what came and how often pip was called."""
    calls, stub = tmp_path / "calls", tmp_path / "python"
    stub.write_text(STUB.format(calls=calls, broken=tmp_path / "broken", python=sys.executable))
    stub.chmod(0o755)

    def run(*words):
        calls.write_text("")
        done = subprocess.run(
            [checkout / "scripts" / "train", *words], capture_output=True, text=True, cwd="/",
            env=os.environ | {"PYTHON": str(stub)}, timeout=60,
        )  # fmt: skip
        return done, calls.read_text().count("pip")

    return run


def test_the_first_run_installs_and_the_second_does_not(train):
    done, installs = train("--steps", "3", "--run-dir", "a b")
    assert done.returncode == 0, done.stderr
    assert "trained: train --steps 3 --run-dir a b" in done.stdout
    assert installs > 0
    done, installs = train()
    assert (done.returncode, installs) == (0, 0)


def test_an_interrupted_install_is_not_taken_for_a_good_one(train, tmp_path):
    (tmp_path / "broken").touch()
    done, _ = train()
    assert done.returncode != 0
    assert "trained" not in done.stdout
    (tmp_path / "broken").unlink()
    done, installs = train()
    assert (done.returncode, installs > 0) == (0, True)


def test_other_requirements_are_installed(train, checkout):
    train()
    with (checkout / "constraints.txt").open("a") as file:
        file.write("six==1.17.0\n")
    assert train()[1] > 0


def test_an_environment_of_somebody_elses_making_is_left_alone(train, checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "precious").touch()
    done, installs = train()
    assert (done.returncode, installs) == (1, 0)
    assert ".venv is there and was not made by this script" in done.stderr
    assert (checkout / ".venv" / "precious").exists()


def test_an_old_python_is_refused(checkout, tmp_path):
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [checkout / "scripts" / "train"], capture_output=True, text=True, env=os.environ | {"PYTHON": str(old)}
    )
    assert done.returncode == 1
    assert "is not Python 3.11 or newer" in done.stderr


def test_an_unknown_argument_of_the_tests_is_refused(train, checkout, tmp_path):
    train()
    done = subprocess.run(
        [checkout / "scripts" / "test", "--fast"], capture_output=True, text=True,
        env=os.environ | {"PYTHON": str(tmp_path / "python")},
    )  # fmt: skip
    assert done.returncode == 1
    assert "unknown argument --fast" in done.stderr


def test_a_long_part_that_is_not_there_is_refused_with_those_there_are(train, checkout, tmp_path):
    train()
    shutil.copytree(ROOT / "tests" / "long", checkout / "tests" / "long")
    for words in ([], ["forever"]):
        done = subprocess.run(
            [checkout / "scripts" / "test", "--long", *words], capture_output=True, text=True,
            env=os.environ | {"PYTHON": str(tmp_path / "python")},
        )  # fmt: skip
        assert done.returncode == 1
        assert "--long needs a part: one of " in done.stderr
        assert "learning" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_check_gpu_walks_the_recipes_on_the_cpu_and_says_what_failed():
    done = subprocess.run(
        [ROOT / "scripts" / "check-gpu", "--cpu", "--minutes", "1"], capture_output=True, text=True, timeout=380
    )
    *lines, last = done.stdout.splitlines()
    report = json.loads(last)
    assert done.returncode == 0, done.stdout
    assert lines[-1] == "failed: nothing"
    found = {row["check"]: row["found"] for row in report["checks"] if row["holds"]}
    assert "deviations from its mean" in found["sampler"]
    assert found["same bits, bf16"] == "same tensors: once, twice, resumed"
    assert found["learns in bf16"].startswith("perplexity ")
    assert found["same bits"] == "same tensors: once, twice, 1 worker, 2 workers, resumed"
    # How far it comes in a minute depends on what else the machine does.
    assert all(row["holds"] or row["found"] == "not run: the time is over" for row in report["checks"])
    assert len(report["checks"]) > 40


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_check_gpu_without_a_gpu_says_so():
    done = subprocess.run([ROOT / "scripts" / "check-gpu"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("scripts/check-gpu: torch ")
    assert line.endswith(" finds no GPU: give --cpu")


def test_the_benchmark_counts_the_products_of_a_step():
    counted = subprocess.run(
        [sys.executable, "-c", "import torch, benchmark\n"
         "with benchmark.Products() as products:\n"
         "    torch.nn.functional.linear(torch.ones(3, 4), torch.ones(5, 4), torch.ones(5))\n"
         "    torch.ones(2, 6) @ torch.ones(6, 7)\n"
         "    with torch.inference_mode():\n"
         "        torch.nn.GRU(9, 8, batch_first=True)(torch.ones(10, 1, 9), torch.ones(1, 10, 8))\n"
         "products.replay(torch.device('cpu'))()\n"
         "print(products.operations(), sorted(products.shapes.items()))"],
        capture_output=True, text=True, cwd=ROOT / "scripts", check=True,
    )  # fmt: skip
    # Two operations for each number of the result and each step of its sum.
    gru = 10 * 24 * (9 + 8)  # three gates of inputs and of states
    assert counted.stdout.split(maxsplit=1)[0] == str(2.0 * (3 * 5 * 4 + 2 * 7 * 6 + gru))
    assert "(((2, 6), (6, 7)), 1), (((3, 4), (4, 5)), 1)" in counted.stdout
