"""How long a run will take, told by its first steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rlgan.runs.observers import Display
from rlgan.runs.progress import EVALUATING, Progress
from rlgan.types import Metrics

# Steps and seconds that are measured: fewer would be mostly what the first steps cost once.
STEPS = 10
SECONDS = 5.0


@dataclass(frozen=True)
class Forecast:
    """What is left of a run.

    Args:
        steps: that are left.
        steps_per_second: of training alone.
        evaluations: that are left.
        evaluation_seconds: of one.

    Example:
        >>> Forecast(steps=100, steps_per_second=10.0, evaluations=2, evaluation_seconds=5.0).seconds
        20.0
    """

    steps: int
    steps_per_second: float
    evaluations: int
    evaluation_seconds: float

    @property
    def seconds(self) -> float:
        """Wall time that is left."""
        return self.steps / self.steps_per_second + self.evaluations * self.evaluation_seconds


class Forecaster:
    """Wraps a display; tells once, after the first steps, how long the run will take.

    Args:
        display: shows the run.
        evaluate_every: steps between evaluations.
        tell: is given the forecast.
        clock: seconds.
    """

    def __init__(
        self,
        display: Display,
        evaluate_every: int,
        tell: Callable[[Forecast], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._display = display
        self._evaluate_every = evaluate_every
        self._tell = tell
        self._clock = clock
        self._began: float | None = None  # the first evaluation
        self._last = 0  # the step at which the run ends
        self._evaluation_seconds = 0.0
        self._first: tuple[int, float] | None = None  # the step after which it is measured, and when that was
        self._told = False

    def log_to(self, file: Path) -> None:
        """Append every line from now on to a file too."""
        self._display.log_to(file)

    def say(self, line: str) -> None:
        """Show one line."""
        self._display.say(line)

    def say_command(self, what: str, command: str) -> None:
        """Show a command to paste."""
        self._display.say_command(what, command)

    def show(self, progress: Progress) -> None:
        """Note how much of the run is done, and show it."""
        # An evaluation is shown again when it has its score.
        if progress.phase == EVALUATING and self._began is None:
            self._began = self._clock()
        if progress.done:
            self._last = round(progress.step / progress.done)
        self._display.show(progress)

    def status(self, what: str, done: float | None = None, /) -> None:
        """Show what is done before or after training."""
        self._display.status(what, done)

    def __enter__(self) -> "Forecaster":
        """Begin to measure."""
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the progress no longer."""
        self._display.__exit__(kind, error, trace)

    def on_evaluation(self, step: int, metrics: Metrics) -> None:  # noqa: ARG002 the signature of a callback
        """Measure the evaluation that comes before the first step; a run that is resumed may have none."""
        if self._first is None and self._began is not None:
            self._evaluation_seconds = self._clock() - self._began

    def on_step(self, step: int, metrics: Metrics) -> None:  # noqa: ARG002 the signature of a callback
        """Measure steps from the second on: the first one also pays for what is done once."""
        now = self._clock()
        if self._first is None:
            self._first = (step, now)
            return
        steps, seconds = step - self._first[0], now - self._first[1]
        # Before an evaluation comes between two steps, too.
        due = (steps >= STEPS and seconds >= SECONDS) or (step + 1) % self._evaluate_every == 0
        if self._told or not due or not seconds or not self._last:
            return
        self._told = True
        left = self._last - step
        evaluations = (step + left) // self._evaluate_every - step // self._evaluate_every
        self._tell(Forecast(left, steps / seconds, evaluations, self._evaluation_seconds))
