"""What many workers and learners would reach: a simulation of training steps from the measured times of their parts.

Assumed: a processor core for every rollout worker and for every learner; nodes of so many cores, each with one network
card; the learners' rows are equal, and they sum gradients around a ring; weights reach the nodes from one to the next,
those that have them sending too; the driver sends jobs one after the other; nobody dies.
"""

import heapq
import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlgan.engine.ray_environment import ray

import numpy as np
import torch
from benchmark_grid import BATCH, SHARDS, Cell, fleet, task_of
from benchmark_turns import seconds_of

from rlgan.drawing import looks, new_figure, save, styled
from rlgan.settings import updated
from rlgan.text.presets import preset_of
from rlgan.text.rollout import ShardMaker
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask
from rlgan.types import Rollout, Weights

STEPS, WARM_UP = 60, 20  # that are simulated, of which the first are not counted
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
LEARNERS = (4, 16, 64)
CHECKED = (1, 2, 4)  # workers of real runs
SHARD_ROWS, UPDATE_ROWS = (16, 64), (64, 256)  # sequences of a shard and of an update, whose times are measured
# What an update takes on one NVIDIA H200, roughly: 14.7 ms at batch 64, of all tokens; 65 at 4,096, the step of
# `paper` less a rollout of all tokens (docs/performance.md).
GPU_UPDATE = (0.0139, 12.5e-6)


@dataclass(frozen=True)
class Line:
    """A straight line: seconds of something by its size.

    Example:
        >>> line = Line.through([(64, 0.7), (128, 1.3)])
        >>> round(line(256), 6)
        2.5
    """

    fixed: float
    each: float

    def __call__(self, size: float) -> float:
        """Seconds of a size."""
        return self.fixed + self.each * size

    @staticmethod
    def through(points: Sequence[tuple[float, float]]) -> "Line":
        """The line with the least squares, which starts at 0 or above."""
        sizes, seconds = zip(*points, strict=True)
        each, fixed = np.polyfit(sizes, seconds, 1)
        return Line(max(float(fixed), 0.0), float(each))


@dataclass(frozen=True)
class Parts:
    """Seconds of the parts of a step, and bytes of what is sent."""

    rollout: Line  # a shard, by its sequences
    update: Line  # of both players, by the learner's sequences
    load: float  # weights taken by a worker
    weights_out: float  # weights copied out of the learner's networks
    store: Line  # a message into the object store, by bytes
    job: float  # a job sent by the driver
    weights_bytes: float
    shard_bytes: float  # of one sequence
    length: int  # tokens of a sequence


@dataclass(frozen=True)
class Cluster:
    """What there is, and how the recipe uses it."""

    workers: int
    learners: int = 1
    lag: int = 0
    batch: int = BATCH  # sequences of a step
    shards: int = SHARDS
    cores: int = 16  # of a node
    gigabits: float = 10.0  # per second, of a node's network card

    @property
    def nodes(self) -> int:
        """Nodes of workers."""
        return math.ceil(self.workers / self.cores)

    def seconds(self, sent: float) -> float:
        """How long a card takes for so many bytes."""
        return 8 * sent / (1e9 * self.gigabits)


@dataclass(frozen=True)
class Speed:
    """What a simulation comes to."""

    step: float  # seconds
    tokens: float  # learned from per second
    busy: Mapping[str, float]  # share of the time, of the learner, the workers, the network, the store, the driver

    @property
    def limit(self) -> str:
        """What is busy most: the others wait for it, or wait for each other's turn."""
        name = max(self.busy, key=lambda each: self.busy[each])
        return name if self.busy[name] > 0.9 else f"turns ({name})"


def simulate(parts: Parts, cluster: Cluster) -> Speed:
    """Play some steps: workers take shards as they come free, the learner takes what has arrived."""
    c, rows = cluster, cluster.batch / cluster.shards
    update, out, shard = _learning(parts, c), _weights_out(parts, c), parts.rollout(rows)
    message = c.seconds(rows * parts.shard_bytes)
    ready = [0.0]  # by version, when the workers have the weights
    free = [(0.0, worker) for worker in range(c.workers)]
    card, driver, done = 0.0, 0.0, [0.0]  # when each is free; when each update is done
    for step in range(STEPS):
        begun = ready[max(step - c.lag, 0)]
        # With a lag a job is sent when its version is there, which is before the learner comes to its step.
        loaded: set[int] = set()
        for _ in range(c.shards):
            driver = max(driver, begun) + parts.job
            when, worker = heapq.heappop(free)
            made = max(when, driver) + shard + (0.0 if worker in loaded else parts.load)
            loaded.add(worker)
            heapq.heappush(free, (made, worker))
            # Into the learner's node one after the other, by the card and by its store.
            card = max(card, made) + message + parts.store(rows * parts.shard_bytes)
        # The learner copies its weights out before it goes on.
        done.append(max(done[-1], card) + update + parts.weights_out)
        ready.append(done[-1] + out)
    step_seconds = (done[-1] - done[WARM_UP]) / (STEPS - WARM_UP)
    busy = {
        "learner": update + parts.weights_out,
        "workers": (c.shards * shard + min(c.workers, c.shards) * parts.load) / c.workers,
        "network": c.shards * message + _broadcast(parts, c),
        "store": c.shards * parts.store(rows * parts.shard_bytes) + parts.store(parts.weights_bytes),
        "driver": c.shards * parts.job,
    }
    share = {name: seconds / step_seconds for name, seconds in busy.items()}
    return Speed(step_seconds, c.batch * parts.length / step_seconds, share)


