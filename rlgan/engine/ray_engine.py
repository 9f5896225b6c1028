"""The engine on Ray: rollout workers and a learner, each an actor. The only importer of ray.

What moves: weights from the learner (one object per version, owned by this process, so that they outlive the learner)
and shards to it. This process holds references alone. Workers do not know each other, the learner knows no worker.
"""

import logging
import math
import os
import signal
import socket
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ATTACHED = os.environ.get("RAY_ADDRESS") not in (None, "", "local")
# All of this is read when ray is imported.
if not ATTACHED:
    os.environ.pop("RAY_ADDRESS", None)
    # A local Ray listens on all interfaces, but for this: then on loopback alone.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# An actor without GPUs must not see any; Ray's coming default, which it warns about until it is chosen.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import ObjectLostError, RayActorError, RayError, RayTaskError
from ray.util.metrics import Gauge
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from rlgan.device import prepare
from rlgan.engine.fleet import (
    START_LIMIT,
    START_TRIES,
    TASK_EVENTS,
    Fleet,
    Job,
    Vitals,
    Whereabouts,
    free,
    learners_that_fit,
    living_nodes,
    reason,
    rooms,
    unfit,
)
from rlgan.engine.processes import family, kill, memory
from rlgan.engine.settings import RunConfig
from rlgan.errors import LearnerLostError, RunError
from rlgan.learning import group as parallel
from rlgan.learning.group import ALONE
from rlgan.task import Task
from rlgan.types import Evaluation, Item, Metrics, Plan, Result, Rollout, State, Weights

# Seconds between questions whether a learner that one waits for is still there, and those after which it has hung.
LISTEN = 5.0
HUNG_AFTER = 60.0
# Jobs of a map that a worker has before it, with the one at hand.
AHEAD = 4


class LearnerHost:
    """The actor round the learner, or round one of several; the first of them does what one is enough for."""

    def __init__(self, task: Task, gpus: float) -> None:
        self._task = task
        self._gpus = gpus
        self._device = prepare(gpus)
        self._held: socket.socket | None = None

    def whereabouts(self) -> Whereabouts:
        """Where it lives."""
        return Whereabouts.here(self._device)

    def port(self) -> int:
        """Where the others meet this one."""
        self._held, number = parallel.port(Whereabouts.here(self._device).address)
        return number

    def begin(self, address: str, port: int, rank: int, size: int) -> None:
        """Meet the others, if there are any, and make the networks."""
        group = ALONE
        if size > 1:
            nccl = self._gpus >= 1
            here = Whereabouts.here(self._device).address
            group = parallel.meet(self._held, address, port, here, rank, size, nccl=nccl)
        self._learner = self._task.learner(self._device, group)
        if rank == 0:
            self._evaluator = self._task.evaluator(self._device)

    def update(self, step: int, plan: Plan, *shards: Rollout) -> Metrics:
        """Do a training step; this learner's shards come draw by draw."""
        size = len(shards) // max(plan.draws, 1)
        draws = [Rollout.join(shards[draw * size : (draw + 1) * size]) for draw in range(plan.draws)]
        return self._learner.update(step, plan, draws)

    def weights(self) -> Weights:
        """The weights as they are now."""
        return self._learner.weights()

    def weights_size(self) -> int:
        """Bytes of the weights."""
        weights = self._learner.weights()
        return sum(array.nbytes for tensors in (weights.generator, weights.discriminator) for array in tensors.values())

    def evaluate(self) -> Evaluation:
        """Measure the weights as they are now."""
        return self._evaluator.evaluate(self._learner.evaluated_weights())

    def sees(self, file: str) -> bool:
        """Whether a file of the driver's is there on this node too."""
        return os.path.exists(file)

    def state(self) -> State:
        """The learner's whole state."""
        return self._learner.state_dict()

    def restore(self, state: State, step: int) -> None:
        """Set the learner back."""
        self._learner.load_state_dict(state, step)

    @ray.method(concurrency_group="watch")
    def vitals(self) -> Vitals:
        """CPU time and memory of this process; it answers whatever else it is doing, unless it hangs."""
        return Vitals.now()


