"""Runs that were made at commit ed22221, before settings had their present names, still sample, evaluate and resume.

They lie in `runs_of_ed22221/`; each was trained for 6 steps there:

    rlgan train text --preset best --estimator reinforce --lag 1 --length 10 --batch-size 8 --embedding-size 2 \\
        --hidden-size 2 --steps 6 --workers 0 --keep-checkpoints 1 --evaluate-every 1000 --seed 5 --run-dir text
    rlgan train gaussian --steps 6 --workers 0 --keep-checkpoints 1 --batch-size 50 --run-dir gaussian
    rlgan train image --preset paper --faces 30 --size 8 --batch-size 4 --generator-units 4 --units 2 --noise-size 4 \\
        --pieces 2 --threads 1 --steps 6 --workers 0 --keep-checkpoints 1 --run-dir image
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from rlgan.cli import main

OLD = Path(__file__).parent / "runs_of_ed22221"
# The words that train the same recipe from its beginning, by today's names.
FRESH = {
    "text": "--estimator reinforce --lag 1 --length 10 --batch-size 8 --embedding-size 2 --hidden-size 2 --seed 5 "
    "--evaluate-every 1000 --discriminator-form plain",
    "gaussian": "--batch-size 50",
    "image": "--preset paper --faces 30 --size 8 --batch-size 4 --generator-units 4 --units 2 --noise-size 4 "
    "--pieces 2 --threads 1",
}


@pytest.fixture
def old(tmp_path):
    """A copy of an old run, by task."""

    def copied(task):
        return Path(shutil.copytree(OLD / task, tmp_path / task))

    return copied


def test_they_take_little_room():
    assert sum(file.stat().st_size for file in OLD.rglob("*") if file.is_file()) < 200_000


def test_text_is_sampled_as_it_was(old, capsys):
    assert main(["sample", str(old("text")), "--count", "3", "--seed", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "proudly finally nobody last smiled fire on soft lit brave",
        "high flew coin gently away barn gladly path read path",
        "felt key goodbye sad home princess took morning grew ago",
    ]


def test_numbers_are_sampled_as_they_were(old, capsys):
    assert main(["sample", str(old("gaussian")), "--count", "3"]) == 0
    found = [float(line) for line in capsys.readouterr().out.splitlines()]
    assert found == pytest.approx([-1.241808, 2.233851, 1.747295], abs=1e-4)


@pytest.mark.parametrize("task", ["text", "gaussian", "image"])
def test_an_old_run_is_evaluated_as_its_last_line_says(old, tmp_path, capsys, task):
    run = old(task)
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    words = {"text": ["--quick"], "gaussian": [], "image": ["--cache", str(tmp_path / "cache")]}[task]
    assert main(["evaluate", str(run), "--json", *words]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["preset"] == line["preset"]
    numbers = {name: value for name, value in result.items() if isinstance(value, float)}
    assert len(numbers) > 5
    for name, value in numbers.items():
        # A PCA of 25 pictures has axes that the rounding decides.
        assert value == pytest.approx(line[name], rel=0.1 if "pca" in name else 1e-3, abs=1e-4), name


@pytest.mark.parametrize("task", ["text", "gaussian", "image"])
def test_an_old_run_goes_on_to_where_a_fresh_one_comes(old, tmp_path, capsys, task):
    run, fresh = old(task), tmp_path / "fresh"
    cache = ["--cache", str(tmp_path / "cache")] if task == "image" else []
    assert main(["train", task, "--run-dir", str(run), "--resume", "--steps", "9", *cache]) == 0, (
        capsys.readouterr().err
    )
    assert "going on from step 6" in capsys.readouterr().out
    words = [*FRESH[task].split(), *cache, "--workers", "0", "--steps", "9"]
    assert main(["train", task, *words, "--run-dir", str(fresh)]) == 0
    for file in sorted((fresh / "checkpoints" / "9").glob("*.safetensors")):
        due = safetensors.numpy.load_file(file)
        found = safetensors.numpy.load_file(run / "checkpoints" / "9" / file.name)
        for name in due:
            # Another CPU than that of the old run rounds otherwise.
            np.testing.assert_allclose(found[name], due[name], rtol=1e-3, atol=1e-4)
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    assert "generator_ema_decay" in recipe
    assert "generator_average" not in recipe


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"speed": 3}, "settings that this version does not know: speed"),
        ({"batch_size": "8"}, "--batch-size is '8', which is of a wrong type: it must be a whole number"),
        ({"baseline": "mine:Baseline"}, "--baseline mine:Baseline"),
        ({"baseline": "hope"}, "'hope' is not a baseline"),
        ({"discount": 7}, "--discount is 7: it must be from 0 to 1"),
    ],
)
def test_a_config_that_can_t_be_read_is_said_in_one_line(old, capsys, change, said):
    run = old("text")
    config = json.loads((run / "config.json").read_text())
    config["recipe"] |= change
    (run / "config.json").write_text(json.dumps(config))
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    for words in (["sample", str(run)], ["train", "--run-dir", str(run), "--resume", "--steps", "9"]):
        assert main(words) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