def _learning(parts: Parts, c: Cluster) -> float:
    """Seconds of an update on the learners' rows, and of summing their gradients."""
    around = 2 * (c.learners - 1) / c.learners * c.seconds(parts.weights_bytes)
    return parts.update(c.batch / c.learners) + around


def _weights_out(parts: Parts, c: Cluster) -> float:
    return parts.store(parts.weights_bytes) + _broadcast(parts, c)


def _broadcast(parts: Parts, c: Cluster) -> float:
    # Twice as many nodes have them after each round. Workers on the learner's own node read them in its memory.
    return math.ceil(math.log2(c.nodes)) * c.seconds(parts.weights_bytes)


def cpu_seconds(parts: Parts, cluster: Cluster) -> float:
    """CPU seconds of a step in all actors and the driver."""
    c, rows = cluster, cluster.batch / cluster.shards
    made = c.shards * (parts.rollout(rows) + parts.store(rows * parts.shard_bytes) + parts.job)
    learned = c.learners * parts.update(c.batch / c.learners) + parts.weights_out + parts.store(parts.weights_bytes)
    return made + learned + min(c.workers, c.shards) * parts.load


def paper(rows: int) -> TextTask:
    """The recipe `paper`, 10,000 words, on a batch of so many sequences."""
    return task_of(Cell(batch=rows))


def reinforce(rows: int) -> TextTask:
    """REINFORCE on the stories, whose generator learns from so many rollouts, and D from 64 of them at most."""
    recipe = preset_of(updated(TextSettings(), {"estimator": "reinforce"}))
    return TextTask.load(updated(recipe, {"rollouts": rows, "batch_size": min(rows, BATCH), "shards": 1}))


RECIPES: dict[str, Callable[[int], TextTask]] = {"paper": paper, "reinforce": reinforce}


def measured_parts(make: Callable[[int], TextTask]) -> Parts:
    """Measure the parts of a recipe, given by its sequences, in this process; beside it Ray is started and ended."""
    device = torch.device("cpu")
    tasks = {rows: make(rows) for rows in (*SHARD_ROWS, *UPDATE_ROWS)}
    learner = tasks[BATCH].learner(device)
    weights, others = learner.weights(), learner.weights()
    makers = {rows: tasks[rows].rollout_maker(device) for rows in tasks}
    made = {rows: maker.shard(weights, 0, 0, 0) for rows, maker in makers.items()}
    arrays = [each for each in vars(made[BATCH]).values() if isinstance(each, np.ndarray)]
    rollout = Line.through([(rows, _seconds(_shard(makers[rows], weights))) for rows in SHARD_ROWS])
    update = Line.through([(rows, _seconds(_update(tasks[rows], made[rows]))) for rows in UPDATE_ROWS])
    loading = _seconds(_loading(makers[SHARD_ROWS[0]], weights, others))
    ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level=logging.ERROR)
    try:
        store, job = _store(), _job()
    finally:
        ray.shutdown()
    return Parts(
        rollout=rollout,
        update=update,
        load=max(loading - rollout(SHARD_ROWS[0]), 0.0),
        weights_out=_seconds(learner.weights),
        store=store,
        job=job,
        weights_bytes=sum(a.nbytes for part in (weights.generator, weights.discriminator) for a in part.values()),
        shard_bytes=sum(each.nbytes for each in arrays) / BATCH,
        length=tasks[BATCH].settings.corpus.length,
    )


def told(parts: Parts) -> dict[str, float]:
    """What was measured, for people: milliseconds and bytes."""
    return {
        "ms_of_a_shard": 1e3 * parts.rollout.fixed,
        "ms_of_a_shard_for_each_sequence": 1e3 * parts.rollout.each,
        "ms_of_an_update": 1e3 * parts.update.fixed,
        "ms_of_an_update_for_each_sequence": 1e3 * parts.update.each,
        "ms_of_taking_the_weights": 1e3 * parts.load,
        "ms_of_giving_the_weights": 1e3 * parts.weights_out,
        "ms_of_a_message": 1e3 * parts.store.fixed,
        "ms_of_a_message_for_each_megabyte": 1e9 * parts.store.each,
        "ms_of_a_job": 1e3 * parts.job,
        "bytes_of_the_weights": parts.weights_bytes,
        "bytes_of_a_sequence": parts.shard_bytes,
    }


def _seconds(call: Callable[[], Any]) -> float:
    return seconds_of({"": call}, torch.device("cpu"))[""]


