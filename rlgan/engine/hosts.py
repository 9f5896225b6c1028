"""The Ray actors: what runs inside the processes of rollout workers and learners.

Both are thin: a `RolloutHost` holds what makes shards, a `LearnerHost` holds a learner. The class names are the process
titles (`ray::RolloutHost...`, `ray::LearnerHost...`), by which scripts find the processes.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rlgan.engine.ray_environment import ray

import torch

from rlgan.device import kind, naming_what_is_too_large, prepare
from rlgan.engine.engine import Measures, evaluate
from rlgan.engine.processes import Location, Usage
from rlgan.learning import group as parallel
from rlgan.learning.group import ALONE
from rlgan.settings import adopt
from rlgan.task import LoadedTask, RolloutMaker
from rlgan.types import Evaluation, Metrics, Plan, Rollout, State, Weights

LOG_LINES = 10  # of each stream, that are shown when a worker raises an exception

# Sent along with every job, because a question of its own would wait behind all jobs that the actor has.
Cost = tuple[float, Usage]  # the seconds that a job took, and the process's usage after it


def current_location(device: torch.device) -> Location:
    """Return the location of the calling actor, which computes on `device`."""
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return Location(ray.get_runtime_context().get_node_id(), address, os.getpid(), kind(device))


class RolloutHost:
    """The actor of a rollout worker.

    Args:
        shard_maker: builds, on a device, what makes shards.
        gpus: how many GPUs Ray reserved for this actor; 0 is the CPU.
        imported: what the driver imported by the names that were typed.
    """

    def __init__(
        self, shard_maker: Callable[[torch.device], RolloutMaker], gpus: float, imported: Mapping[str, Any]
    ) -> None:
        # First: the task may name objects that this process cannot import.
        adopt(imported)
        # By what Ray reserved: an actor without a GPU still sees those of its machine.
        self._device = prepare("cuda" if gpus else "cpu")
        self._maker = shard_maker(self._device)

    def location(self) -> Location:
        """Return where this actor runs."""
        return current_location(self._device)

    # Two results, so that the driver can wait for the small one: the rollout itself goes straight to the learner.
    @ray.method(num_returns=2)
    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> tuple[Rollout, Cost]:
        """Make a shard; the second result is what that cost."""
        started = time.perf_counter()
        rollout = self._maker.shard(weights, step, draw, shard)
        return rollout, (time.perf_counter() - started, Usage.now())

    @ray.method(num_returns=2)
    def apply(self, function: Callable[[Any], Any], item: Any) -> tuple[Any, Cost]:
        """Apply a function to an item; the second result is what that cost."""
        started = time.perf_counter()
        result = function(item)
        return result, (time.perf_counter() - started, Usage.now())

    def last_lines(self) -> list[str]:
        """Return the last lines that this process wrote to its standard output and error."""
        lines: list[str] = []
        for descriptor in (1, 2):
            file = Path(f"/dev/fd/{descriptor}")
            # Ray redirects both to log files. A pipe could not be read again.
            if file.is_file():
                lines += file.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return lines


class LearnerHost:
    """The actor of a learner, or of one of several that share every batch. The first of these has rank 0.

    Args:
        task: builds the learner and the evaluator.
        gpus: how many GPUs Ray reserved for this actor; 0 is the CPU.
        imported: what the driver imported by the names that were typed.
    """

    def __init__(self, task: LoadedTask, gpus: float, imported: Mapping[str, Any]) -> None:
        adopt(imported)
        self._task = task
        self._gpus = gpus
        # By what Ray reserved: an actor without a GPU still sees those of its machine.
        self._device = prepare("cuda" if gpus else "cpu")
        self._listening: socket.socket | None = None

    def location(self) -> Location:
        """Return where this actor runs."""
        return current_location(self._device)

    def reserve_port(self) -> int:
        """Open the port at which the other learners reach this one, and return its number."""
        # Kept open until the learners meet, so that no other process can take the port in between.
        self._listening, number = parallel.reserve_port(current_location(self._device).address)
        return number

    # Not in the constructor: address and port are known only when learner 0 has started.
    def begin(self, address: str, port: int, rank: int, size: int) -> None:
        """Join the other learners, if there are any, and build the networks.

        Args:
            address: of learner 0.
            port: of learner 0.
            rank: of this learner.
            size: how many learners there are.
        """
        group = ALONE
        if size > 1:
            nccl = self._gpus >= 1  # it needs a whole GPU per process
            here = current_location(self._device).address
            group = parallel.init_process_group(self._listening, address, port, here, rank, size, nccl=nccl)
        self._learner = self._task.learner(self._device, group)
        # The first evaluates for all, and the others need no memory for it.
        if rank == 0:
            self._evaluator = self._task.evaluator(self._device)

    # An argument for each shard: Ray fetches the arguments of a call, but not what a list among them refers to.
    def update(self, step: int, plan: Plan, *shards: Rollout) -> Metrics:
        """Do a training step on this learner's shards, which come draw by draw."""
        size = len(shards) // max(plan.draws, 1)
        draws = [Rollout.join(shards[draw * size : (draw + 1) * size]) for draw in range(plan.draws)]
        return self._learner.update(step, plan, draws)

    def weights(self) -> Weights:
        """Return the current weights."""
        # As numpy arrays, which readers on a node share: through Ray's store, 16 MB of torch's tensors took 13 times
        # as long. Not copied here: Ray copies what a method returns into its store before it calls the next one.
        return self._learner.weights(copied=False)

    def weights_size(self) -> int:
        """Return the size of the weights in bytes."""
        weights = self._learner.weights(copied=False)
        return sum(array.nbytes for tensors in (weights.generator, weights.discriminator) for array in tensors.values())

    def evaluate(self, measures: Measures = "all") -> Evaluation:
        """Measure the current weights: all that there is, or `quick`, the cheap ones alone."""
        with naming_what_is_too_large("an evaluation"):
            return evaluate(self._evaluator, self._learner.evaluated_weights(), measures)

    def sees(self, file: str) -> bool:
        """Return whether a file of the driver's exists on this node too."""
        return os.path.exists(file)

    def state(self) -> State:
        """Return the learner's whole state."""
        return self._learner.state_dict()

    def load_state(self, state: State, step: int) -> None:
        """Set the learner to a checkpoint's state before training step `step`."""
        self._learner.load_state_dict(state, step)

    # A concurrency group of its own has a thread of its own: the answer comes also while a long update computes.
    @ray.method(concurrency_group="watch")
    def usage(self) -> Usage:
        """Return what this process uses. Answers whatever else it does, unless the whole process hangs."""
        return Usage.now()
