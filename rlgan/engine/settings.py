"""How a recipe is run: processes, bounds, checkpoints. No torch, no ray: the command line must answer at once."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from rlgan.errors import UsageError
from rlgan.settings import _flag, _require, check_address, printable

Placement = Literal["spread", "pack"]


@dataclass(frozen=True)
class RunConfig:
    """How the recipe is run: nothing here changes the result, but for --mixed-fleet; all may change on --resume."""

    run_dir: str | None = None
    """Where everything is written: a path, or an address that fsspec opens, as s3://bucket/run. By default
    runs/<task>-<method>-<time>."""
    resume: bool = False
    """Go on from the newest whole checkpoint in --run-dir; start afresh where there is none."""
    workers: int | str = 2
    """Rollout workers (Ray actors). 0: all in this process, without Ray; the same result, bit for bit. auto or
    auto:MIN-MAX: as many as the nodes that come and go have room for and the shards give work to."""
    worker_cpus: float = 1.0
    """CPUs that Ray sets aside per rollout worker; it computes with one thread in any case."""
    rollout_gpus: float = 0.0
    """GPUs per rollout worker; a fraction shares one. 0: CPU."""
    learners: int = 1
    """Learners (Ray actors) that share every batch and average their gradients. Their number changes the last bits of
    the result, and nothing else does."""
    learner_cpus: float = 1.0
    """CPUs that Ray sets aside for each learner."""
    learner_gpus: float = 0.0
    """GPUs of each learner. 0: CPU."""
    placement: Placement = "spread"
    """Where rollout workers go. spread: to the node with the fewest; pack: fill a node, the learner's first."""
    mixed_fleet: bool = False
    """Let rollout workers be of several kinds (device model, CPU instruction set, library versions). The result is then
    not bit-identical."""
    steps: int | None = None
    """Stop after this many training steps."""
    epochs: float | None = None
    """Stop after this many passes over the real training data."""
    minutes: float | None = None
    """Stop after this much time in training, earlier parts of a resumed run included."""
    evaluate_every: int | None = None
    """Steps between evaluations, beside one before the first and one at the end. By default so many that evaluations
    take little of the time: of text 189 on the stories, 553 on the Penn Treebank; of pictures an epoch."""
    checkpoint_every: int = 100
    """Steps between checkpoints; there is one at the end in any case."""
    keep_checkpoints: int = 3
    """How many of the newest are kept, beside the best by the task's score (text: validation perplexity)."""
    on_collapse: Literal["warn", "stop"] = "warn"
    """What to do when the generator makes nearly always the same: text in ten steps in a row, others at an
    evaluation."""
    log_every: int = 10
    """Steps between training scalars in TensorBoard."""

    @property
    def learning(self) -> str:
        """Who learns, for people."""
        return f"{self.learners} learners" if self.learners > 1 else "a learner"

    def fleet(self, shards: int) -> tuple[int, int]:
        """The fewest rollout workers to start with, and the most, where a draw has so many shards."""
        if isinstance(self.workers, int):
            return self.workers, self.workers
        _, _, bounds = self.workers.partition(":")
        fewest, _, most = bounds.partition("-")
        return int(fewest or 1), max(int(fewest or 1), min(int(most or shards), shards))

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        if isinstance(self.workers, str):
            match = _AUTO.fullmatch(self.workers)
            if not match or (match[1] and not 1 <= int(match[1]) <= int(match[2])):
                raise UsageError(
                    f"--workers is {self.workers}: give a number, auto, or auto:MIN-MAX with MIN from 1 to MAX"
                )
        else:
            _require(self, "workers", "0 or more", lambda value: value >= 0)
        for name in ("rollout_gpus", "learner_gpus"):
            _require(self, name, "0 or more", lambda value: value >= 0)
        for name in ("worker_cpus", "learner_cpus"):
            _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("learners", "checkpoint_every", "keep_checkpoints", "log_every"):
            _require(self, name, "1 or more", lambda value: value >= 1)
        if self.learners > 1 and self.workers == 0:
            raise UsageError(f"--learners {self.learners} with --workers 0, one process: give 1 worker or more")
        for name in ("steps", "epochs", "minutes", "evaluate_every"):
            if getattr(self, name) is not None:
                _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("rollout_gpus", "learner_gpus"):
            gpus = getattr(self, name)
            if gpus > 1 and gpus != int(gpus):
                raise UsageError(f"{_flag(name)} {gpus}: GPUs above 1 come whole; give {math.ceil(gpus)}")
        if self.run_dir == "":
            raise UsageError("--run-dir is empty: give a path, or leave it out")
        if self.run_dir and printable(self.run_dir) != self.run_dir:
            raise UsageError(f"--run-dir {self.run_dir} is not UTF-8, which TensorBoard needs: give another path")
        check_address("--run-dir", self.run_dir or "")
        if self.resume and self.run_dir is None:
            raise UsageError("--resume needs --run-dir: say which run to go on with")


_AUTO = re.compile(r"auto(?::(\d+)-(\d+))?")


# No rollouts, so nothing that workers could do; and a step takes milliseconds.
GAUSSIAN_RUN = RunConfig(workers=0, checkpoint_every=500)
# Workers decode pictures, once, and then rest.
IMAGE_RUN = RunConfig(workers=0)
