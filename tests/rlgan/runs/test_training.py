"""The loop with a learner that dies, without Ray."""

import io
import json

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlgan.engine.local import LocalEngine
from rlgan.errors import LearnerLostError, RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.observers import Observers
from rlgan.runs.settings import RunSettings
from rlgan.runs.terminal import Terminal
from rlgan.runs.training import train
from rlgan.settings import updated
from rlgan.text.schedule import TextSchedule


class FailingEngine:
    """A local engine whose learner is lost at the calls of `update`, `state` or `evaluate` whose numbers are given."""

    def __init__(self, task, settings, failures):
        engine = LocalEngine(task, settings)
        self.where, self.kinds, self.rollouts = engine.where, engine.kinds, engine.rollouts
        self.map, self.alive, self.close = engine.map, engine.alive, engine.close
        self.learner = FailingLearner(engine.learner, failures)
        self.statistics = FailingStatistics(engine.statistics, self.learner)


class FailingLearner:
    def __init__(self, learner, failures):
        self.learner, self.failures, self.calls, self.alive = learner, failures, 0, True
        self.load_state, self.weights = learner.load_state, learner.weights
        self.put_weights, self.get_weights = learner.put_weights, learner.get_weights

    def check_alive(self):
        if not self.alive:
            raise LearnerLostError("the learner died")

    def count(self, method, arguments):
        self.calls += 1
        if self.calls in self.failures:
            self.alive = False
        self.check_alive()
        return method(*arguments)

    def restart(self):
        self.learner.restart()
        self.alive = True

    def update(self, *arguments):
        return self.count(self.learner.update, arguments)

    def state(self):
        return self.count(self.learner.state, ())

    def evaluate(self, *measures):
        return self.count(self.learner.evaluate, measures)


class FailingStatistics:
    def __init__(self, statistics, learner):
        self.statistics, self.learner = statistics, learner
        self.shards_made, self.report = statistics.shards_made, statistics.report
        self.export_metrics = statistics.export_metrics

    def cpu_seconds(self):
        if 0 in self.learner.failures and self.learner.alive:  # while the data was prepared
            self.learner.failures, self.learner.alive = (), False
        self.learner.check_alive()
        return self.statistics.cpu_seconds()


def _trained(task, path, failures, steps=9, **options):
    run = RunDirectory(path)
    values = {"workers": 0, "steps": steps, "checkpoint_every": 3, "evaluate_every": 4}
    settings = updated(RunSettings(), values | options)
    run.claim()
    said = io.StringIO()
    console = Console(file=said, width=200)
    engine = FailingEngine(task, settings.engine, failures)
    train(task, {}, settings, run, None, "recipe", engine, Observers(Terminal(console)))
    return said.getvalue()


@pytest.mark.parametrize("lag", [0, 1])
def test_a_learner_that_dies_changes_no_bit_and_no_line(task, tmp_path, digest, lag):
    small = task(lag=lag)
    _trained(small, tmp_path / "baseline", ())
    # The first evaluation, an update before there is a checkpoint, one after, a save, and a replay.
    said = _trained(small, tmp_path / "faulty", (1, 4, 13, 18, 23, 24))
    assert said.count("a new one is started") == 6
    assert said.count("goes on from step 0") == 2
    assert digest(tmp_path / "baseline", 9) == digest(tmp_path / "faulty", 9)

    def measured(name):
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [(line["step"], line["test_perplexity"]) for line in lines]

    assert [step for step, _ in measured("baseline")] == [0, 4, 8, 9]
    assert measured("faulty") == measured("baseline")


