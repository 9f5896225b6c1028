"""Counts of what the actors did and use, and their way to Prometheus."""

import time

from rlgan.engine.ray_environment import ray

from ray.util.metrics import Gauge

from rlgan.engine.learner_group import LearnerGroup
from rlgan.engine.processes import memory
from rlgan.engine.ray_learner import RayLearner
from rlgan.engine.worker_pool import WorkerPool
from rlgan.types import Metrics


class RayStatistics:
    """Implements `rlgan.engine.engine.EngineStatistics`.

    Args:
        pool: the rollout workers.
        group: the learners.
        learner: knows how many bytes of weights it sent.
    """

    def __init__(self, pool: WorkerPool, group: LearnerGroup, learner: RayLearner) -> None:
        self._pool = pool
        self._group = group
        self._learner = learner
        self._gauges: dict[str, Gauge] = {}

    def shards_made(self) -> dict[str, int]:
        """Return the number of shards that each worker has made so far."""
        return self._pool.shards_made()

    def cpu_seconds(self) -> float:
        """Return the CPU time so far of this process and all actors; Ray's own processes are not among them."""
        return time.process_time() + self._group.cpu_seconds() + self._pool.usage.cpu_seconds()

    def report(self) -> Metrics:
        """Return what became of the actors so far, the bytes of weights that were sent, and memory in bytes now."""
        has, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
        # Ray tells what the store has and what of it is free, but not what is used.
        store = has.get("object_store_memory", 0.0) - free.get("object_store_memory", 0.0)
        counts = {
            "restarts_learner": float(self._group.restarts),
            "weights_bytes": float(self._learner.weights_bytes),
        }
        memories = {"driver": memory(), "object_store": store}
        for rank, handle in enumerate(self._group.handles):
            memories[f"learner_{rank}" if rank else "learner"] = handle.usage.memory
        return self._pool.report() | counts | {f"memory_{name}": float(size) for name, size in memories.items()}

    def export_metrics(self, run_name: str, metrics: Metrics) -> None:
        """Give metrics to Ray, whose agent on this node shows them to Prometheus as `ray_rlgan_<name>{run=...}`.

        A metric that is no longer there, as the memory of a worker that is gone, becomes 0: Ray cannot remove a gauge.
        """
        for name in metrics.keys() - self._gauges.keys():
            self._gauges[name] = Gauge(f"rlgan_{name}", f"{name} in metrics.jsonl.", ("run",))
        label = run_name.encode("ascii", "backslashreplace").decode()  # Ray's agent takes no other characters
        for name, gauge in self._gauges.items():
            gauge.set(metrics.get(name, 0.0), {"run": label})
