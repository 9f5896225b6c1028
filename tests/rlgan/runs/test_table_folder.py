"""The folder of a table: what it takes, keeps and gives."""

import json

import pytest

from rlgan.errors import RunError, UsageError
from rlgan.gaussian.settings import GaussianSettings
from rlgan.runs.forecast import Forecast
from rlgan.runs.progress import Progress
from rlgan.runs.table_folder import PlannedRow, TableFolder
from rlgan.runs.table_progress import Failure, TableProgress, duration
from rlgan.task import find_task

ROW = PlannedRow("paper", "paper", "", ("--preset", "paper"), GaussianSettings(preset="paper"), (0, 1))


@pytest.fixture
def folder(tmp_path):
    folder = TableFolder(tmp_path / "table", "table9")
    folder.plan({"epochs": 10.0}, (ROW,))
    return folder


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds no table"):
        TableFolder(tmp_path, "table9").plan({}, (ROW,))
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def test_another_table_and_other_facts_are_refused(folder):
    with pytest.raises(UsageError, match="holds table9, not table8"):
        TableFolder(folder.path, "table8").manifest()
    with pytest.raises(UsageError, match=r"whose epochs is 10\.0, not 3\.0"):
        folder.plan({"epochs": 3.0}, (ROW,))


def test_rows_and_seeds_of_several_calls_are_kept(folder):
    folder.plan({"epochs": 10.0}, (PlannedRow("paper", "paper", "", ("--preset", "paper"), ROW.recipe, (2,)),))
    folder.plan({"epochs": 10.0}, (PlannedRow("best", "best", "", (), GaussianSettings(preset="best"), (0,)),))
    assert {name: row["seeds"] for name, row in folder.manifest()["rows"].items()} == {"paper": [0, 1, 2], "best": [0]}


def test_results_are_what_runs_have_recorded_so_far(folder):
    run = folder.run_dir("paper", 1)
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text('{"step": 0, "w1": 1.5}\n')
    (run / "config.json").write_text(
        json.dumps({"task": "", "recipe": 0, "run": 0, "recipe_id": 0, "kinds": {"learner": "CPU"}})
    )
    (run.parent / "seed-1.quality.json").write_text('{"bleu": 0.5}')
    (row,) = folder.results(find_task("gaussian"), ()).rows
    assert (row.name, row.command, row.recipe.preset) == ("paper", ("--preset", "paper"), "paper")
    (found,) = row.runs  # seed 0 has not begun
    assert (found.seed, found.metrics, found.failure) == (1, ({"step": 0, "w1": 1.5},), None)
    assert (found.kinds, found.evaluations) == ({"learner": "CPU"}, {"quality": {"bleu": 0.5}})


def test_no_results_where_there_is_no_table(tmp_path):
    with pytest.raises(UsageError, match="holds no table"):
        TableFolder(tmp_path / "nowhere", "table9").results(find_task("gaussian"), ())


def test_a_table_of_an_earlier_version_is_said(folder):
    manifest = json.loads((folder.path / "table.json").read_text())
    del manifest["rows"]["paper"]["row"]
    (folder.path / "table.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="of another version of rlgan"):
        folder.results(find_task("gaussian"), ())


def test_a_damaged_table_is_said(folder):
    for damaged in (
        "[]",
        '{"table": "table9", "facts": {}, "rows": []}',
        '{"table": "table9", "facts": {}, "rows": {"a": 1}}',
    ):
        (folder.path / "table.json").write_text(damaged)
        with pytest.raises(RunError, match=r"table\.json"):
            folder.manifest()


def test_progress_says_how_long_a_run_and_the_rest_take_and_why_one_failed(folder):
    now, said, shown, reports = [0.0], [], [], []
    progress = TableProgress(
        folder,
        ["paper, seed 0", "paper, seed 1"],
        1,
        lambda: reports.append(1),
        said.append,
        shown.append,
        lambda: now[0],
    )
    progress.started("paper, seed 0")
    now[0] = 10.0
    progress.received("paper, seed 0", Forecast(steps=200, steps_per_second=2.0, evaluations=2, evaluation_seconds=5.0))
    # 110 s are left of this run, and the next one takes 120.
    assert "200 steps to go, 2 a second, and 2 evaluations of 5 s: about 2 min" in said[-1]
    assert "2 runs are left, about 4 min in all" in said[-1]
    progress.received("paper, seed 0", Progress("training", done=0.5))
    assert shown[-1] == Progress(
        "training table9, 2 runs", done=0.25, seconds=10.0, cells={"paper, seed 0": "training 50%"}
    )
    progress.ended("paper, seed 0", 0)
    progress.started("paper, seed 1")
    assert (shown[-1].done, shown[-1].cells) == (0.5, {})
    assert said[-1] == "paper, seed 1: begins; one of this row takes 2 min"
    progress.received("paper, seed 1", Failure("a loss is nan"))
    progress.ended("paper, seed 1", 1)
    assert "failed after 0 s: a loss is nan" in said[-1]
    assert folder.status("paper", 0) == {"ended": True, "failure": None}
    assert folder.status("paper", 1) == {"ended": True, "failure": "a loss is nan"}
    assert (progress.failed, len(reports)) == (["paper, seed 1"], 2)


def test_durations_are_said_in_the_unit_that_suits():
    assert [duration(seconds) for seconds in (0.42, 99, 100, 5399, 5400)] == [
        "0.42 s",
        "99 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]
