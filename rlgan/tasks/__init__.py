"""The tasks: all that is particular to one kind of GAN, each in one file."""

from collections.abc import Callable
from typing import Protocol

import torch

from rlgan.config import TextConfig
from rlgan.learner import Learner
from rlgan.types import Evaluation, Metrics, Plan, Rollout, Weights


class ShardMaker(Protocol):
    """What a rollout worker holds."""

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> Rollout:
        """Make one shard of a training step: a pure function."""
        ...


class Evaluator(Protocol):
    """What measures weights."""

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure them: a pure function."""
        ...


class Task(Protocol):
    """What the loop and the processes ask of a task. Picklable."""

    @property
    def config(self) -> TextConfig:
        """The recipe."""
        ...

    @property
    def shard_maker(self) -> Callable[[torch.device], ShardMaker]:
        """Makes, on a device, what makes shards. Picklable, and without the data."""
        ...

    def learner(self, device: torch.device) -> Learner:
        """A learner with fresh networks."""
        ...

    def evaluator(self, device: torch.device) -> Evaluator:
        """What measures weights on the task's data."""
        ...

    def plan(self, step: int) -> Plan:
        """What a training step computes."""
        ...

    def epoch(self, step: int) -> float:
        """Passes over the real data before a step."""
        ...

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        ...

    def collapse(self, metrics: Metrics) -> str | None:
        """What in the metrics of a step or of an evaluation says that the generator has collapsed; None for nothing."""
        ...
