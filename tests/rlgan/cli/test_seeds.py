"""`--seeds N` for every task: runs of their own, which are measured as one."""

import json
import statistics

import pytest

from rlgan.cli.main import main

WORDS = {
    "text": "--preset paper --length 8 --batch-size 8 --embedding-size 8 --hidden-size 8",
    "image": "--preset paper --faces 30 --size 8 --batch-size 4 --generator-units 4 --units 2 --noise-size 4",
}
METRIC = {"text": "validation_perplexity", "image": "rfid"}


@pytest.mark.slow
@pytest.mark.parametrize("task", WORDS)
def test_seeds_of_every_task_are_trained_and_measured_as_one(rlgan, tmp_path, digest, task):
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    folder = tmp_path / "seeds"
    words = ["train", task, *WORDS[task].split(), "--workers", 0, "--steps", 3]
    done = rlgan(*words, "--seeds", 2, "--seed", 4, "--run-dir", folder, environment=cache)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert sorted(entry.name for entry in folder.iterdir()) == ["seed-4", "seed-5"]
    assert rlgan(*words, "--seed", 5, "--run-dir", tmp_path / "alone", environment=cache).returncode == 0
    assert digest(folder / "seed-5", 3) == digest(tmp_path / "alone", 3)
    last = [json.loads((folder / f"seed-{i}" / "metrics.jsonl").read_text().splitlines()[-1]) for i in (4, 5)]
    metric = METRIC[task]
    assert summary[metric] == pytest.approx(statistics.median(line[metric] for line in last))
    assert summary["seeds"] == 2


def test_seeds_must_be_a_number_of_runs(capsys):
    assert main(["train", "--seeds", "0"]) == 2
    assert "--seeds is 0: it must be 1 or more" in capsys.readouterr().err
