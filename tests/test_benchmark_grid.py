"""What the grid of the benchmark leaves out, and what it says of it."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
PROGRAM = """
from benchmark_grid import CELLS, Budget, Cell
budget = Budget(100.0)
print(budget.takes("short", 50.0), budget.takes("long", 500.0), budget.takes("large", 1.0, 1e9))
print(budget.left_out["long"])
print(budget.left_out["large"])
# Of the paper's sizes a step is one; of twice the batch two; of ten times the words 7.75, as a quarter stays.
print([Cell().work, Cell(batch=128).work, Cell(vocab_size=100_000).work])
print(len(CELLS), len(set(CELLS)))
"""


def test_what_does_not_fit_is_left_out_with_its_reason():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=SCRIPTS, check=True)
    fits, long, large, work, counts = done.stdout.splitlines()
    assert fits == "True False False"
    assert long.startswith("it would take about 500 s, and ")
    assert large.startswith("it would need about 1,000,000,000 MiB, and ")
    assert work == "[1.0, 2.0, 7.75]"
    assert counts == "11 11"


def test_a_grid_of_no_minutes_leaves_all_out_and_says_so():
    done = subprocess.run(
        [sys.executable, "benchmark.py", "text", "--grid", "--minutes", "0"],
        capture_output=True, text=True, cwd=SCRIPTS, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 11 + 8  # sizes, and workers by lags
    assert all(": left out; it would take about " in line for line in lines)
