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


class Mortal:
    """A local engine whose learner dies at the calls of `update`, `state` or `evaluate` whose numbers are given."""

    def __init__(self, task, config, deaths):
        engine = LocalEngine(task, config)
        self.where, self.kinds, self.rollouts, self.map, self.close = (
            engine.where, engine.kinds, engine.rollouts, engine.map, engine.close
        )  # fmt: skip
        self.learner = MortalLearner(engine.learner, deaths)
        self.statistics = MortalStatistics(engine.statistics, self.learner)


class MortalLearner:
    def __init__(self, learner, deaths):
        self.learner, self.deaths, self.calls, self.alive = learner, deaths, 0, True
        self.load_state, self.weights = learner.load_state, learner.weights
        self.put_weights, self.get_weights = learner.put_weights, learner.get_weights

    def check_alive(self):
        if not self.alive:
            raise LearnerLostError("the learner died")

    def _count_call(self):
        self.calls += 1
        if self.calls in self.deaths:
            self.alive = False
        self.check_alive()

    def restart(self):
        self.learner.restart()
        self.alive = True

    def update(self, *arguments):
        self._count_call()
        return self.learner.update(*arguments)

    def state(self):
        self._count_call()
        return self.learner.state()

    def evaluate(self):
        self._count_call()
        return self.learner.evaluate()


class MortalStatistics:
    def __init__(self, statistics, learner):
        self.statistics, self.learner = statistics, learner
        self.shards_made, self.report = statistics.shards_made, statistics.report
        self.export_metrics = statistics.export_metrics

    def cpu_seconds(self):
        if 0 in self.learner.deaths and self.learner.alive:  # while the data was prepared
            self.learner.deaths, self.learner.alive = (), False
        self.learner.check_alive()
        return self.statistics.cpu_seconds()


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
