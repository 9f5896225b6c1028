"""Means, speeds, and what the wall time of a run goes into."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rlgan.types import Metrics


class Meter:
    """Means and speeds of the updates since the last evaluation, whose own time does not count.

    Args:
        cpu_seconds: reads the CPU time of all processes that compute.
        throughput_metric: of an update, what speeds count: tokens or samples.

    Example:
        >>> clock = iter([0.0, 4.0])  # CPU seconds, at the start and when it is read
        >>> meter = Meter(lambda: next(clock), throughput_metric="tokens")
        >>> meter.add({"tokens": 80.0, "loss_mle": 3.0})
        >>> meter.add({"tokens": 80.0, "loss_mle": 1.0})
        >>> found = meter.read()
        >>> found["loss_mle"], found["tokens_per_cpu_second"]
        (2.0, 40.0)
    """

    def __init__(self, cpu_seconds: Callable[[], float], throughput_metric: str) -> None:
        self._cpu_seconds = cpu_seconds
        self._throughput_metric = throughput_metric
        self.restart()

    def restart(self) -> None:
        """Forget all updates, and start the clocks."""
        self._sums: Metrics = defaultdict(float)
        self._updates = 0
        self._wall_start = time.monotonic()
        self._cpu_start = self._cpu_seconds()

    def add(self, metrics: Metrics) -> None:
        """Count the metrics of an update."""
        self._updates += 1
        for name, value in metrics.items():
            self._sums[name] += value

    def per_second(self) -> float:
        """What the generator learned from (tokens, samples), per second of wall time."""
        # A clock may read the same twice; without the small number that would be a division by 0.
        return self._sums[self._throughput_metric] / max(time.monotonic() - self._wall_start, 1e-9)

    def read(self) -> Metrics:
        """Means of all metrics, and speeds; nothing before the first update."""
        if not self._updates:
            return {}
        name = self._throughput_metric
        cpu_seconds = max(self._cpu_seconds() - self._cpu_start, 1e-9)
        speeds = {
            f"{name}_per_second": self.per_second(),
            f"{name}_per_cpu_second": self._sums[name] / cpu_seconds,
        }
        return {name: total / self._updates for name, total in self._sums.items()} | speeds


class WallTime:
    """What the wall time of a run goes into, since this process began to train.

    Example:
        >>> wall = WallTime()
        >>> with wall.spend("evaluation"):
        ...     time.sleep(0.02)
        >>> wall.report()["seconds_in_evaluation"] > 0.01, wall.report()["seconds_in_rollout"]
        (True, 0.0)
    """

    def __init__(self) -> None:
        self._spent: Metrics = defaultdict(float)
        self._learning = 0.0

    @contextmanager
    def spend(self, purpose: str) -> Iterator[None]:
        """Count the time until the context ends as spent on `rollout`, `update`, `evaluation` or `checkpoint`."""
        started = time.monotonic()
        yield
        # Not in a `finally`: what fails is repeated, and would be counted twice.
        self._spent[purpose] += time.monotonic() - started

    def add_learning(self, seconds: float) -> None:
        """Count time that the learner itself computed for an update; it lies within time spent on `update`."""
        self._learning += seconds

    def report(self) -> Metrics:
        """Seconds by purpose; `transfer` is the part of the updates in which the learner did not compute."""
        seconds = {name: self._spent[name] for name in ("rollout", "evaluation", "checkpoint")}
        seconds |= {"update": self._learning, "transfer": self._spent["update"] - self._learning}
        return {f"seconds_in_{name}": value for name, value in seconds.items()}
