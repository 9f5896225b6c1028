"""Rollouts that are asked for before they are needed."""

from collections.abc import Callable, Sequence
from typing import Generic

from rlgan.engine.engine import LearnerClient, P, RolloutClient, W
from rlgan.types import Plan, Weights


class Lookahead(Generic[W, P]):
    """Asks for the rollouts of a step `lag` steps ahead, so that they are made while the learner computes.

    The rollouts of step t are made with the weights after update max(t - lag, 0). The weights of the last `lag`
    versions are kept for them, and are part of a checkpoint.

    Args:
        learner: whose weights.
        rollouts: what makes them.
        plan: says what a step needs.
        lag: how many steps ahead; 0 asks for the rollouts of a step when its turn has come.
        steps: after which training ends: nothing is asked for that would not be used.
    """

    def __init__(
        self,
        learner: LearnerClient[W, P],
        rollouts: RolloutClient[W, P],
        plan: Callable[[int], Plan],
        lag: int,
        steps: float,
    ) -> None:
        self._learner = learner
        self._rollouts = rollouts
        self._plan = plan
        self._lag = lag
        self._steps = steps
        self._weights: dict[int, W] = {}  # by version
        self._requested: dict[int, P] = {}  # by step

    def restore(self, lagged: Sequence[Weights]) -> None:
        """Take the weights of earlier versions from a checkpoint."""
        self._weights = {weights.version: self._learner.put_weights(weights) for weights in lagged}

    def rollouts(self, step: int) -> P:
        """Wait for the rollouts of the step that the learner is to do now, and ask for those of the steps after it."""
        self._keep_weights(step)
        # Most often only the last one is missing; after a resume, all are.
        for ahead in range(step, int(min(step + self._lag, self._steps - 1)) + 1):
            if ahead not in self._requested:
                self._requested[ahead] = self._request(ahead)
        # Taken out, because references that are kept keep the shards in Ray's store.
        rollouts = self._requested.pop(step)
        self._rollouts.wait(rollouts)
        return rollouts

    def lagged(self, step: int) -> list[Weights]:
        """The weights of earlier versions that the rollouts from a step on need, for a checkpoint before that step."""
        # Without the step's own weights, which are in the learner's state.
        versions = [version for version in self._weights if step - self._lag <= version < step]
        return [self._learner.get_weights(self._weights[version]) for version in versions]

    def _keep_weights(self, step: int) -> None:
        """Keep the current weights if any rollouts will be made with them, and drop those that none needs any more."""
        ahead = range(step, step + self._lag + 1)
        # Copying weights out of the learner costs time, and MLE makes no rollouts.
        if any(self._plan(each).draws for each in ahead) and step not in self._weights:
            self._weights[step] = self._learner.weights()
        self._weights = {version: kept for version, kept in self._weights.items() if version >= step - self._lag}

    def _request(self, step: int) -> P:
        plan = self._plan(step)
        weights = self._weights[max(step - self._lag, 0)] if plan.draws else None
        return self._rollouts.request(weights, step, plan)
