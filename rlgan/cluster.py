"""The engine on Ray: rollout workers and a learner, each an actor. The only importer of ray.

What moves: weights from the learner (one object per version, owned by this process, so that they outlive the learner)
and shards to it. This process holds references alone. Workers do not know each other, the learner knows no worker.
"""

import logging
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

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
import torch
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayError, RayTaskError

from rlgan.config import RunConfig, RunError
from rlgan.device import prepare
from rlgan.tasks import ShardMaker, Task
from rlgan.types import Evaluation, Metrics, Plan, Rollout, State, Weights

# Seconds that actors are given to start: a loaded machine takes 15 for three.
START_LIMIT = 180
# Workers that may die over one shard: more is no accident.
TRIES = 4
# Jobs of a map that a worker has before it, with the one at hand.
AHEAD = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


class RolloutHost:
    """The actor round what makes shards."""

    def __init__(self, shard_maker: Callable[[torch.device], ShardMaker], gpus: float) -> None:
        self._maker = shard_maker(prepare(gpus))

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> tuple[Rollout, None]:
        """Make a shard; the second result only says that the first is made, so that nobody needs to fetch it."""
        return self._maker.shard(weights, step, draw, shard), None

    def apply(self, function: Callable[[Any], Any], item: Any) -> Any:
        """Apply a function to an item."""
        return function(item)

    def cpu_seconds(self) -> float:
        """CPU time of this process."""
        return time.process_time()


class LearnerHost:
    """The actor round the learner."""

    def __init__(self, task: Task, gpus: float) -> None:
        device = prepare(gpus)
        self._learner = task.learner(device)
        self._evaluator = task.evaluator(device)

    def update(self, step: int, plan: Plan, *shards: Rollout) -> Metrics:
        """Do a training step; the shards come draw by draw."""
        size = len(shards) // max(plan.draws, 1)
        draws = [Rollout.join(shards[draw * size : (draw + 1) * size]) for draw in range(plan.draws)]
        return self._learner.update(step, plan, draws)

    def weights(self) -> Weights:
        """The weights as they are now."""
        return self._learner.weights()

    def evaluate(self) -> Evaluation:
        """Measure the weights as they are now."""
        return self._evaluator.evaluate(self._learner.evaluated_weights())

    def state(self) -> State:
        """The learner's whole state."""
        return self._learner.state_dict()

    def restore(self, state: State, step: int) -> None:
        """Set the learner back."""
        self._learner.load_state_dict(state, step)

    def cpu_seconds(self) -> float:
        """CPU time of this process."""
        return time.process_time()


@dataclass
class Asked:
    """A shard that was asked for."""

    weights: ObjectRef[Weights]
    key: tuple[int, int, int]  # step, draw, shard
    place: int  # of the worker in the fleet
    worker: ActorHandle[Any]
    rollout: ObjectRef[Rollout]
    made: ObjectRef[None]