def _shard(maker: ShardMaker, weights: Weights) -> Callable[[], Any]:
    return lambda: maker.shard(weights, 0, 0, 0)


def _loading(maker: ShardMaker, *weights: Weights) -> Callable[[], Any]:
    """A shard by other weights than the last: a worker copies them into its networks first."""
    turn = iter(range(10**9))
    return lambda: maker.shard(weights[next(turn) % len(weights)], 0, 0, 0)


def _update(task: TextTask, rollout: Rollout) -> Callable[[], Any]:
    learner = task.learner(torch.device("cpu"))

    def update() -> None:
        # Always of version 0, which wrote the rollout.
        learner.version = 0
        learner.update(0, task.schedule.plan(0), [rollout] * task.schedule.plan(0).draws)

    return update


def _store() -> Line:
    """Seconds of a message into Ray's store and out of it, by bytes."""
    points = []
    for size in (10_000, 1_000_000, 32_000_000):
        array = np.zeros(size, np.uint8)
        points.append((float(size), _seconds(lambda array=array: ray.get(ray.put(array)))))  # type: ignore[misc]
    return Line.through(points)


def _job() -> float:
    """CPU seconds of the driver for a job that it sends."""

    @ray.remote
    class Nothing:
        def do(self) -> None: ...

    actor = Nothing.remote()  # type: ignore[attr-defined]
    ray.get(actor.do.remote())
    found = []
    for _ in range(5):
        started = time.process_time()
        sent = [actor.do.remote() for _ in range(200)]
        ray.get(sent)
        found.append((time.process_time() - started) / len(sent))
    return statistics.median(found)


def checks(parts: Parts) -> Iterator[tuple[str, dict[str, float]]]:
    """Predicted and measured CPU milliseconds of a step of `paper`, of learner, workers and driver, in real runs."""
    for workers in CHECKED:
        found = fleet(task_of(Cell(), shards=SHARDS), workers)
        measured = sum(found[f"cpu_ms {role}"] for role in ("driver", "workers", "learner"))
        predicted = 1e3 * cpu_seconds(parts, Cluster(workers))
        yield (
            f"{workers} workers",
            {
                "predicted_cpu_ms": predicted,
                "measured_cpu_ms": measured,
                "off_by": predicted / measured - 1,
                "cpu_ms_of_ray_itself": found["cpu_ms Ray's own"],
            },
        )


def clusters() -> Iterator[tuple[str, Cluster, bool]]:
    """What is simulated, by its title; and whether a GPU is the learner."""
    for title, batch, shards, learners, lag in (
        ("batch 64, 4 shards", 64, 4, 1, 0),
        ("batch 64, 4 shards, lag 1", 64, 4, 1, 1),
        ("batch 1,024, 64 shards, lag 1", 1_024, 64, 1, 1),
        ("batch 16,384, 1,024 shards, lag 1", 16_384, 1_024, 1, 1),
        *((f"batch 16,384, 1,024 shards, {n} learners, lag 1", 16_384, 1_024, n, 1) for n in LEARNERS),
    ):
        for workers in WORKERS:
            yield title, Cluster(workers, learners, lag, batch, shards), False
    for lag in (1, 4):
        for workers in WORKERS:
            yield f"batch 16,384, 1,024 shards, a GPU learns, lag {lag}", Cluster(workers, 1, lag, 16_384, 1_024), True


def simulated(parts: Parts, gpu_too: bool) -> Iterator[tuple[str, Cluster, Speed]]:
    """Every cluster, and what it comes to; those with a GPU are for `paper` alone, of which its update is known."""
    with_gpu = replace(parts, update=Line(*GPU_UPDATE))
    for title, cluster, gpu in clusters():
        if gpu and not gpu_too:
            continue
        yield title, cluster, simulate(with_gpu if gpu else parts, cluster)


def scale(parts: Parts, gpu_too: bool) -> dict[str, dict[str, Any]]:
    """Tokens per second, and what limits them, of every cluster."""
    found: dict[str, dict[str, Any]] = {}
    for title, cluster, speed in simulated(parts, gpu_too):
        found.setdefault(title, {})[f"{cluster.workers} workers"] = {
            "tokens_per_second": speed.tokens,
            "limit": speed.limit,
        }
    return found


@styled()
def draw(parts: Parts, file: Path) -> None:
    """The curve of tokens per second by workers."""
    figure = new_figure(7.0, 3.4)
    axes = figure.subplots()
    curves: dict[str, list[tuple[int, float]]] = {}
    for title, cluster, speed in simulated(parts, True):
        curves.setdefault(title, []).append((cluster.workers, speed.tokens))
    for (title, points), look in zip(curves.items(), looks(), strict=False):
        axes.plot(*zip(*points, strict=True), label=title, **vars(look))
    axes.set(xscale="log", yscale="log", xlabel="rollout workers, a core each", ylabel="tokens learned per second")
    figure.legend(loc="outside right upper")
    save(figure, file)
