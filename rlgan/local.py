"""The engine of `--workers 0`: learner and rollouts in this process, one after the other, without Ray."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from rlgan.config import RunConfig, RunError
from rlgan.device import kind, memory, prepare
from rlgan.tasks import Task
from rlgan.types import Evaluation, Metrics, Plan, Rollout, State, Weights

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Apply a function to items, in as many processes as there are cores; the results in the order of the items.

    Raises:
        RunError: one of them was killed.
    """
    # Not by forking: this process has threads.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), initializer=_serve) as pool:
        try:
            yield from pool.map(function, items)
        except BrokenProcessPool as error:
            raise RunError("a process that prepared the data was killed: is there enough memory?") from error


def _serve() -> None:
    """What a process of the pool begins with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts this one's parent interrupts it too, and is told once
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    # Where its parent is killed, a process of the pool would wait for ever for what to do next.
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


class LocalEngine:
    """Does in one process, and with the same result bit for bit, what `rlgan.cluster` does with many."""

    def __init__(self, task: Task, run: RunConfig) -> None:
        self._task = task
        self._device = device = prepare(run.learner_gpus)
        self.where = f"one process on {device}, without Ray"
        self.kinds = dict.fromkeys(("learner", "rollouts"), kind(device))
        self._shards = task.shards
        self._learner = task.learner(device)
        self._evaluator = task.evaluator(device)
        self._maker = task.shard_maker(device)
        self._made = 0

    def restart(self) -> None:
        """Put a new learner, with fresh networks, in the place of the old one."""
        self._learner = self._task.learner(self._device)

    def restore(self, state: State, step: int) -> None:
        """Set the learner back to a checkpoint's state before training step `step`."""
        self._learner.load_state_dict(state, step)

    def state(self) -> State:
        """The learner's whole state."""
        return self._learner.state_dict()

    def weights(self) -> Weights:
        """The weights as they are now."""
        return self._learner.weights()

    def adopt(self, weights: Weights) -> Weights:
        """Take up weights out of a checkpoint."""
        return weights

    def fetch(self, weights: Weights) -> Weights:
        """The weights that `weights` or `adopt` gave."""
        return weights

    def request(self, weights: Weights | None, step: int, plan: Plan) -> list[Rollout]:
        """Make the draws of a step."""
        if weights is None:
            return []
        self._made += plan.draws * self._shards
        return [
            Rollout.join([self._maker.shard(weights, step, draw, shard) for shard in range(self._shards)])
            for draw in range(plan.draws)
        ]

    def settle(self, draws: list[Rollout]) -> None:
        """They are made already."""

    def update(self, step: int, plan: Plan, draws: list[Rollout]) -> Metrics:
        """Do a training step on its draws."""
        return self._learner.update(step, plan, draws)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Apply a function to items; the results in their order."""
        return in_processes(function, items)

    def evaluate(self) -> Evaluation:
        """Measure the weights as they are now."""
        return self._evaluator.evaluate(self._learner.evaluated_weights())

    def shards_made(self) -> dict[str, int]:
        """Shards by worker, so far."""
        return {"local": self._made}

    def cpu_seconds(self) -> float:
        """CPU time of all processes that compute, so far."""
        return time.process_time()

    def report(self) -> Metrics:
        """Memory in bytes now."""
        return {"memory_driver": float(memory())}

    def show(self, run: str, metrics: Metrics) -> None:
        """Nobody watches."""

    def close(self) -> None:
        """Nothing to give back."""