def _evaluated_steps(path):
    return [json.loads(line)["step"] for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("call", [17, 18])
def test_a_learner_that_dies_in_the_last_save_or_the_last_evaluation_leaves_no_gap(task, tmp_path, digest, call):
    _trained(task(), tmp_path / "baseline", ())
    said = _trained(task(), tmp_path / "faulty", (call,))
    assert said.count(f"goes on from step {8 if call == 17 else 9}") == 1
    assert digest(tmp_path / "baseline", 9) == digest(tmp_path / "faulty", 9)
    assert _evaluated_steps(tmp_path / "faulty") == [0, 4, 8, 9]


def test_only_the_sinks_that_are_asked_for_are_written(task, tmp_path):
    _trained(task(), tmp_path / "run", (), steps=1, sinks=("json_lines",))
    assert _evaluated_steps(tmp_path / "run") == [0, 1]
    assert {entry.name for entry in (tmp_path / "run").iterdir()} == {".lock", "checkpoints", "metrics.jsonl"}


def test_a_cheap_score_comes_often_and_changes_no_bit(task, tmp_path, digest, monkeypatch):
    """Every 2 steps of 9, in TensorBoard alone; the run without it ends with the same tensors."""
    monkeypatch.setattr(TextSchedule, "score_every", 2)
    _trained(task(), tmp_path / "scored", ())
    monkeypatch.setattr(TextSchedule, "score_every", 0)
    _trained(task(), tmp_path / "unscored", ())
    assert digest(tmp_path / "scored", 9) == digest(tmp_path / "unscored", 9)
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("scored", "unscored")]
    assert "quick" not in lines[0]
    events = EventAccumulator(str(tmp_path / "scored" / "events")).Reload()
    scores = events.Scalars("1_quality/00_quick_validation_perplexity")
    assert [each.step for each in scores] == [2, 4, 6, 8]
    (whole,) = [each.value for each in events.Scalars("1_quality/01_validation_perplexity") if each.step == 8]
    assert scores[-1].value == pytest.approx(whole, rel=0.1)  # of a quarter of the rows, with another z


SINK = """
class Steps:
    def __init__(self, context):
        self.file = (context.run.local / "steps.txt").open("a")

    def write(self, step, record):
        print(step, *sorted(record.scalars())[:1], file=self.file, flush=True)

    def close(self):
        self.file.close()
"""


def test_a_sink_from_outside_the_package_is_given_every_evaluation(task, tmp_path, monkeypatch):
    (tmp_path / "my_sink.py").write_text(SINK)
    monkeypatch.syspath_prepend(str(tmp_path))
    _trained(task(), tmp_path / "run", (), steps=5, sinks=("my_sink:Steps",))
    lines = (tmp_path / "run" / "steps.txt").read_text().splitlines()
    assert [line.split("/")[0] for line in lines] == ["0 evaluation", "4 evaluation", "5 evaluation"]
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_learner_that_died_before_the_first_step_is_replaced(task, tmp_path, digest):
    _trained(task(), tmp_path / "baseline", ())
    said = _trained(task(), tmp_path / "faulty", (0,))
    assert said.count("a new one is started") == 1
    assert digest(tmp_path / "baseline", 9) == digest(tmp_path / "faulty", 9)


def test_a_learner_that_always_dies_ends_the_run_with_one_line(task, tmp_path):
    with pytest.raises(
        RunError, match=r"the learner died. The learner failed 5 times without passing step 2; no checkpoint exists yet"
    ):
        _trained(task(), tmp_path / "run", [4, *range(4 + 4, 100, 4)])


def test_training_reads_four_times_the_rows_of_an_evaluation_before_the_next_and_mle_twelve_times(task):
    # An evaluation reads 1,000 to validate, 1,000 to test, and D 512 real and 512 generated ones.
    assert task(batch_size=64).schedule.evaluate_every == 189
    assert task(batch_size=64, discriminator_steps=2).schedule.evaluate_every == 95
    assert task(batch_size=64, method="mle").schedule.evaluate_every == 567


def test_a_last_step_that_was_saved_before_it_was_measured_can_be_the_best(task, tmp_path):
    """Step 3 is saved in the loop, and evaluated at the end alone; nothing was measured before but step 0."""
    _trained(task(), tmp_path / "run", (), steps=3)
    assert _evaluated_steps(tmp_path / "run") == [0, 3]
    manifest = json.loads((tmp_path / "run" / "checkpoints" / "3" / "manifest.json").read_text())
    assert manifest["score"] is not None
