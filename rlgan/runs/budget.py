"""How long a run is, and how much of it is done."""

import math
import time


class Budget:
    """Ends a run after so many steps or so many minutes, whichever comes first; without either it has no end.

    Args:
        steps: of training, in all.
        minutes: of wall time in training, those before a resume included; None for no such bound.
        seconds_before: of wall time in training before this process.

    Example:
        >>> Budget(steps=200).fraction(50)
        0.25
    """

    def __init__(self, steps: float = math.inf, minutes: float | None = None, seconds_before: float = 0.0) -> None:
        self.steps = steps
        self._minutes = minutes
        self._seconds_before = seconds_before
        self._started: float | None = None

    def start(self) -> None:
        """Begin to count time, the first time that this is called: the first evaluation is not training."""
        # Not the time of day, which may be set back or forward while a run trains.
        self._started = time.monotonic() if self._started is None else self._started

    def seconds(self) -> float:
        """Wall time in training so far, that before a resume included."""
        return self._seconds_before + (time.monotonic() - self._started if self._started is not None else 0.0)

    def fraction(self, step: int) -> float:
        """How much of the run is done before a step, in [0, 1], by the bound that is nearest."""
        # A bound that is not given counts as infinitely far: steps are divided by infinity, and minutes left out.
        by_time = self.seconds() / (60 * self._minutes) if self._minutes else 0.0
        return min(max(step / self.steps, by_time), 1.0)

    def is_spent(self, step: int) -> bool:
        """Whether the run ends before this step."""
        return self.fraction(step) >= 1
