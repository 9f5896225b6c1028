"""The training loop: the same for every task, with and without Ray."""

import math
import time
from collections.abc import Mapping
from typing import Generic

from rlgan.engine.engine import Engine, P, W
from rlgan.errors import DivergenceError, RunError
from rlgan.runs.alarm import CollapseAlarm
from rlgan.runs.budget import Budget
from rlgan.runs.checkpoints import Checkpoint, Checkpoints
from rlgan.runs.context import TrainingContext
from rlgan.runs.directory import RunDirectory
from rlgan.runs.lookahead import Lookahead
from rlgan.runs.meter import WallTime
from rlgan.runs.monitor import Monitor
from rlgan.runs.observers import Callback, Observers, StopTraining
from rlgan.runs.recorder import Recorder
from rlgan.runs.recovery import Recovery
from rlgan.runs.settings import RunSettings
from rlgan.runs.signals import Stop
from rlgan.task import Bounds, LoadedTask, Schedule
from rlgan.types import Metrics


class Training(Generic[W, P]):
    """Training from a checkpoint on, with one learner, which is fresh.

    Args:
        context: of the run.
        start: the checkpoint to go on from, or None.
        stop: whether somebody asked to stop.

    Attributes:
        step: the step that it has come to: updates so far.
    """

    def __init__(self, context: TrainingContext[W, P], start: Checkpoint | None, stop: Stop) -> None:
        self.step = start.step if start else 0
        self._context = context
        self._start = start
        self._stop = stop
        say, checkpoints = context.observers.display.say, context.checkpoints
        # Called by the watching thread where a run hangs: the disk tells which checkpoint there is by then.
        stop.say_unsaved = lambda line: say(f"{line}; {checkpoints.survivor()}")
        stop.say_asked = lambda line: say(f"{line}; until then, {checkpoints.survivor()}")
        stop.engine_alive = context.engine.alive
        self._evaluate_every = context.record.evaluate_every or context.schedule.evaluate_every
        self._score_every = context.facts.score_every
        self._alarm = CollapseAlarm(
            context.reporter.collapse, context.record.on_collapse, context.observers.display.say
        )
        self._saved_step = start.step if start else -1
        # From the manifests, so that neither a resume nor a new learner takes a worse score for the best.
        self._best_score = context.checkpoints.best_score()
        self._scores: dict[int, float] = {}  # of the last evaluation, by its step

    def run(self) -> None:
        """Train until a bound is reached, or somebody asks to stop, and leave a checkpoint.

        Raises:
            LearnerLostError: the learner was lost.
            DivergenceError: a loss, a gradient or a measure is not finite.
            RunError: what was trained or measured can't be written, or the run was to stop at a collapse.
        """
        learner, schedule = self._context.engine.learner, self._context.schedule
        wall_time = self._context.wall_time
        self._restore()
        # Also what a stop left out at a step that is to be evaluated, so that a resumed run has no gap in its record.
        if self._context.recorder.last_step < 0 or self.step % self._evaluate_every == 0:
            self._evaluate()
        self._context.budget.start()
        while not self._is_over():
            with wall_time.spend("rollout"):
                rollouts = self._lookahead.rollouts(self.step)
            with wall_time.spend("update"):
                metrics = learner.update(self.step, schedule.plan(self.step), rollouts)
            del rollouts  # the next ones need the memory
            self.step += 1
            self._monitor.update(self.step, metrics)
            self._tell(self._context.observers.on_step, metrics)
            if self._score_every and self.step % self._score_every == 0 and not self._stop.reason:
                self._monitor.score(self.step)
            # An evaluation comes before a checkpoint of the same step, so that the manifest has its score.
            if self.step % self._evaluate_every == 0 and not self._stop.reason:
                self._evaluate()
            if self.step % self._context.record.checkpoint_every == 0:
                self._save()
        # From here on only saving is left: told so, the watching thread no longer ends the process for being slow.
        self._stop.take()
        # Something that asks to stop, such as Slurm before a time limit, may not wait for an evaluation: only save.
        if not self._stop.reason:
            self._evaluate()
        self._save()
        for line in self._monitor.summary(self.step):
            self._context.observers.display.say(line)
        if self._alarm.stop_reason and not self._stop.reason:
            raise RunError(
                f"{self._alarm.stop_reason}. The run stopped, as --on-collapse asks; step {self.step} is saved"
            )

    def _restore(self) -> None:
        """Set the engine and what was recorded to the checkpoint, or to the beginning."""
        context = self._context
        # What was recorded after the checkpoint will be recorded again.
        context.recorder.rewind(self._saved_step)
        engine = context.engine
        # A new one for each learner: what was asked for with the weights of a lost one is forgotten with it.
        self._lookahead = Lookahead(
            engine.learner, engine.rollouts, context.schedule.plan, context.facts.lag, context.budget.steps
        )
        if self._start:
            engine.learner.load_state(self._start.state, self._start.step)
            self._lookahead.restore(self._start.lagged)
        self._monitor = Monitor(context, self._alarm)

    def _is_over(self) -> bool:
        return bool(self._stop.reason or self._alarm.stop_reason) or self._context.budget.is_spent(self.step)

    def _evaluate(self) -> None:
        """Measure the current weights, once per step, and save them if they are the best so far."""
        if self._context.recorder.last_step == self.step:
            return
        begun = time.monotonic()
        metrics = self._monitor.evaluate(self.step)
        # A signal may find the next one at its beginning, and it may take longer.
        self._stop.allow(2 * (time.monotonic() - begun))
        score = metrics[self._context.facts.selection_metric]
        self._scores = {self.step: score}
        # Never at step 0: weights that are not trained are no result, even where all later ones are worse.
        if self.step > 0 and score < self._best_score:
            self._best_score = score
            # Once more where this step was saved before it was measured: the best is found by the scores of manifests.
            self._saved_step = -1
            self._save()
        self._tell(self._context.observers.on_evaluation, metrics)
        # After the save, whose time is not training's.
        self._monitor.restart_meter()

    def _tell(self, callback: Callback, metrics: Metrics) -> None:
        try:
            callback(self.step, metrics)
        except StopTraining:
            self._stop.reason = "StopTraining"

    def _save(self) -> None:
        """Save a checkpoint, once per step."""
        if self._saved_step == self.step:
            return
        context = self._context
        with context.wall_time.spend("checkpoint"):
            context.checkpoints.save(
                Checkpoint(
                    step=self.step,
                    state=context.engine.learner.state(),
                    recipe_id=context.recipe_id,
                    seconds=context.budget.seconds(),
                    score=self._scores.get(self.step),
                    lagged=self._lookahead.lagged(self.step),
                )
            )
        self._saved_step = self.step


