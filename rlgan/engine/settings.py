"""How a recipe is computed: processes, devices, placement. Imports neither torch nor ray."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from rlgan.errors import UsageError
from rlgan.settings import AtLeast, MoreThan

_AUTO = re.compile(r"auto(?::(\d+)-(\d+))?")


@dataclass(frozen=True)
class EngineSettings:
    """The processes that compute. Only --mixed-fleet changes the result, and --learners changes its last bits."""

    workers: Annotated[int, AtLeast(0)] | str = 2
    """Rollout workers (Ray actors). 0: everything in this process, without Ray; the same result, bit for bit. auto or
    auto:MIN-MAX: as many as there is room for on the nodes, which may come and go, and as the shards keep busy."""
    worker_cpus: Annotated[float, MoreThan(0)] = 1.0
    """CPUs that Ray reserves for each rollout worker, which computes with one thread in any case."""
    rollout_gpus: Annotated[float, AtLeast(0)] = 0.0
    """GPUs for each rollout worker; a fraction shares one. 0: CPU."""
    learners: Annotated[int, AtLeast(1)] = 1
    """Learners (Ray actors) that share every batch and average their gradients. Their number changes the last bits of
    the result, and nothing else here does."""
    learner_cpus: Annotated[float, MoreThan(0)] = 1.0
    """CPUs that Ray reserves for each learner."""
    learner_gpus: Annotated[float, AtLeast(0)] = 0.0
    """GPUs for each learner. 0: CPU."""
    placement: Literal["spread", "pack"] = "spread"
    """Where rollout workers go. spread: to the node with the fewest; pack: fill one node, the learner's first."""
    mixed_fleet: bool = False
    """Allow rollout workers on machines of several kinds (device model, CPU instruction set, library versions). The
    result is then not bit-identical."""

    @property
    def learning(self) -> str:
        """How many learners there are, in words."""
        return f"{self.learners} learners" if self.learners > 1 else "a learner"

    def fleet(self, shards: int) -> tuple[int, int]:
        """The fewest rollout workers to start with, and the most, where a draw has so many shards.

        Example:
            >>> EngineSettings(workers="auto:1-8").fleet(shards=4)
            (1, 4)
        """
        if isinstance(self.workers, int):
            return self.workers, self.workers
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
        # A rule of Ray's, whose own error would come only when an actor is started.
        for flag, gpus in (("--rollout-gpus", self.rollout_gpus), ("--learner-gpus", self.learner_gpus)):
            if gpus > 1 and gpus != int(gpus):
                raise UsageError(f"{flag} {gpus}: GPUs above 1 come whole; give {math.ceil(gpus)}")
