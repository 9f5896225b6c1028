"""The engine of `--workers 0`: the learner and the rollouts in this process, one after the other, without Ray."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from rlgan.device import kind, naming_what_is_too_large, prepare
from rlgan.engine.engine import Measures, evaluate
from rlgan.engine.processes import in_processes, memory
from rlgan.engine.settings import EngineSettings
from rlgan.learning.group import ALONE
from rlgan.learning.weights import on_host
from rlgan.task import LoadedTask, RolloutMaker
from rlgan.types import Evaluation, Item, Metrics, Plan, Result, Rollout, State, Weights


class LocalLearner:
    """Implements `rlgan.engine.engine.LearnerClient` in this process.

    Args:
        task: builds the learner and the evaluator.
        device: where they compute.
    """

    def __init__(self, task: LoadedTask, device: torch.device) -> None:
        self._task = task
        self._device = device
        self._learner = task.learner(device, ALONE)
        self._evaluator = task.evaluator(device)

    def restart(self) -> None:
        """Replace the learner by a new one with fresh networks."""
        self._learner = self._task.learner(self._device, ALONE)

    def load_state(self, state: State, step: int) -> None:
        """Set the learner to a checkpoint's state before training step `step`."""
        self._learner.load_state_dict(state, step)

    def state(self) -> State:
        """Return the learner's whole state."""
        return self._learner.state_dict()

    def weights(self) -> Weights:
        """Return the current weights."""
        # A copy, which later updates leave alone: with a lag, rollouts are made from it some steps later. Not on the
        # host, since they are made where the learner is.
        return self._learner.weights(on_device=True)

    def put_weights(self, weights: Weights) -> Weights:
        """Return the weights, which a network takes as they are."""
        return weights

    def get_weights(self, weights: Weights) -> Weights:
        """Return the weights as numpy arrays."""
        return on_host(weights)

    def update(self, step: int, plan: Plan, rollouts: Sequence[Rollout]) -> Metrics:
        """Do a training step on its rollouts, one for each draw."""
        return self._learner.update(step, plan, rollouts)

    def evaluate(self, measures: Measures = "all") -> Evaluation:
        """Measure the current weights: all that there is, or `quick`, the cheap ones alone."""
        with naming_what_is_too_large("an evaluation"):
            return evaluate(self._evaluator, self._learner.evaluated_weights(), measures)


class LocalRollouts:
    """Implements `rlgan.engine.engine.RolloutClient` in this process.

    Args:
        maker: makes shards.
        shards: how many a draw has.
    """

    def __init__(self, maker: RolloutMaker, shards: int) -> None:
        self.shards_made = 0
        self._maker = maker
        self._shards = shards

    def request(self, weights: Weights | None, step: int, plan: Plan) -> list[Rollout]:
        """Make the rollouts of a step, one for each draw."""
        if weights is None:
            return []
        # Made at once, also those of later steps: a shard is a function of its key
        # and the weights, whenever it is made.
        self.shards_made += plan.draws * self._shards
        # Shard by shard, as workers make them: matrix products of all rows at once would round otherwise.
        return [
            Rollout.join([self._maker.shard(weights, step, draw, shard) for shard in range(self._shards)])
            for draw in range(plan.draws)
        ]

    def wait(self, rollouts: Sequence[Rollout]) -> None:
        """Do nothing: the rollouts were made when they were requested."""


class LocalStatistics:
    """Implements `rlgan.engine.engine.EngineStatistics` for one process.

    Args:
        rollouts: counts the shards.
    """

    def __init__(self, rollouts: LocalRollouts) -> None:
        self._rollouts = rollouts

    def shards_made(self) -> dict[str, int]:
        """Return the number of shards made so far, by this process."""
        return {"local": self._rollouts.shards_made}

    def cpu_seconds(self) -> float:
        """Return the CPU time of this process so far."""
        return time.process_time()

    def report(self) -> Metrics:
        """Return the memory of this process in bytes."""
        return {"memory_driver": float(memory())}

    def export_metrics(self, run_name: str, metrics: Metrics) -> None:
        """Do nothing: without Ray there is no monitoring."""


class LocalEngine:
    """Implements `rlgan.engine.engine.Engine` in one process, with the same result as on Ray, bit for bit.

    Args:
        task: what is trained.
        run: which device to compute on.
    """

    def __init__(self, task: LoadedTask, run: EngineSettings) -> None:
        device = prepare(run.device_of_one_process)
        self.where = f"one process on {device}, without Ray"
        self.kinds = dict.fromkeys(("learner", "rollouts"), kind(device))
        self.learner = LocalLearner(task, device)
        self.rollouts = LocalRollouts(task.rollout_maker(device), task.facts.shards)
        self.statistics = LocalStatistics(self.rollouts)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Apply a function to items, in several processes; yield the results in the order of the items."""
        return in_processes(function, items)

    def alive(self, *, asked_to_stop: bool) -> bool:  # noqa: ARG002
        """Whether what computes is still there: this process, which asks."""
        return True

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""