def train(
    task: LoadedTask,
    labels: Mapping[str, str],
    settings: RunSettings,
    run: RunDirectory,
    start: Checkpoint | None,
    recipe_id: str,
    engine: Engine[W, P],
    observers: Observers,
) -> str | None:
    """Train a task until a bound is reached, or somebody asks to stop.

    Args:
        task: with its data.
        labels: what every result of the run says of it.
        settings: how long, how often to evaluate and to save, what to do at a collapse.
        run: the directory, which this process has claimed.
        start: the checkpoint to go on from, or None.
        recipe_id: SHA-256 of the recipe and the data, for the checkpoints.
        engine: who computes.
        observers: who is told, and who may stop the run.

    Returns:
        The signal that stopped the run, "StopTraining" where a callback did, or None.

    Raises:
        RunError: a loss or a gradient is not finite, a checkpoint can't be saved, or a process died.
    """
    schedule, record = task.schedule, settings.record
    budget = _budget(settings.bounds, schedule, start.seconds if start else 0.0)
    step, say = start.step if start else 0, observers.display.say
    # Here, not in the loop: there, a learner lost in the last evaluation would leave the run without that evaluation.
    if budget.is_spent(step):
        say(f"The run is already at step {step}: give larger --steps, --epochs or --minutes to go on with it")
        return None
    checkpoints = Checkpoints(run.checkpoints.folder, record.keep_checkpoints, say)
    recorder = Recorder(run, record.sinks, engine.statistics.export_metrics, say, task.facts.measures)
    context = TrainingContext(
        schedule=schedule,
        reporter=task.reporter,
        facts=task.facts,
        labels=labels,
        recipe_id=recipe_id,
        record=record,
        engine=engine,
        checkpoints=checkpoints,
        recorder=recorder,
        observers=observers,
        budget=budget,
        wall_time=WallTime(),
    )
    recovery = Recovery(engine.learner.restart, checkpoints, recipe_id, say)
    try:
        with observers.stopping() as stop:
            recovery.run(lambda begin: Training(context, begin, stop), start)
    except DivergenceError as error:
        raise RunError(f"{error}; {checkpoints.survivor()}") from error
    finally:
        recorder.close()
    return stop.reason


def _budget(bounds: Bounds, schedule: Schedule, seconds_before: float) -> Budget:
    steps = math.inf if bounds.steps is None else bounds.steps
    if bounds.epochs is not None:
        steps = min(steps, schedule.steps(bounds.epochs))
    return Budget(steps, bounds.minutes, seconds_before)
