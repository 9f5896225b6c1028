"""What rollout workers on Ray are asked for: the shards of a step, and functions of items."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rlgan.engine.ray_environment import ray

from ray import ObjectRef

from rlgan.engine.dispatch import Actor, Job, Reference
from rlgan.engine.failures import ResultLostError
from rlgan.engine.worker_pool import WorkerPool
from rlgan.types import Item, Plan, Result, Weights

# Items that are sent out per worker. More would not make a worker busier, and results that wait take memory.
ITEMS_PER_WORKER = 4


class RayRollouts:
    """Implements `rlgan.engine.engine.RolloutClient` on a pool of workers.

    Args:
        pool: the workers.
        shards: how many shards a draw has.
    """

    def __init__(self, pool: WorkerPool, shards: int) -> None:
        self._pool = pool
        self._shards = shards

    def request(self, weights: ObjectRef[Weights] | None, step: int, plan: Plan) -> list[Job]:
        """Ask for the shards of a step, draw by draw; the workers make them meanwhile."""
        if weights is None:
            return []
        jobs = [shard_job(weights, step, draw, shard) for draw in range(plan.draws) for shard in range(self._shards)]
        self._pool.submit(jobs)
        return jobs

    def wait(self, rollouts: Sequence[Job]) -> None:
        """Wait until the shards of a step are made."""
        self._pool.results(rollouts)


def shard_job(weights: ObjectRef[Weights], step: int, draw: int, shard: int) -> Job:
    """Return the job of making a shard."""

    def submit(actor: Actor) -> tuple[Reference, Reference]:
        rollout, cost = actor.shard.remote(weights, step, draw, shard)
        return rollout, cost

    return Job("shard", submit)


def item_job(function: ObjectRef[Callable[[Any], Any]], item: Any) -> Job:
    """Return the job of applying a function to an item."""

    def submit(actor: Actor) -> tuple[Reference, Reference]:
        result, cost = actor.apply.remote(function, item)
        return result, cost

    return Job("item", submit)


def map_items(pool: WorkerPool, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Let workers apply a function to items; yield the results in the order of the items."""
    # Once: a function may hold much, and would otherwise travel with every job.
    stored = ray.put(function)
    waiting, sent = deque(items), deque[Job]()
    while waiting or sent:
        while waiting and len(sent) < ITEMS_PER_WORKER * max(len(pool.roster.present()), 1):
            sent.append(item_job(stored, waiting.popleft()))
            pool.submit([sent[-1]])
        job = sent.popleft()
        reference: ObjectRef[Result] = pool.results([job])[0]
        try:
            result = ray.get(reference)
        # Its node is gone. The items after it were sent already, and keep their places.
        except ResultLostError as error:
            pool.repeat([job], error)
            sent.appendleft(job)
        else:
            yield result
