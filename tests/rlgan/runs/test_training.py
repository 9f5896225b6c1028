"""The loop with a learner that dies, without Ray."""

import io
import json

import pytest
from rich.console import Console

from rlgan.engine.local import LocalEngine
from rlgan.engine.settings import RunConfig
from rlgan.errors import LearnerLostError, RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.terminal import Terminal
from rlgan.runs.training import train


class Mortal(LocalEngine):
    """Dies at the calls of `update`, `state` or `evaluate` whose numbers are given."""

    def __init__(self, task, config, deaths):
        super().__init__(task, config)
        self.deaths, self.calls, self.alive = deaths, 0, True

    def _breathe(self):
        self.calls += 1
        if self.calls in self.deaths:
            self.alive = False
        if not self.alive:
            raise LearnerLostError("the learner died")

    def restart(self):
        super().restart()
        self.alive = True

    def cpu_seconds(self):
        if 0 in self.deaths and self.alive:  # while the data was prepared
            self.deaths, self.alive = (), False
        if not self.alive:
            raise LearnerLostError("the learner died")
        return super().cpu_seconds()

    def update(self, *arguments):
        self._breathe()
        return super().update(*arguments)

    def state(self):
        self._breathe()
        return super().state()

    def evaluate(self):
        self._breathe()
        return super().evaluate()


def _trained(task, path, deaths, steps=9):
    run, config = RunDirectory(path), RunConfig(workers=0, steps=steps, checkpoint_every=3, evaluate_every=4)
    run.claim()
    said = io.StringIO()
    console = Console(file=said, width=200)
    engine = Mortal(task, config, deaths)
    train(task, config, run, None, "recipe", engine, Terminal(console))
    return said.getvalue()


@pytest.mark.parametrize("lag", [0, 1])
def test_a_learner_that_dies_changes_no_bit_and_no_line(task, tmp_path, digest, lag):
    small = task(lag=lag)
    _trained(small, tmp_path / "calm", ())
    # The first evaluation, an update before there is a checkpoint, one after, a save, and a replay.
    said = _trained(small, tmp_path / "shot", (1, 4, 13, 18, 23, 24))
    assert said.count("a new one is started") == 6
    assert said.count("goes on from step 0") == 2
    assert digest(tmp_path / "calm", 9) == digest(tmp_path / "shot", 9)

    def measured(name):
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [(line["step"], line["test_perplexity"]) for line in lines]

    assert [step for step, _ in measured("calm")] == [0, 4, 8, 9]
    assert measured("shot") == measured("calm")


def test_a_learner_that_died_before_the_first_step_is_replaced(task, tmp_path, digest):
    _trained(task(), tmp_path / "calm", ())
    said = _trained(task(), tmp_path / "shot", (0,))
    assert said.count("a new one is started") == 1
    assert digest(tmp_path / "calm", 9) == digest(tmp_path / "shot", 9)


def test_a_learner_that_always_dies_ends_the_run_with_one_line(task, tmp_path):
    with pytest.raises(RunError, match=r"the learner died; 5 times none came beyond step 2: no checkpoint exists yet"):
        _trained(task(), tmp_path / "run", [4, *range(4 + 4, 100, 4)])


def test_training_reads_four_times_the_rows_of_an_evaluation_before_the_next_and_mle_twelve_times(task):
    # An evaluation reads 1,000 to validate, 1,000 to test, and D 512 real and 512 generated ones.
    assert task(batch_size=64).evaluate_every == 189
    assert task(batch_size=64, discriminator_steps=2).evaluate_every == 95
    assert task(batch_size=64, method="mle").evaluate_every == 567
