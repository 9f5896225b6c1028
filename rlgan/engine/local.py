"""The engine of `--workers 0`: learner and rollouts in this process, one after the other, without Ray."""

import time
from collections.abc import Callable, Iterator, Sequence

from rlgan.device import kind, prepare
from rlgan.engine.processes import in_processes, memory
from rlgan.engine.settings import RunConfig
from rlgan.task import Task
from rlgan.types import Evaluation, Item, Metrics, Plan, Result, Rollout, State, Weights


class LocalEngine:
    """Does in one process, and with the same result bit for bit, what `rlgan.engine.ray_engine` does with many."""

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
