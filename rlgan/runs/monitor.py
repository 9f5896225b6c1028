"""What a run shows of itself: evaluations, speeds, where it stands, and a summary at its end."""

import math
import time
from typing import Generic

from rlgan.engine.engine import P, W
from rlgan.errors import DivergenceError
from rlgan.runs.alarm import CollapseAlarm, GradientWatch
from rlgan.runs.context import TrainingContext
from rlgan.runs.meter import Meter
from rlgan.runs.progress import EVALUATING, MEASURED, SHOWN, Progress, cells, clock
from rlgan.types import Evaluation, Metrics

# Seconds between the metrics for those who watch the run, and between two looks at where it stands.
PROGRESS_SECONDS = 5
SHOW_SECONDS = 0.25
SAMPLES = 5  # of text, in the summary


class Monitor(Generic[W, P]):
    """Measures a run, and gives what it finds to the recorder, the observers and the alarm.

    Args:
        context: of the run.
        alarm: told of every update and evaluation.
    """

    def __init__(self, context: TrainingContext[W, P], alarm: CollapseAlarm) -> None:
        self._context = context
        self._alarm = alarm
        self._gradients = GradientWatch(context.observers.display.say)
        self._meter = Meter(context.engine.statistics.cpu_seconds, context.facts.throughput_metric)
        # From the manifests: also what was best before a resume.
        self._best = context.checkpoints.best_score(), context.checkpoints.best()
        self._evaluation: Evaluation | None = None  # the last one
        self._summary: list[str] = []  # what was said of it
        self._evaluated_step = 0
        self._evaluated: dict[str, str] = {}  # what is shown of it
        self._scored: dict[str, str] = {}  # what was measured cheaply since then
        self._learned = 0.0  # what the generator learned from in this process: tokens, samples
        self._workers = ""
        self._last_progress = self._last_shown = time.monotonic()

    def update(self, step: int, metrics: Metrics) -> None:
        """Take the metrics of the update that led to a step."""
        context = self._context
        context.wall_time.add_learning(metrics["seconds_update"])
        metrics = metrics | {"collapse_alarm": float(self._alarm.check_update(step, metrics))}
        self._gradients.check_update(step, metrics)
        self._meter.add(metrics)
        # An update of the discriminator alone, in pre-training, has nothing that the generator learned from.
        self._learned += metrics.get(context.facts.throughput_metric, 0.0)
        if step % context.record.log_every == 0:
            context.recorder.training(step, metrics)
        if time.monotonic() - self._last_progress >= PROGRESS_SECONDS:
            context.recorder.progress(step, self._run_metrics(step, self._meter.read()))
        if time.monotonic() - self._last_shown >= SHOW_SECONDS:
            self.show(step, "training", metrics)

    def score(self, step: int) -> None:
        """Measure the current weights cheaply, for curves and for those who watch."""
        context = self._context
        with context.wall_time.spend("evaluation"):
            metrics = context.engine.learner.evaluate("quick").metrics
        # One that is not finite would be found by the next evaluation, which ends the run with its reason.
        metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
        context.recorder.score(step, metrics)
        self._scored = {name.replace("_", " "): f"{value:.4g}" for name, value in metrics.items()}

    def evaluate(self, step: int) -> Metrics:
        """Evaluate the current weights; record, say and return what was found.

        Raises:
            DivergenceError: a metric is not finite; nothing is recorded.
        """
        context = self._context
        self.show(step, EVALUATING, {})
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
        self._note(step, evaluation)
        self.show(step, EVALUATING, {})  # with the score that was just found, which may be the run's last
        self._summary = context.reporter.summary(evaluation)
        first, *others = self._summary
        for line in (f"step {step}: {first}", *others):
            context.observers.display.say(line)
        # Last, so that an alarm stands below the numbers that raised it.
        self._alarm.check_evaluation(step, evaluation.metrics)
        return evaluation.metrics

    def show(self, step: int, phase: str, metrics: Metrics) -> None:
        """Show where the run stands.

        Args:
            step: updates so far.
            phase: what is done now.
            metrics: of the last update.
        """
        context = self._context
        self._last_shown = time.monotonic()
        last = "" if context.budget.steps == math.inf else f" of {context.budget.steps:,.0f}"
        score = context.reporter.brief(self._evaluation) if self._evaluation else ""
        found = {"step": f"{step:,}{last}"} | self._scored | self._evaluated | cells(SHOWN, metrics)
        if metrics:
            found["speed"] = f"{self._meter.per_second():,.0f} {context.facts.throughput_metric}/s"
        found |= {"workers": self._workers} if self._workers else {}
        context.observers.display.show(
            Progress(phase, step, context.budget.fraction(step), context.budget.seconds(), score, found)
        )

    def summary(self, step: int) -> list[str]:
        """Lines for the end of a run: samples of the last evaluation, steps, time, best checkpoint and speed."""
        context = self._context
        seconds, unit = context.wall_time.report(), context.facts.throughput_metric
        training = max(sum(seconds.values()) - seconds["seconds_in_evaluation"], 1e-9)
        best = "no checkpoint was measured" if self._best[1] is None else f"best checkpoint: step {self._best[1]}"
        score = "" if self._best[1] is None else f", {self._metric} {self._best[0]:.4g}"
        samples = [f"    {text}" for text in self._evaluation.texts[:SAMPLES]] if self._evaluation else []
        # A run that was stopped has not been evaluated since, and may write otherwise by now.
        header = f"at step {self._evaluated_step:,} it wrote:"
        if self._evaluated_step == step:  # some stand right above, below the numbers of the last evaluation
            header, samples = "it also writes:", [sample for sample in samples if sample not in self._summary]
        return [
            *([header, *samples] if samples else []),
            f"{step:,} steps; {clock(training)} of training and {clock(seconds['seconds_in_evaluation'])} of "
            f"evaluations this time, {self._learned / training:,.0f} {unit} a second; {best}{score}",
        ]

    @property
    def _metric(self) -> str:
        return self._context.facts.selection_metric.replace("_", " ")

    def _note(self, step: int, evaluation: Evaluation) -> None:
        """Keep what is shown of an evaluation: the score, the best one, how often D is right."""
        score = evaluation.metrics[self._context.facts.selection_metric]
        # Never of step 0: weights that are not trained are no result.
        if step > 0 and score < self._best[0]:
            self._best = score, step
        self._evaluation, self._evaluated_step = evaluation, step
        self._evaluated = cells(MEASURED, evaluation.metrics)
        if self._best[1] is not None:
            self._evaluated |= {f"best {self._metric}": f"{self._best[0]:.4g} at step {self._best[1]:,}"}

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
        processes = context.engine.statistics.report()
        if "workers_alive" in processes:
            self._workers = f"{processes['workers_alive']:.0f} of {processes['workers_wanted']:.0f}"
        return rates | processes | context.wall_time.report() | progress


def _check_finite(metrics: Metrics, step: int) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergenceError(f"{name} is {value} at step {step}")
