"""`--seeds N` for every task: runs of their own, which are measured as one."""

import json
import statistics

import pytest

from rlgan.api.display import Lines
from rlgan.cli.main import main
from rlgan.runs import seeds
from rlgan.runs.progress import Progress
from rlgan.runs.table_progress import Failure

WORDS = {
    "text": "--preset paper --length 8 --batch-size 8 --embedding-size 8 --hidden-size 8",
    "image": "--preset paper --faces 30 --size 8 --batch-size 4 --generator-units 4 --units 2 --noise-size 4",
}
METRIC = {"text": "validation_perplexity", "image": "rfid"}


@pytest.mark.slow
@pytest.mark.parametrize("task", WORDS)
def test_seeds_of_every_task_are_trained_and_measured_as_one(rlgan, typed, monkeypatch, tmp_path, digest, task):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "seeds"
    words = ["train", task, *WORDS[task].split(), "--workers", 0, "--steps", 3]
    done = rlgan(*words, "--seeds", 2, "--seed", 4, "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert sorted(entry.name for entry in folder.iterdir()) == ["seed-4", "seed-5"]
    assert typed(*words, "--seed", 5, "--run-dir", tmp_path / "alone").returncode == 0
    assert digest(folder / "seed-5", 3) == digest(tmp_path / "alone", 3)
    last = [json.loads((folder / f"seed-{i}" / "metrics.jsonl").read_text().splitlines()[-1]) for i in (4, 5)]
    metric = METRIC[task]
    assert summary[metric] == pytest.approx(statistics.median(line[metric] for line in last))
    assert summary["seeds"] == 2
    # What was left to the data is in what they have saved, and not in what is typed.
    more = rlgan(*words[:-1], 4, "--seeds", 2, "--seed", 4, "--run-dir", folder, "--resume")
    assert more.returncode == 0, more.stderr
    assert typed("train", task, "--run-dir", tmp_path / "alone", "--resume", "--steps", 4).returncode == 0
    assert digest(folder / "seed-5", 4) == digest(tmp_path / "alone", 4)
    other = rlgan(*words, "--batch-size", 12, "--seeds", 2, "--seed", 4, "--run-dir", folder, "--resume")
    assert other.returncode == 2
    assert "--batch-size" in other.stderr


def test_seeds_are_shown_side_by_side_until_each_has_said_how_it_ended():
    """Two of three run at once, the third waits: 50 and 25 % are a quarter of all; pen and paper."""
    shown, said = [], []
    report = seeds.SeedsReport(3, Lines(said.append, shown.append))
    report.started("4")
    report.started("5")
    report.received("4", Progress("training", done=0.5, score="W1 0.040 (floor 0.016)"))
    report.received("5", Progress("training", done=0.25))
    assert shown[-1].done == pytest.approx(0.25)
    assert shown[-1].cells == {"seed 4": "training 50%, W1 0.040", "seed 5": "training 25%"}
    report.ended("4", 0)
    report.received("5", Failure("no space left"))
    report.ended("5", 1)
    assert shown[-1].done == pytest.approx(2 / 3)
    assert said == ["seed 4: done, W1 0.040 (floor 0.016)", "seed 5: failed: no space left"]
    assert report.failed == ["5"]


@pytest.mark.slow
def test_a_seed_that_fails_says_why_in_one_line_and_ends_none_of_the_others(rlgan, tmp_path):
    folder = tmp_path / "seeds"
    (folder / "seed-1").mkdir(parents=True)
    (folder / "seed-1" / "config.json").write_text("{}")
    done = rlgan("train", "gaussian", "--steps", 2, "--seeds", 2, "--run-dir", folder, "--resume", "auto")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_seeds_must_be_a_number_of_runs(capsys):
    assert main(["train", "--seeds", "0"]) == 2
    assert "--seeds is 0: it must be 1 or more" in capsys.readouterr().err
