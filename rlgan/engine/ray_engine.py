"""The engine on Ray: rollout workers and a learner, each an actor.

Two things move between processes: weights from the learner, and shards to it. This process holds references alone.
Workers do not know each other, and the learner knows no worker.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from rlgan.engine.ray_environment import ray

from rlgan.engine.extensions import ship_modules
from rlgan.engine.learner_group import LearnerGroup
from rlgan.engine.machine import small_shared_memory
from rlgan.engine.placement import with_gpus
from rlgan.engine.processes import usable_cpus
from rlgan.engine.ray_cluster import RayCluster, kill_actor, living_nodes
from rlgan.engine.ray_connection import Connection, connect
from rlgan.engine.ray_learner import RayLearner
from rlgan.engine.ray_rollouts import RayRollouts, map_items
from rlgan.engine.ray_statistics import RayStatistics
from rlgan.engine.settings import EngineSettings
from rlgan.engine.worker_pool import WorkerPool
from rlgan.errors import RunError
from rlgan.task import LoadedTask
from rlgan.types import Item, Result


class RayEngine:
    """Implements `rlgan.engine.engine.Engine`: starts or joins a Ray, and starts the actors.

    Args:
        task: what is trained.
        run: how many actors, with what, where.
        log: tells a line to people.

    Raises:
        RunError: the cluster cannot be reached, or has less than what is asked for, or actors do not start.
    """

    def __init__(self, task: LoadedTask, run: EngineSettings, log: Callable[[str], None]) -> None:
        self._end_actors = ExitStack()
        self._connection = connect(run, task.facts.shards)
        try:
            self._start(task, with_gpus(living_nodes(), run, task.facts.shards), log)
        except BaseException:  # also when somebody interrupts the start
            self.close()
            raise

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Let the rollout workers apply a function to items; yield the results in the order of the items."""
        return map_items(self._pool, function, items)

    def alive(self, *, asked_to_stop: bool) -> bool:
        """Whether Ray's servers are still there."""
        return self._connection.alive(asked_to_stop=asked_to_stop)

    def close(self) -> None:
        """End the actors, and a Ray of our own with them."""
        try:
            if self._connection.joined_before:  # it goes on, and so would they
                self._end_actors.close()
        finally:
            self._connection.close()

    def _end_workers(self) -> None:
        for worker in self._pool.roster.workers:
            kill_actor(worker.actor)

    def _start(self, task: LoadedTask, run: EngineSettings, log: Callable[[str], None]) -> None:
        # Before anything is put into Ray's store, which pickles it.
        ship_modules()
        # In Ray's store once, instead of with every actor: a task may hold its data.
        self._pool = WorkerPool(RayCluster(ray.put(task.rollout_maker), run), run, task.facts.shards, log)
        # Waiting for the learners polls the pool too, so that the rollout workers start meanwhile.
        group = LearnerGroup(ray.put(task), run, self._pool, log)
        self._end_actors.callback(self._end_workers)
        self._end_actors.callback(group.close)
        group.start()
        if task.facts.cache_dir is not None:
            check_cache_dir(group, task.facts.cache_dir)
        self.learner = RayLearner(group, self._pool, log)
        self.rollouts = RayRollouts(self._pool, task.facts.shards)
        self.statistics = RayStatistics(self._pool, group, self.learner)
        self._pool.start()
        self.kinds = {"learner": group.kind, "rollouts": " and ".join(sorted(self._pool.roster.kinds()))}
        workers = len(self._pool.roster.present())
        self.where = describe(run, workers, self._connection)
        store = ray.cluster_resources().get("object_store_memory", 0.0)  # type: ignore[no-untyped-call]
        if self._connection.ours and (line := small_shared_memory(store)):
            log(line)
        if url := _metrics_url():
            log(f"metrics for Prometheus: {url}")
        actors, cores = workers + run.learners, usable_cpus()
        if self._connection.ours and actors > cores:
            log(f"{actors} actors of one thread each share {cores} cores.")


def describe(run: EngineSettings, workers: int, connection: Connection) -> str:
    """Return what runs where, for people."""
    devices = ("cuda" if run.gpus_of_worker else "cpu", "cuda" if run.gpus_of_learner else "cpu")
    plural = "s" if workers > 1 else ""
    elastic = f", {run.workers}," if isinstance(run.workers, str) else ""
    rollouts = f"{workers} rollout worker{plural}{elastic} ({devices[0]})"
    return f"{rollouts} and {run.learning} ({devices[1]}) on {'a local' if connection.ours else 'an attached'} Ray"


def check_cache_dir(group: LearnerGroup, folder: Path) -> None:
    """Check that the learners see a folder of the driver's.

    Otherwise a learner on another node would miss what the driver prepares there, after all that work is done.

    Raises:
        RunError: one does not see it.
    """
    # A name that was never there: of one that was, a network's disk may still have an old answer.
    mark = folder / f".seen-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        return  # nothing can be prepared there, and what tries to will say so
    try:
        seen: list[bool] = group.call_all(lambda actor, _: actor.sees.remote(str(mark)))
    finally:
        mark.unlink()
    for handle, sees in zip(group.handles, seen, strict=True):
        if not sees:
            raise RunError(
                f"{handle} does not see {folder} as this process does. Give --cache a folder that all nodes share"
            )


def _metrics_url() -> str | None:
    """Return where Ray's agent on this node shows metrics to Prometheus, or None if it does not."""
    here = ray.get_runtime_context().get_node_id()
    (node,) = [node for node in ray.nodes() if node["NodeID"] == here]  # type: ignore[no-untyped-call]
    if node["MetricsExportPort"] <= 0:
        return None
    return f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
