"""What a run shows of itself: evaluations, speeds, the progress bar."""

import math
import time
from typing import Generic

from rlgan.engine.engine import P, W
from rlgan.errors import DivergenceError
from rlgan.runs.alarm import CollapseAlarm
from rlgan.runs.context import TrainingContext
from rlgan.runs.meter import Meter
from rlgan.types import Metrics

# Seconds between the metrics for those who watch the run.
PROGRESS_SECONDS = 5


class Monitor(Generic[W, P]):
    """Measures a run, and gives what it finds to the recorder, the observers and the alarm.

    Args:
        context: of the run.
        alarm: told of every update and evaluation.
    """

    def __init__(self, context: TrainingContext[W, P], alarm: CollapseAlarm) -> None:
        self._context = context
        self._alarm = alarm
        self._meter = Meter(context.engine.statistics.cpu_seconds, context.facts.throughput_metric)
        self._brief = ""  # the last evaluation, for the progress bar
        self._last_progress = time.monotonic()

    def update(self, step: int, metrics: Metrics) -> None:
        """Take the metrics of the update that led to a step."""
        context = self._context
        context.wall_time.add_learning(metrics["seconds_update"])
        metrics = metrics | {"collapse_alarm": float(self._alarm.check_update(step, metrics))}
        self._meter.add(metrics)
        if step % context.record.log_every == 0:
            context.recorder.training(step, metrics)
        if time.monotonic() - self._last_progress >= PROGRESS_SECONDS:
            context.recorder.progress(step, self._run_metrics(step, self._meter.read()))
        rate = f"{self._meter.per_second():,.0f} {context.facts.throughput_metric}/s"
        context.observers.display.show(context.budget.fraction(step), f"step {step}  {rate}  {self._brief}")

    def evaluate(self, step: int) -> Metrics:
        """Evaluate the current weights; record, say and return what was found.

        Raises:
            DivergenceError: a metric is not finite; nothing is recorded.
        """
        context = self._context
        # The speeds of training, read before the time of the evaluation can count among it.
        rates = self._meter.read()
        with context.wall_time.spend("evaluation"):
            evaluation = context.engine.learner.evaluate()
        # Before anything is recorded: JSON has no NaN, and what compares with a NaN is never the best.
        _check_finite(evaluation.metrics, step)
        # Between the two parts that are timed, so that the record has the time that this evaluation took to measure.
        metrics = self._run_metrics(step, rates)
        with context.wall_time.spend("evaluation"):
            shards_made = context.engine.statistics.shards_made()
            context.recorder.evaluation(step, evaluation, metrics, context.labels, shards_made)
        self._brief = context.reporter.brief(evaluation)
        first, *others = context.reporter.summary(evaluation)
        for line in (f"step {step}: {first}", *others):
            context.observers.display.say(line)
        # Last, so that an alarm stands below the numbers that raised it.
        self._alarm.check_evaluation(step, evaluation.metrics)
        return evaluation.metrics

    def restart_meter(self) -> None:
        """Begin to count anew what the next evaluation tells of training."""
        self._meter.restart()

    def _run_metrics(self, step: int, rates: Metrics) -> Metrics:
        """What is recorded of the run beside its evaluations."""
        context = self._context
        self._last_progress = time.monotonic()
        progress = {
            "epoch": context.schedule.epoch(step),
            "lag": float(context.facts.lag),
            "seconds": context.budget.seconds(),
        }
        return rates | context.engine.statistics.report() | context.wall_time.report() | progress


def _check_finite(metrics: Metrics, step: int) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergenceError(f"{name} is {value} at step {step}")
