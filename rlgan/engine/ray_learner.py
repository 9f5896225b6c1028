"""The learner on Ray, as the training loop sees it."""

from collections.abc import Callable, Sequence

from rlgan.engine.ray_environment import ray

from ray import ObjectRef

from rlgan.engine.dispatch import Job
from rlgan.engine.engine import Measures
from rlgan.engine.failures import ResultLostError
from rlgan.engine.learner_group import LearnerGroup
from rlgan.engine.worker_pool import WorkerPool
from rlgan.types import Evaluation, Item, Metrics, Plan, Rollout, State, Weights


class RayLearner:
    """Implements `rlgan.engine.engine.LearnerClient` on a group of learners, which must have been started.

    Args:
        group: the learners.
        pool: makes the shards that they learn from.
        log: tells a line to people.
    """

    def __init__(self, group: LearnerGroup, pool: WorkerPool, log: Callable[[str], None]) -> None:
        self.weights_bytes = 0  # that were sent so far
        self._group = group
        self._pool = pool
        self._log = log
        # Asked once, because the shapes of a recipe never change.
        self._weights_size: int = group.call_first(lambda actor: actor.weights_size.remote())

    def restart(self) -> None:
        """Replace learners of which one was lost by new ones with fresh networks; the workers stay."""
        self._group.restart()

    def load_state(self, state: State, step: int) -> None:
        """Set the learner to a checkpoint's state before training step `step`."""
        self._group.call_all(lambda actor, _: actor.load_state.remote(state, step))

    def state(self) -> State:
        """Return the learner's whole state."""
        return self._group.call_first(lambda actor: actor.state.remote())

    def weights(self) -> ObjectRef[Weights]:
        """Return a reference to the current weights.

        This process owns the object, since it made the call, so the weights outlive the learner's process.
        """
        first = self._group.handles[0]
        reference: ObjectRef[Weights] = first.actor.weights.remote()
        # Once into the store of the learner's node, and from there once to each other node that makes shards.
        self.weights_bytes += self._weights_size * len({first.location.node} | self._pool.roster.nodes())
        return reference

    def put_weights(self, weights: Weights) -> ObjectRef[Weights]:
        """Put weights from a checkpoint into Ray's store."""
        return ray.put(weights)

    def get_weights(self, weights: ObjectRef[Weights]) -> Weights:
        """Return the weights behind a reference."""
        # Not simply ray.get: the learner may hang, or die, before it has made them.
        return self._group.get(self._group.handles[0], weights)

    def update(self, step: int, plan: Plan, rollouts: Sequence[Job]) -> Metrics:
        """Do a training step on shards, which go from the workers to the learners by reference."""
        while True:
            shards = self._pool.results(rollouts)
            try:
                return self._update(step, plan, deal(shards, plan.draws, len(self._group.handles)))
            except ResultLostError as error:
                # Ray fetches the arguments before the update begins, so the learner is still in its state before it.
                self._log(f"Shards of step {step} were lost with a node. They are made again, with the same result.")
                # This does not go on for ever: a job that has failed too often raises, see `Job.count_failure`.
                self._pool.repeat(rollouts, error)

    def evaluate(self, measures: Measures = "all") -> Evaluation:
        """Measure the current weights: all that there is, or `quick`, the cheap ones alone."""
        return self._group.call_first(lambda actor: actor.evaluate.remote(measures))

    def _update(self, step: int, plan: Plan, shards: Sequence[Sequence[ObjectRef[Rollout]]]) -> Metrics:
        metrics: list[Metrics] = self._group.call_all(
            lambda actor, rank: actor.update.remote(step, plan, *shards[rank])
        )
        # They are means over all learners already, except for the seconds, which are each one's own.
        return metrics[0]


def deal(shards: Sequence[Item], draws: int, learners: int) -> list[list[Item]]:
    """Divide shards among learners: each gets equally many of every draw, and neighbouring ones.

    Args:
        shards: draw by draw.
        draws: how many there are.
        learners: how many there are; must divide the shards of a draw.

    Example:
        >>> deal(["a0", "a1", "b0", "b1"], draws=2, learners=2)
        [['a0', 'b0'], ['a1', 'b1']]
    """
    # Neighbouring ones, as `Group.rows` deals real batches: what is gathered from all
    # learners is then in the order that one learner has.
    size = len(shards) // (max(draws, 1) * learners)
    return [
        [shards[(draw * learners + rank) * size + i] for draw in range(draws) for i in range(size)]
        for rank in range(learners)
    ]
