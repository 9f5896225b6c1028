"""Which run is proposed, where somebody names a directory that is none."""

import pytest

from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.near import meant_runs, seeds_in


@pytest.fixture
def runs(tmp_path):
    """Two runs, a folder of two seeds, and one that holds none."""
    for name in ("baseline", "control", "several/seed-2", "several/seed-10"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "basement").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("baslein", ["baseline"]),
        ("controls", ["control"]),
        ("severl", ["several"]),
        ("several", ["several/seed-10", "several/seed-2"]),
        (".", ["baseline", "control"]),
        ("else", []),
    ],
)
def test_runs_of_nearly_that_name_and_those_within_are_proposed(runs, typed, meant):
    proposed = f". Did you mean {' or '.join(str(runs / name) for name in meant)}?" if meant else ""
    assert meant_runs(runs / typed) == proposed
    with pytest.raises(RunError) as refused:
        RunDirectory(runs / typed).config()
    assert str(refused.value).endswith(f"(no config.json): give the directory of one{proposed}")


def test_seeds_come_in_the_order_of_their_numbers(runs):
    assert [run.name for run in seeds_in(runs / "several")] == ["seed-2", "seed-10"]