@dataclass
class Learner:
    """A learner as this process sees it."""

    actor: ActorHandle[Any]
    at: Whereabouts
    vitals: Vitals = field(default_factory=lambda: Vitals(0.0, 0))  # as last known

    def __str__(self) -> str:
        return f"the learner ({self.at})"


class RayEngine:
    """Starts or joins a Ray, places the actors, and asks them.

    Raises:
        RunError: the cluster can't be reached, or has less than what is asked for.
    """

    def __init__(self, task: Task, run: RunConfig, say: Callable[[str], None]) -> None:
        self._shards = task.shards
        self._run = run
        self._say = say
        self._count: Counter[str] = Counter()
        self._gauges: dict[str, Gauge] = {}
        self._cpu_seconds = 0.0  # of learners that died, as last known
        self._learners: list[Learner] = []
        try:
            self._join()
            self._check_resources()
            self._start(task)
        except BaseException:
            self.close()
            raise

    def _join(self) -> None:
        terminate = signal.getsignal(signal.SIGTERM)
        try:
            if ATTACHED:
                _knock(os.environ["RAY_ADDRESS"])
                ray.init(logging_level=logging.ERROR)
            else:
                # Never a bare init: it joins whatever cluster it finds running.
                ray.init(
                    address="local", num_cpus=self._local_cpus(), include_dashboard=False, logging_level=logging.ERROR
                )
        # RuntimeError: other versions of Ray or Python there; RayError: no token here, or another.
        except (OSError, ValueError, RuntimeError, RayError) as error:
            address = os.environ.get("RAY_ADDRESS", "local")
            raise RunError(
                f"no Ray can be joined at {address}: {' '.join(str(error).split())} (if it asks for a token, set "
                "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH where the token is not in ~/.ray)"
            ) from error
        except SystemExit:  # while it starts, Ray ends this way where it is terminated: ours is in order, and says so
            signal.signal(signal.SIGTERM, terminate)
            signal.raise_signal(signal.SIGTERM)
            raise
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, terminate)

    def _local_cpus(self) -> int:
        run, (fewest, most) = self._run, self._run.fleet(self._shards)
        workers = max(fewest, min(most, (os.cpu_count() or 1) - 1))
        return math.ceil(run.learners * run.learner_cpus + workers * run.worker_cpus)

    def _check_resources(self) -> None:
        # Ray would wait for ever for what the cluster does not have.
        run, has = self._run, ray.cluster_resources()  # type: ignore[no-untyped-call]
        workers, _ = run.fleet(self._shards)
        needs = {
            "CPU": workers * run.worker_cpus + run.learners * run.learner_cpus,
            "GPU": workers * run.rollout_gpus + run.learners * run.learner_gpus,
        }
        for name, need in needs.items():
            if need > has.get(name, 0):
                raise RunError(
                    f"{need:g} {name}s are needed ({workers} rollout workers and {run.learning}) and this Ray has "
                    f"{has.get(name, 0):g}: ask for fewer --workers or GPUs, or add nodes"
                )
        nodes = living_nodes()
        fit = sum(rooms(nodes, run, [], Counter()).values())
        if fit < workers or learners_that_fit(nodes, run) < run.learners:
            have = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes.values())
            raise RunError(
                f"{workers} rollout workers of {run.worker_cpus:g} CPUs and {run.rollout_gpus:g} GPUs and "
                f"{run.learning} of {run.learner_cpus:g} and {run.learner_gpus:g} do not fit on the nodes of this Ray, "
                f"which have {have}: ask for fewer or smaller ones, or add nodes"
            )

    def _start(self, task: Task) -> None:
        run = self._run
        self._task = ray.put(task)
        self._fleet = Fleet(ray.put(task.shard_maker), run, task.shards, self._say)
        self._start_learners()
        if task.shared is not None:
            self._check_shared(task.shared)
        self._weights_size: int = self._of_first("weights_size")
        self._fleet.start()
        self.kinds = {"learner": self._learners_kind(), "rollouts": " and ".join(sorted(self._fleet.kinds()))}
        kind = "an attached Ray" if ATTACHED else "a local Ray"
        devices = ("cuda" if run.rollout_gpus else "cpu", "cuda" if run.learner_gpus else "cpu")
        workers = len(self._fleet)
        plural = "s" if workers > 1 else ""
        elastic = f", {run.workers}," if isinstance(run.workers, str) else ""
        fleet = f"{workers} rollout worker{plural}{elastic} ({devices[0]})"
        self.where = f"{fleet} and {run.learning} ({devices[1]}) on {kind}"
        here = ray.get_runtime_context().get_node_id()
        (node,) = [node for node in ray.nodes() if node["NodeID"] == here]  # type: ignore[no-untyped-call]
        if node["MetricsExportPort"] > 0:
            address = f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
            self._say(f"metrics for Prometheus: http://{address}/metrics")
        cores = os.cpu_count() or 1
        if not ATTACHED and workers + run.learners > cores:
            self._say(f"{workers + run.learners} actors of one thread each share {cores} cores")

    def _check_shared(self, folder: Path) -> None:
        # Else a learner on another node would miss what is prepared for it only when all that work is done.
        mark = folder / f".seen-{uuid.uuid4().hex}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mark.touch()
        except OSError:
            return  # nothing can be prepared there: who tries to will say so
        try:
            seen = self._of_all("sees", [(str(mark),)] * len(self._learners))
        finally:
            mark.unlink()
        for learner, sees in zip(self._learners, seen, strict=True):
            if not sees:
                raise RunError(f"{learner} does not see {folder} as it is here: give --cache a folder that all share")

    def _start_learners(self) -> None:
        """Start the learners; the rollout workers start, or go on, meanwhile."""
        run = self._run
        where: Any = "DEFAULT"
        if run.learners > 1:
            needs = {"CPU": run.learner_cpus} | ({"GPU": run.learner_gpus} if run.learner_gpus else {})
            self._reserved = placement_group([needs] * run.learners)
            where = PlacementGroupSchedulingStrategy(self._reserved)
        remote: Any = ray.remote  # whose types do not know concurrency groups
        host = remote(
            num_cpus=run.learner_cpus,
            num_gpus=run.learner_gpus,
            scheduling_strategy=where,
            concurrency_groups={"watch": 1},
            enable_task_events=TASK_EVENTS,
        )(LearnerHost)
        self._learners = []
        starting: list[ActorHandle[Any]] = [host.remote(self._task, run.learner_gpus) for _ in range(run.learners)]
        deaths = 0
        while starting:
            actor = starting.pop(0)
            born: ObjectRef[Whereabouts] = actor.whereabouts.remote()
            if not self._fleet.wait(born, START_LIMIT):
                raise RunError(f"the learner did not start in {START_LIMIT} s; {free()}")
            try:
                self._learners.append(Learner(actor, ray.get(born)))
            except RayError as error:
                if unfit(error):
                    raise RunError(f"the learner can't start: {reason(error)}") from error
                deaths += 1
                if deaths == START_TRIES:
                    raise RunError(f"{deaths} learners died at their start: {reason(error)}") from error
                starting.append(host.remote(self._task, run.learner_gpus))
        self._fleet.homes = [learner.at.node for learner in self._learners]
        address = self._learners[0].at.address
        port = self._of_first("port") if run.learners > 1 else 0
        self._of_all("begin", [(address, port, rank, run.learners) for rank in range(run.learners)])

    def restart(self) -> None:
        """Put new learners, with fresh networks, in the place of those of which one was lost; the workers stay."""
        for learner in self._learners:
            with suppress(RayActorError):
                ray.kill(learner.actor)  # it may be out of reach, and still hold its resources
            self._cpu_seconds += learner.vitals.cpu_seconds
        if self._run.learners > 1:
            remove_placement_group(self._reserved)
        self._fleet.forget()
        self._count["restarts_learner"] += 1
        before = self._learners_kind()
        self._start_learners()
        if (now := self._learners_kind()) != before:
            self._say(f"the learner was on {before} and is now on {now}: its bits may differ from here on")

    def _learners_kind(self) -> str:
        return " and ".join(dict.fromkeys(learner.at.kind for learner in self._learners))

    def restore(self, state: State, step: int) -> None:
        """Set the learner back to a checkpoint's state before training step `step`."""
        self._of_all("restore", [(state, step)] * len(self._learners))

    def state(self) -> State:
        """The learner's whole state."""
        state: State = self._of_first("state")
        return state

    def weights(self) -> ObjectRef[Weights]:
        """The weights as they are now."""
        first, *_ = self._learners
        reference: ObjectRef[Weights] = first.actor.weights.remote()
        # Once into the store of the learner's node, and from there once to every other that makes shards.
        self._count["weights_bytes"] += self._weights_size * len({first.at.node} | self._fleet.nodes())
        return reference

    def adopt(self, weights: Weights) -> ObjectRef[Weights]:
        """Take up weights out of a checkpoint."""
        return ray.put(weights)

    def fetch(self, weights: ObjectRef[Weights]) -> Weights:
        """The weights that `weights` or `adopt` gave."""
        fetched: Weights = self._get(self._learners[0], weights)
        return fetched

    def request(self, weights: ObjectRef[Weights] | None, step: int, plan: Plan) -> list[Job]:
        """Ask for the shards of a step; the workers make them meanwhile."""
        if weights is None:
            return []
        shards = [(weights, step, draw, shard) for draw in range(plan.draws) for shard in range(self._shards)]
        return self._fleet.request("shard", shards)

    def settle(self, shards: list[Job]) -> None:
        """Wait until the shards of a step are made."""
        self._fleet.settle(shards)

    def update(self, step: int, plan: Plan, shards: list[Job]) -> Metrics:
        """Do a training step, on shards that go from worker to learner by reference."""
        while True:
            rollouts = self._fleet.settle(shards)
            try:
                arguments = [(step, plan, *own) for own in dealt(rollouts, plan.draws, self._run.learners)]
                metrics: Metrics = self._of_all("update", arguments)[0]
            except ObjectLostError as error:
                # They came before the update, which has not begun.
                self._say(f"shards of step {step} were lost with a node: they are made again, and come out the same")
                self._fleet.remake(shards, error)
            else:
                return metrics

    def evaluate(self) -> Evaluation:
        """Measure the weights as they are now."""
        evaluation: Evaluation = self._of_first("evaluate")
        return evaluation

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Apply a function to items, by the rollout workers; the results in the order of the items."""
        shared = ray.put(function)
        waiting, asked = deque(items), deque[Job]()
        while waiting or asked:
            # As much as keeps them busy, and no more: what is ready takes memory.
            while waiting and len(asked) < AHEAD * max(len(self._fleet), 1):
                asked += self._fleet.request("apply", [(shared, waiting.popleft())])
            job = asked.popleft()
            (reference,) = self._fleet.settle([job])
            try:
                result: Result = ray.get(reference)
            except ObjectLostError as error:
                self._fleet.remake([job], error)
                asked.appendleft(job)
            else:
                yield result

    def shards_made(self) -> dict[str, int]:
        """Shards by worker, so far."""
        return self._fleet.shards_made()

    def cpu_seconds(self) -> float:
        """CPU time of all processes that compute, so far; Ray's own are not among them."""
        for learner, vitals in zip(self._learners, self._of_all("vitals", [()] * len(self._learners)), strict=True):
            learner.vitals = vitals
        learners = self._cpu_seconds + sum(learner.vitals.cpu_seconds for learner in self._learners)
        return time.process_time() + learners + self._fleet.cpu_seconds()

    def report(self) -> Metrics:
        """What became of the actors so far, bytes of weights that were sent, and memory in bytes now."""
        has, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
        store = has.get("object_store_memory", 0.0) - free.get("object_store_memory", 0.0)
        counts = {name: float(self._count[name]) for name in ("restarts_learner", "weights_bytes")}
        memories = {"driver": memory(), "object_store": store}
        for rank, learner in enumerate(self._learners):
            memories[f"learner_{rank}" if rank else "learner"] = learner.vitals.memory
        return self._fleet.report() | counts | {f"memory_{name}": float(size) for name, size in memories.items()}

    def show(self, run: str, metrics: Metrics) -> None:
        """Give a run's numbers to Ray, whose agent on this node has them for Prometheus as `ray_rlgan_<name>{run=...}`.

        One that is no longer there, as the memory of a worker that is gone, becomes 0.
        """
        for name in metrics.keys() - self._gauges.keys():
            self._gauges[name] = Gauge(f"rlgan_{name}", "As run/ in TensorBoard.", ("run",))
        for name, gauge in self._gauges.items():
            gauge.set(metrics.get(name, 0.0), {"run": run})

    def close(self) -> None:
        """End the actors, and the local Ray with them."""
        ours = [] if ATTACHED else family()
        try:
            ray.shutdown()
        finally:
            kill(ours)  # where Ray does not end in order, some of its processes would stay for a minute

    def _of_first(self, method: str, *arguments: Any) -> Any:
        return self._of_all(method, [arguments])[0]

    def _of_all(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What learners give, the first ones, each for arguments of its own.

        Raises:
            LearnerLostError: one of them died or hangs, or its node.
            ObjectLostError: not the learner, but what it was to read died; where there are several, the others wait for
                it in vain, so that this is LearnerLostError too.
        """
        asked = [
            (learner, getattr(learner.actor, method).remote(*each))
            for learner, each in zip(self._learners, arguments, strict=False)
        ]
        given, lost = [], None
        for learner, reference in asked:
            try:
                given.append(self._get(learner, reference))
            except LearnerLostError as error:
                # Another may say why: those that it left alone only know that it does not answer.
                knows = lost is not None and _is_death(lost.__cause__)
                lost = lost if knows else error
            except ObjectLostError as error:
                if len(self._learners) == 1:
                    raise
                lost = LearnerLostError(f"shards of {learner} were lost with a node")
                lost.__cause__ = error
        if lost is not None:
            raise lost
        return given

    def _get(self, learner: "Learner", reference: ObjectRef[Any]) -> Any:
        """What a learner gives, while it is seen that it does not hang."""
        heard: ObjectRef[Vitals] | None = None
        silent = 0.0
        while not self._fleet.wait(reference, LISTEN):
            if heard is None or ray.wait([heard], timeout=0)[0]:
                heard, silent = learner.actor.vitals.remote(), 0.0
            elif (silent := silent + LISTEN) >= HUNG_AFTER:
                raise LearnerLostError(f"{learner} has hung: it answered nothing for {silent:g} s")
        try:
            return ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, RayError) and not isinstance(error.cause, ObjectLostError):
                raise RunError(f"{learner} failed: {reason(error.cause)}") from error
            # The learner's own error, which says what is wrong; Ray's wrapping stays as its context.
            raise error.cause from error
        except RayError as error:
            raise LearnerLostError(f"{learner} died: {reason(error)}") from error


def _is_death(error: BaseException | None) -> bool:
    return isinstance(error, RayError) and not isinstance(error, RayTaskError)


def dealt(shards: Sequence[Item], draws: int, learners: int) -> list[list[Item]]:
    """Shards, which come draw by draw, as each learner gets them: of every draw as many, in their order."""
    size = len(shards) // (max(draws, 1) * learners)
    return [
        [shards[(draw * learners + rank) * size + i] for draw in range(draws) for i in range(size)]
        for rank in range(learners)
    ]


def _knock(address: str) -> None:
    """Raise OSError within seconds where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()
