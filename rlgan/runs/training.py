"""The training loop: the same for every task, with and without Ray."""

import math
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic

from rlgan.engine.engine import Engine, P, W
from rlgan.engine.processes import family, kill
from rlgan.engine.settings import RunConfig
from rlgan.errors import DivergenceError, LearnerLostError, RunError
from rlgan.runs.checkpoints import Checkpoint, Checkpoints
from rlgan.runs.directory import RunDirectory
from rlgan.runs.recorder import Recorder
from rlgan.runs.sinks import DEFAULT_SINKS
from rlgan.runs.terminal import Terminal
from rlgan.task import Task
from rlgan.types import Metrics

# Steps in a row that look collapsed before it is said: one may be chance.
ALARM_STEPS = 10
# Seconds between the numbers that who watches the cluster is given.
SHOW_EVERY = 5
# Learners that may die in a row, none of which comes further than those before: more is no accident.
LOSSES = 5


@dataclass
class Stop:
    """Whether somebody asked the run to stop, and with which signal."""

    signal: str | None = None


@contextmanager
def stopping() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a wish to stop; a second one ends this process and its family at once.

    The second one may also come later, while what is left is closed.
    """
    stop = Stop()

    def ask(number: int, _: object) -> None:
        stop.signal = signal.Signals(number).name
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, _end)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        if not stop.signal:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    kill(family())
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class Training(Generic[W, P]):
    """A run between its steps.

    Args:
        task: what is trained.
        config: how long, and how often to evaluate and to save.
        run: where to write.
        start: the checkpoint to go on from, or None.
        recipe: SHA-256 of the recipe and the data, for the checkpoints.
        engine: who computes.
        terminal: who is told.
    """

    def __init__(
        self,
        task: Task,
        config: RunConfig,
        run: RunDirectory,
        start: Checkpoint | None,
        recipe: str,
        engine: Engine[W, P],
        terminal: Terminal,
    ) -> None:
        self.task = task
        self.config = config
        self.checkpoints = Checkpoints(run.checkpoints.folder, config.keep_checkpoints)
        self.recipe = recipe
        self.engine = engine
        self.terminal = terminal
        self.lag = task.lag
        self.directory = run
        self.evaluate_every = config.evaluate_every or task.evaluate_every
        self.last = math.inf if config.steps is None else config.steps
        if config.epochs is not None:
            self.last = min(self.last, task.steps(config.epochs))
        self.seconds_before = start.seconds if start else 0.0
        self.started = time.monotonic()
        self.spent: Metrics = defaultdict(float)  # seconds since `started`, by what for
        self.furthest = 0  # step
        self.losses = 0  # of learners, since that step
        self.shown = self.started  # when who watches the cluster was last given the numbers
        self.lost = ""  # how the learner was lost that is to be replaced
        self.recorder = Recorder(run, DEFAULT_SINKS, engine.statistics.export_metrics)
        try:
            self.go_on_from(start)
        except LearnerLostError as error:  # while the data was prepared, nobody asked for it
            self.lost = str(error)

    def go_on_from(self, start: Checkpoint | None) -> None:
        """Set all that changes with the steps to a checkpoint, or to the beginning; take back what was recorded after.

        The learner is fresh.
        """
        self.step = start.step if start else 0
        self.saved_step = start.step if start else -1
        self.recorder.rewind(after=self.saved_step)
        self.versions: dict[int, W] = {}
        self.best = self.checkpoints.best_score()
        self.evaluated: tuple[int, float] | None = None  # step and score of the last evaluation
        self.brief = ""  # the same for people
        self.collapsed_steps = 0  # that looked collapsed, in a row
        self.collapse: str | None = None  # what the run is to end for
        if start:
            self.engine.learner.load_state(start.state, start.step)
            self.versions = {weights.version: self.engine.learner.put_weights(weights) for weights in start.lagged}
        self.meter = Meter(self.engine, self.task.unit)

    def run(self, stop: Stop) -> None:
        """Train until a bound is reached or somebody asks to stop, and leave a checkpoint.

        A learner that dies is replaced by a new one, which goes on from the newest whole checkpoint.
        """
        if self.step >= self.last or self.fraction() >= 1:
            self.terminal.say(f"already at step {self.step}: give a larger --steps, --epochs or --minutes to go on")
            return
        while True:
            try:
                if self.lost:
                    self.go_back()
                self.train(stop)
            except LearnerLostError as error:
                self.lost = str(error)  # without the frames, which hold on to what was lost
            else:
                return

    def go_back(self) -> None:
        """Put a new learner in the place of one that was lost."""
        self.losses = 1 if self.step > self.furthest else self.losses + 1
        self.furthest = max(self.furthest, self.step)
        if self.losses > LOSSES:
            raise RunError(
                f"{self.lost}; {LOSSES} times none came beyond step {self.furthest}: {self.checkpoints.survivor()}"
            )
        self.terminal.say(f"{self.lost}; a new one is started")
        self.recorder.close()
        self.engine.learner.restart()
        start = self.checkpoints.set_aside_broken(self.terminal.say, self.recipe)
        self.go_on_from(start)
        self.lost = ""
        self.terminal.say(f"the learner goes on from step {self.step}, and comes to the same")

    def train(self, stop: Stop) -> None:
        """Do step after step, and leave a checkpoint."""
        if self.recorder.last_step < 0:
            self.evaluate()
        asked: dict[int, P] = {}
        while self.fraction() < 1 and not stop.signal and not self.collapse:
            with self.spending("rollout"):
                self.publish()
                for step in range(self.step, int(min(self.step + self.lag, self.last - 1)) + 1):
                    if step not in asked:
                        asked[step] = self.request(step)
                draws = asked.pop(self.step)
                self.engine.rollouts.wait(draws)
            with self.spending("update"):
                metrics = self.engine.learner.update(self.step, self.task.plan(self.step), draws)
            del draws  # the next ones need the room
            self.spent["learning"] += metrics["seconds_update"]
            self.step += 1
            self.record(metrics)
            if self.step % self.evaluate_every == 0 and not stop.signal:
                self.evaluate()
            if self.step % self.config.checkpoint_every == 0:
                self.save()
        # Who asks to stop may not wait for long: save first of all.
        if stop.signal:
            self.save()
            return
        self.evaluate()
        self.save()
        if self.collapse:
            raise RunError(f"{self.collapse}: stopped as --on-collapse asks; step {self.step} is saved")

    @contextmanager
    def spending(self, what: str) -> Iterator[None]:
        """Count the wall time of what is done within."""
        started = time.monotonic()
        yield
        self.spent[what] += time.monotonic() - started

    def publish(self) -> None:
        """Copy the weights out for the rollouts of this version, if any will be made; forget those that none needs."""
        ahead = range(self.step, self.step + self.lag + 1)
        if any(self.task.plan(step).draws for step in ahead):
            self.versions.setdefault(self.step, self.engine.learner.weights())
        for version in [version for version in self.versions if version < self.step - self.lag]:
            del self.versions[version]

    def request(self, step: int) -> P:
        """Ask for the draws of a step: by the weights after update max(step - lag, 0)."""
        plan = self.task.plan(step)
        weights = self.versions[max(step - self.lag, 0)] if plan.draws else None
        return self.engine.rollouts.request(weights, step, plan)

    def numbers(self, rates: Metrics) -> Metrics:
        """What is recorded of the run beside its evaluations, with rates of the meter; who watches is given it too."""
        progress = {"epoch": self.task.epoch(self.step), "lag": float(self.lag), "seconds": self.seconds()}
        metrics = rates | self.engine.statistics.report() | self.shares() | progress
        self.shown = time.monotonic()
        return metrics

    def record(self, metrics: Metrics) -> None:
        """Count an update, show it, and give the alarm when it is one more that looks collapsed."""
        sign = self.task.collapse(metrics)
        self.collapsed_steps = self.collapsed_steps + 1 if sign else 0
        metrics = metrics | {"collapse_alarm": float(self.collapsed_steps >= ALARM_STEPS)}
        if sign and self.collapsed_steps == ALARM_STEPS:
            line = f"collapsed at step {self.step}: {sign}, {ALARM_STEPS} steps in a row"
            self.terminal.say(f"ALARM: {line}")
            self.collapse = line if self.config.on_collapse == "stop" else None
        self.meter.add(metrics)
        if self.step % self.config.log_every == 0:
            self.recorder.training(self.step, metrics)
        if time.monotonic() - self.shown >= SHOW_EVERY:
            self.recorder.progress(self.step, self.numbers(self.meter.read()))
        rate = f"{self.meter.per_second():,.0f} {self.task.unit}/s"
        self.terminal.show(self.fraction(), f"step {self.step}  {rate}  {self.brief}")

    def evaluate(self) -> None:
        """Measure the weights as they are now, once per step, and keep the best."""
        if self.recorder.last_step == self.step:
            return
        rates = self.meter.read()
        with self.spending("evaluation"):
            evaluation = self.engine.learner.evaluate()
        for name, value in evaluation.metrics.items():
            if not math.isfinite(value):
                raise DivergenceError(f"{name} is {value} at step {self.step}")
        metrics = self.numbers(rates)
        with self.spending("evaluation"):
            shards = self.engine.statistics.shards_made()
            self.recorder.evaluation(self.step, evaluation, metrics, self.task.config.labels, shards)
        score = evaluation.metrics[self.task.score]
        self.evaluated = (self.step, score)
        self.brief = self.task.brief(evaluation)
        first, *others = self.task.summary(evaluation)
        for line in (f"step {self.step}: {first}", *others):
            self.terminal.say(line)
        sign = self.task.collapse(evaluation.metrics) if self.step else None  # untrained, all are much the same
        if sign and not self.collapse:
            line = f"collapsed at step {self.step}: {sign}"
            self.terminal.say(f"ALARM: {line}")
            self.collapse = line if self.config.on_collapse == "stop" else None
        if self.step > 0 and score < self.best:
            self.best = score
            self.save()
        self.meter.restart()

    def save(self) -> None:
        """Save a checkpoint, once per step."""
        if self.saved_step == self.step:
            return
        evaluated = self.evaluated is not None and self.evaluated[0] == self.step
        lagged = [version for version in self.versions if self.step - self.lag <= version < self.step]
        with self.spending("checkpoint"):
            self.checkpoints.save(
                Checkpoint(
                    step=self.step,
                    state=self.engine.learner.state(),
                    recipe_id=self.recipe,
                    seconds=self.seconds(),
                    score=self.evaluated[1] if self.evaluated and evaluated else None,
                    lagged=[self.engine.learner.get_weights(self.versions[version]) for version in lagged],
                )
            )
        self.saved_step = self.step

    def shares(self) -> Metrics:
        """What the wall time went into so far; transfer: what the learner did not compute of its updates."""
        learning = self.spent["learning"]
        shares = {name: self.spent[name] for name in ("rollout", "evaluation", "checkpoint")}
        shares |= {"update": learning, "transfer": self.spent["update"] - learning}
        return {f"seconds_in_{name}": seconds for name, seconds in shares.items()}

    def seconds(self) -> float:
        """Wall time in training, with that before a resume."""
        return self.seconds_before + time.monotonic() - self.started

    def fraction(self) -> float:
        """How much of the run is done, by the bound that is nearest; 1 when one is reached."""
        by_steps = self.step / self.last
        by_time = self.seconds() / (60 * self.config.minutes) if self.config.minutes else 0.0
        return min(max(by_steps, by_time), 1.0)


class Meter(Generic[W, P]):
    """Means and speeds of the updates since the last evaluation; time spent in evaluating is not counted.

    Args:
        engine: whose CPU time is read.
        unit: the metric of an update that speeds count.
    """

    def __init__(self, engine: Engine[W, P], unit: str) -> None:
        self._engine = engine
        self._unit = unit
        self.restart()

    def restart(self) -> None:
        """Forget all, and start the clocks."""
        self._sums: Metrics = defaultdict(float)
        self._updates = 0
        self._wall = time.monotonic()
        self._cpu = self._engine.statistics.cpu_seconds()

    def add(self, metrics: Metrics) -> None:
        """Count the metrics of an update."""
        self._updates += 1
        for name, value in metrics.items():
            self._sums[name] += value

    def per_second(self) -> float:
        """What the generator learned from (tokens, samples), per second of wall time."""
        return self._sums[self._unit] / max(time.monotonic() - self._wall, 1e-9)

    def read(self) -> Metrics:
        """Means of all metrics, and speeds; nothing before the first update."""
        if not self._updates:
            return {}
        cpu_seconds = self._engine.statistics.cpu_seconds() - self._cpu
        speeds = {
            f"{self._unit}_per_second": self.per_second(),
            f"{self._unit}_per_cpu_second": self._sums[self._unit] / max(cpu_seconds, 1e-9),
        }
        return {name: total / self._updates for name, total in self._sums.items()} | speeds


def train(
    task: Task,
    config: RunConfig,
    run: RunDirectory,
    start: Checkpoint | None,
    recipe: str,
    engine: Engine[W, P],
    terminal: Terminal,
) -> str | None:
    """Train, and give the signal that stopped it, or None. The arguments are those of `Training`.

    Raises:
        RunError: a loss or a gradient is not finite, a checkpoint can't be saved, or an actor died.
    """
    training = Training(task, config, run, start, recipe, engine, terminal)
    try:
        with stopping() as stop, terminal:
            training.run(stop)
    except DivergenceError as error:
        raise RunError(f"{error}; {training.checkpoints.survivor()}") from error
    finally:
        training.recorder.close()
    return stop.signal