class RayEngine:
    """Starts or joins a Ray, places the actors, and asks them.

    Raises:
        RunError: the cluster can't be reached, or has less than what is asked for.
    """

    def __init__(self, task: Task, run: RunConfig, say: Callable[[str], None]) -> None:
        self._shards = task.shards
        self._run = run
        self._say = say
        self._made: Counter[str] = Counter()
        self._cpu_seconds: dict[ActorHandle[Any], float] = {}
        try:
            if ATTACHED:
                _knock(os.environ["RAY_ADDRESS"])
                ray.init(logging_level=logging.ERROR)
            else:
                # Never a bare init: it joins whatever cluster it finds running.
                ray.init(
                    address="local", num_cpus=run.workers + 1, include_dashboard=False, logging_level=logging.ERROR
                )
        except (OSError, ValueError) as error:
            address = os.environ.get("RAY_ADDRESS", "local")
            raise RunError(
                f"no Ray answers at {address}: {str(error).splitlines()[0]} (if it asks for a token, set "
                "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH where the token is not in ~/.ray)"
            ) from error
        try:
            self._check_resources()
            self._start(task)
        except BaseException:
            ray.shutdown()
            raise

    def _check_resources(self) -> None:
        # Ray would wait for ever for what the cluster does not have.
        run, has = self._run, ray.cluster_resources()  # type: ignore[no-untyped-call]
        needs = {"CPU": run.workers + 1, "GPU": run.workers * run.rollout_gpus + run.learner_gpus}
        for name, need in needs.items():
            if need > has.get(name, 0):
                raise RunError(
                    f"{need:g} {name}s are needed ({run.workers} rollout workers and a learner) and this Ray has "
                    f"{has.get(name, 0):g}: ask for fewer --workers or GPUs, or add nodes"
                )

    def _start(self, task: Task) -> None:
        run = self._run
        self._maker = ray.put(task.shard_maker)
        learner: Any = ray.remote(LearnerHost).options(num_cpus=1, num_gpus=run.learner_gpus)
        self._learner: ActorHandle[Any] = learner.remote(ray.put(task), run.learner_gpus)
        self._workers = [self._start_worker() for _ in range(run.workers)]
        alive = [actor.cpu_seconds.remote() for actor in (self._learner, *self._workers)]
        _, late = ray.wait(alive, num_returns=len(alive), timeout=START_LIMIT)
        if late:
            free = ray.available_resources()  # type: ignore[no-untyped-call]
            raise RunError(
                f"{len(late)} of {len(alive)} actors did not start in {START_LIMIT} s; free on the cluster: "
                f"{free.get('CPU', 0):g} CPUs, {free.get('GPU', 0):g} GPUs: is another job using it?"
            )
        for ref in alive:
            _get(ref)  # an error in a constructor shows here
        kind = "an attached Ray" if ATTACHED else "a local Ray"
        devices = ("cuda" if run.rollout_gpus else "cpu", "cuda" if run.learner_gpus else "cpu")
        plural = "s" if run.workers > 1 else ""
        self.where = f"{run.workers} rollout worker{plural} ({devices[0]}) and a learner ({devices[1]}) on {kind}"
        cores = os.cpu_count() or 1
        if not ATTACHED and run.workers + 1 > cores:
            self._say(f"{run.workers + 1} actors of one thread each share {cores} cores")

    def _start_worker(self) -> ActorHandle[Any]:
        host: Any = ray.remote(RolloutHost).options(num_cpus=1, num_gpus=self._run.rollout_gpus)
        worker: ActorHandle[Any] = host.remote(self._maker, self._run.rollout_gpus)
        return worker

    def restore(self, state: State, step: int) -> None:
        """Set the learner back to a checkpoint's state before training step `step`."""
        _get(self._learner.restore.remote(state, step))

    def state(self) -> State:
        """The learner's whole state."""
        state: State = _get(self._learner.state.remote())
        return state

    def weights(self) -> ObjectRef[Weights]:
        """The weights as they are now."""
        reference: ObjectRef[Weights] = self._learner.weights.remote()
        return reference

    def adopt(self, weights: Weights) -> ObjectRef[Weights]:
        """Take up weights out of a checkpoint."""
        return ray.put(weights)

    def fetch(self, weights: ObjectRef[Weights]) -> Weights:
        """The weights that `weights` or `adopt` gave."""
        fetched: Weights = _get(weights)
        return fetched

    def request(self, weights: ObjectRef[Weights] | None, step: int, plan: Plan) -> list[Asked]:
        """Ask for the shards of a step; the workers make them meanwhile."""
        if weights is None:
            return []
        keys = [(step, draw, shard) for draw in range(plan.draws) for shard in range(self._shards)]
        return [self._ask(weights, key, i % len(self._workers)) for i, key in enumerate(keys)]

    def update(self, step: int, plan: Plan, asked: list[Asked]) -> Metrics:
        """Do a training step, on shards that go from worker to learner by reference."""
        rollouts = [self._settled(shard) for shard in asked]
        metrics: Metrics = _get(self._learner.update.remote(step, plan, *rollouts))
        return metrics

    def evaluate(self) -> Evaluation:
        """Measure the weights as they are now."""
        evaluation: Evaluation = _get(self._learner.evaluate.remote())
        return evaluation

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Apply a function to items, by the rollout workers in turn; the results in the order of the items."""
        shared = ray.put(function)
        asked: deque[tuple[Item, int, ActorHandle[Any], ObjectRef[Result]]] = deque()

        def ask(item: Item, place: int) -> None:
            worker = self._workers[place]
            asked.append((item, place, worker, worker.apply.remote(shared, item)))

        waiting = deque(enumerate(items))
        tries = TRIES
        while waiting or asked:
            # As much as keeps them busy, and no more: what is ready takes memory.
            while waiting and len(asked) < AHEAD * len(self._workers):
                i, item = waiting.popleft()
                ask(item, i % len(self._workers))
            item, place, worker, reference = asked.popleft()
            try:
                result: Result = ray.get(reference)
            except RayTaskError as error:
                raise error.cause from error
            except RayActorError as error:
                tries -= 1
                if not tries:
                    raise RunError(f"{TRIES} workers died over one job: {_reason(error)}") from error
                if self._workers[place] is worker:
                    self._say(f"rollout worker {place} died: a new one does its work")
                    self._workers[place] = self._start_worker()
                ask(item, place)
                asked.rotate(1)
            else:
                tries = TRIES
                yield result

    def shards_made(self) -> dict[str, int]:
        """Shards by worker, so far."""
        return {f"worker_{i}": self._made[f"worker_{i}"] for i in range(len(self._workers))}

    def cpu_seconds(self) -> float:
        """CPU time of all processes that compute, so far; Ray's own are not among them."""
        for actor in (self._learner, *self._workers):
            with suppress(RayActorError):  # who died keeps what was last known
                seconds: ObjectRef[float] = actor.cpu_seconds.remote()
                self._cpu_seconds[actor] = ray.get(seconds)
        return time.process_time() + sum(self._cpu_seconds.values())

    def close(self) -> None:
        """End the actors, and the local Ray with them."""
        ray.shutdown()

    def _ask(self, weights: ObjectRef[Weights], key: tuple[int, int, int], place: int) -> Asked:
        worker = self._workers[place]
        rollout: ObjectRef[Rollout]
        made: ObjectRef[None]
        rollout, made = worker.shard.options(num_returns=2).remote(weights, *key)
        return Asked(weights, key, place, worker, rollout, made)

    def _settled(self, asked: Asked) -> ObjectRef[Rollout]:
        """Wait until a shard is made. One whose worker died is asked of a new worker, and comes out the same."""
        for _ in range(TRIES):
            try:
                ray.get(asked.made)
            except RayTaskError as error:
                if isinstance(error.cause, RayError):  # the weights died with the learner
                    raise RunError(f"an actor died: {_reason(error.cause)}; go on with --resume") from error
                raise error.cause from error
            except RayActorError as error:
                death = error
                if self._workers[asked.place] is asked.worker:  # else another of its shards has seen to it
                    self._say(f"rollout worker {asked.place} died: a new one makes its shards, which come out the same")
                    self._workers[asked.place] = self._start_worker()
                asked = self._ask(asked.weights, asked.key, asked.place)
            else:
                self._made[f"worker_{asked.place}"] += 1
                return asked.rollout
        raise RunError(f"{TRIES} rollout workers died over one shard: {_reason(death)}") from death


def _knock(address: str) -> None:
    """Raise OSError within seconds where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _get(reference: ObjectRef[Any]) -> Any:
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, RayError):  # what the task was to read died with who made it
            raise RunError(f"an actor died: {_reason(error.cause)}; go on with --resume") from error
        # The learner's own error, which says what is wrong; Ray's wrapping stays as its context.
        raise error.cause from error
    except RayError as error:
        raise RunError(f"an actor died: {_reason(error)}; go on with --resume") from error


def _reason(death: RayError) -> str:
    lines = str(death).strip().splitlines()
    # Of an error in the constructor Ray gives the traceback, whose last line is the error.
    return lines[-1] if "creation task" in lines[0] else lines[0]
