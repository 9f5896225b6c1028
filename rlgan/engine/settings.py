"""How a recipe is computed: processes, devices, placement. Imports neither torch nor ray."""

import math
import re
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from rlgan.errors import UsageError
from rlgan.settings import AtLeast, Device, Metavar, MoreThan

_AUTO = re.compile(r"auto(?::(\d+)-(\d+))?")


@dataclass(frozen=True)
class EngineSettings:
    """The processes that compute. Of all this --mixed-fleet, --learners and the kind of device change the last bits."""

    workers: Annotated[int, AtLeast(0), Metavar("N")] | str | None = None
    """Rollout workers (Ray actors). 0: everything in this process, without Ray; the same result, bit for bit. auto or
    auto:MIN-MAX: as many as there is room for on the nodes, which may come and go, and as the shards keep busy. By
    default 2 on a cluster, with several learners or --rollout-gpus, and with --lag where no GPU computes
    and each has a CPU, but no more than there are --shards; else 0."""
    worker_cpus: Annotated[float, MoreThan(0)] = 1.0
    """CPUs that Ray reserves for each rollout worker, which computes with one thread in any case."""
    device: Device = "auto"
    """What computes: cpu, cuda, cuda:N with --workers 0, or auto: GPUs where there are any. With Ray, learners and
    rollout workers share the GPUs that there are, unless --learner-gpus and --rollout-gpus say how many each has."""
    rollout_gpus: Annotated[float, AtLeast(0)] | None = None
    """GPUs for each rollout worker; a fraction shares one; 0: CPU. By default what --device says."""
    learners: Annotated[int, AtLeast(1)] = 1
    """Learners (Ray actors) that share every batch and average their gradients. Their number changes the last bits of
    the result."""
    learner_cpus: Annotated[float, MoreThan(0)] = 1.0
    """CPUs that Ray reserves for each learner."""
    learner_gpus: Annotated[float, AtLeast(0)] | None = None
    """GPUs for each learner; 0: CPU. By default what --device says."""
    placement: Literal["spread", "pack"] = "spread"
    """Where rollout workers go. spread: to the node with the fewest; pack: fill one node, the learner's first."""
    mixed_fleet: bool = False
    """Allow rollout workers on machines of several kinds (device model, CPU instruction set, library versions). The
    result is then not bit-identical."""

    @property
    def learning(self) -> str:
        """How many learners there are, in words."""
        return f"{self.learners} learners" if self.learners > 1 else "a learner"

    @property
    def gpus_of_worker(self) -> float:
        """GPUs that Ray reserves for each rollout worker."""
        return self.rollout_gpus or 0.0

    @property
    def gpus_of_learner(self) -> float:
        """GPUs that Ray reserves for each learner."""
        return self.learner_gpus or 0.0

    @property
    def device_of_one_process(self) -> str:
        """The device of --workers 0, where learner and rollouts are together; --learner-gpus decides, where given."""
        if self.learner_gpus is None:
            return self.device
        return "cuda" if self.learner_gpus else "cpu"

    def on_gpus(self, found: float, shards: int) -> "list[EngineSettings]":
        """These settings with GPUs for every kind of actor, where Ray has so many: the first that fits is to be taken.

        Example:
            >>> [(each.learner_gpus, each.rollout_gpus) for each in EngineSettings(workers=2).on_gpus(1, shards=2)]
            [(0.33, 0.33), (1.0, 0.0), (0.0, 0.0)]
            >>> [(each.learner_gpus, each.rollout_gpus) for each in EngineSettings(device="cuda").on_gpus(3, shards=2)]
            [(1.0, 1.0), (1.0, 1.0)]
        """
        if self.device == "cpu" or (self.device == "auto" and not found):
            return [self._with_gpus(0.0, 0.0)]
        workers = max(self.fleet(shards)[1], 1)
        # Those whose number is typed have theirs; the others share the rest.
        left = found - self.learners * self.gpus_of_learner - workers * self.gpus_of_worker
        sharing = (self.learners if self.learner_gpus is None else 0) + (workers if self.rollout_gpus is None else 0)
        shared = _share(left, max(sharing, 1))
        choices = [self._with_gpus(shared, shared)]
        if found > self.learners and sharing == self.learners + workers:
            choices.insert(0, self._with_gpus(1.0, _share(found - self.learners, workers)))
        if self.device == "auto":
            # On a cluster with few GPUs and many other nodes, all the workers do not fit beside the GPUs.
            choices += [self._with_gpus(_share(found, self.learners), 0.0), self._with_gpus(0.0, 0.0)]
        return choices

    def _with_gpus(self, learner: float, worker: float) -> "EngineSettings":
        """With so many for each kind whose number is not given."""
        given = (learner if self.learner_gpus is None else self.learner_gpus, self.rollout_gpus)
        return replace(self, learner_gpus=given[0], rollout_gpus=worker if given[1] is None else given[1])

    def fleet(self, shards: int) -> tuple[int, int]:
        """The fewest rollout workers to start with, and the most, where a draw has so many shards.

        Example:
            >>> EngineSettings(workers="auto:1-8").fleet(shards=4)
            (1, 4)
        """
        if not isinstance(self.workers, str):
            return self.workers or 0, self.workers or 0
        _, _, bounds = self.workers.partition(":")
        fewest, _, most = bounds.partition("-")
        # More workers than shards would have nothing to do.
        return int(fewest or 1), max(int(fewest or 1), min(int(most or shards), shards))

    def check(self) -> None:
        """Check what the annotations can't say.

        Raises:
            UsageError: a value makes no sense.
        """
        if isinstance(self.workers, str):
            match = _AUTO.fullmatch(self.workers)
            if not match or (match[1] and not 1 <= int(match[1]) <= int(match[2])):
                raise UsageError(
                    f"--workers is {self.workers}: give a number, auto, or auto:MIN-MAX with MIN from 1 to MAX"
                )
        if self.learners > 1 and self.workers == 0:
            raise UsageError(f"--learners {self.learners} with --workers 0, one process: give 1 worker or more")
        if ":" in self.device and self.workers not in (0, None):
            raise UsageError(
                f"--device {self.device} with rollout workers, to which Ray deals the GPUs: give --workers 0, or "
                "--device cuda and the GPUs to use in CUDA_VISIBLE_DEVICES"
            )
        # A rule of Ray's, whose own error would come only when an actor is started.
        for flag, gpus in (("--rollout-gpus", self.gpus_of_worker), ("--learner-gpus", self.gpus_of_learner)):
            if gpus > 1 and gpus != int(gpus):
                raise UsageError(f"{flag} {gpus}: GPUs above 1 come whole; give {math.ceil(gpus)}")


def _share(gpus: float, actors: int) -> float:
    """What each actor gets of so many GPUs: at most one, and two digits, rounded down, so that all of them fit.

    With none, one each: Ray's nodes then have too few, which the error says.
    """
    return min(1.0, math.floor(100 * gpus / actors) / 100) if gpus > 0 else 1.0
