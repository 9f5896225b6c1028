"""Ray, as the pool of rollout workers needs it."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from rlgan.engine.ray_environment import ray

import torch
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rlgan.engine.hosts import RolloutHost
from rlgan.engine.placement import Resources
from rlgan.engine.processes import Location
from rlgan.engine.roster import Vacancy
from rlgan.engine.settings import EngineSettings
from rlgan.settings import imported_objects
from rlgan.task import RolloutMaker

# Ray's server would keep an event for each of the last 100,000 tasks: with short steps it grew by 20 MiB a minute.
TASK_EVENTS = False


class RayCluster:
    """Starts, watches and ends rollout workers on Ray.

    Args:
        shard_maker: builds, on a device, what makes shards; in Ray's store, so that it travels once to each node.
        run: what each worker needs.
    """

    def __init__(self, shard_maker: ObjectRef[Callable[[torch.device], RolloutMaker]], run: EngineSettings) -> None:
        self._shard_maker = shard_maker
        self._run = run

    def nodes(self) -> dict[str, Resources]:
        """Return the total resources of each node that is alive."""
        return living_nodes()

    def start_worker(self, vacancy: Vacancy) -> tuple[ActorHandle[Any], ObjectRef[Location]]:
        """Start a worker; return it, and the reference that becomes its location once it has started."""
        # Soft affinity alone helps only when the node is gone. While the node is full, the actor would wait for it
        # although others are free, unless it may spill as well.
        may_spill = not vacancy.only_there
        strategy: Any = "DEFAULT"
        if vacancy.node:
            strategy = NodeAffinitySchedulingStrategy(vacancy.node, soft=may_spill, _spill_on_unavailable=may_spill)
        # Without Ray's own restarts: the death of an actor is then told at once, where with them it is unavailable
        # for seconds and comes back without its state.
        host: Any = ray.remote(RolloutHost).options(
            num_cpus=self._run.worker_cpus,
            num_gpus=self._run.gpus_of_worker,
            scheduling_strategy=strategy,
            enable_task_events=TASK_EVENTS,
        )
        actor: ActorHandle[Any] = host.remote(self._shard_maker, self._run.gpus_of_worker, imported_objects())
        return actor, actor.location.remote()

    def kill(self, actor: ActorHandle[Any]) -> None:
        """End a worker."""
        kill_actor(actor)

    def wait(self, references: Sequence[ObjectRef[Any]], timeout: float) -> list[ObjectRef[Any]]:
        """Wait until one of the references is ready, or `timeout` seconds; return all that are.

        The reference of an actor that has died counts as ready at once; `get` then raises.
        """
        if not references:
            # ray.wait comes back from an empty list at once, and the caller would ask without a pause.
            time.sleep(timeout)
            return []
        ready, _ = ray.wait(list(references), timeout=timeout)
        # ray.wait returns one reference only, even if several are ready.
        if ready and len(references) > 1:
            ready, _ = ray.wait(list(references), num_returns=len(references), timeout=0)
        return ready

    def get(self, reference: ObjectRef[Any]) -> Any:
        """Return what a reference that is ready stands for, or raise what Ray says of it."""
        return ray.get(reference)

    def last_lines(self, actor: ActorHandle[Any]) -> list[str]:
        """Return the last lines of a worker's log; none if it does not answer."""
        with suppress(RayError, GetTimeoutError):
            reference: ObjectRef[list[str]] = actor.last_lines.remote()
            return ray.get(reference, timeout=5)
        return []

    def free(self) -> str:
        """Return what of the cluster is not in use, for people."""
        return free_resources()

    def monotonic(self) -> float:
        """Return the time in seconds since an arbitrary moment."""
        return time.monotonic()


def kill_actor(actor: ActorHandle[Any]) -> None:
    """End an actor, also one that hangs or cannot be reached: until then it holds its resources."""
    with suppress(RayActorError):
        ray.kill(actor)


def living_nodes() -> dict[str, Resources]:
    """Return the total resources of each node that is alive."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]


def free_resources() -> str:
    """Return what of the cluster is not in use, for people."""
    has = ray.available_resources()  # type: ignore[no-untyped-call]
    return (
        f"the cluster has {has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs free. Check whether another job "
        "uses it, or whether nodes are gone"
    )
