"""The tasks: all that is particular to one kind of GAN, each in one file."""

import importlib
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.types import Evaluation, Map, Metrics, Plan, Rollout, Weights


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
    """What the loop, the processes and the command line ask of a task. Picklable."""

    @property
    def config(self) -> Any:
        """The recipe, with all that it left to the data."""
        ...

    @property
    def identity(self) -> tuple[object, ...]:
        """What the result depends on, recipe and data, for JSON: a resumed run must have the same."""
        ...

    @property
    def data(self) -> str:
        """What the data is called."""
        ...

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words of a text task, by token."""
        ...

    @property
    def shared(self) -> Path | None:
        """The folder that `prepare` writes to and the learner reads from; None where it needs none."""
        ...

    @property
    def about(self) -> list[str]:
        """Lines for people: what is trained, on what."""
        ...

    @property
    def lag(self) -> int:
        """Rollouts of step t are made with the weights after update max(t - lag, 0)."""
        ...

    @property
    def shards(self) -> int:
        """Parts in which a batch of rollouts is made; 0 where no step has any."""
        ...

    @property
    def parts(self) -> int:
        """Learners that can share a batch: as many, or a number that divides it."""
        ...

    @property
    def score(self) -> str:
        """The metric of an evaluation that says which checkpoint is the best: the one where it is least."""
        ...

    @property
    def unit(self) -> str:
        """The metric of an update that counts what the generator learned from; speeds are given in it."""
        ...

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations where nothing is asked."""
        ...

    @property
    def shard_maker(self) -> Callable[[torch.device], ShardMaker]:
        """Makes, on a device, what makes shards. Picklable, and without the data."""
        ...

    def prepare(self, map_: Map, say: Callable[[str], None]) -> None:
        """Do what must be done once before the data can be read, by who is there to do it; say how it goes.

        Raises:
            DataError: the data can't be used.
        """
        ...

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks: one of a group that shares every batch."""
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

    def brief(self, evaluation: Evaluation) -> str:
        """What an evaluation found, in some words for people."""
        ...

    def summary(self, evaluation: Evaluation) -> list[str]:
        """What an evaluation found, in a line or more for people."""
        ...

    def collapse(self, metrics: Metrics) -> str | None:
        """What in the metrics of a step or of an evaluation says that the generator has collapsed; None for nothing."""
        ...


def load(name: str, recipe: Any) -> Task:
    """The task of a recipe, with its data.

    Raises:
        DataError: the data can't be had or does not fit the settings.
    """
    # Imported where it is needed: each brings what only it uses.
    loaded: Task = resolve(TASKS[name])(recipe)
    return loaded


TASKS = {
    "text": "rlgan.text.task:TextTask.load",
    "gaussian": "rlgan.gaussian.task:GaussianTask",
    "image": "rlgan.images.task:ImageTask.load",
}


def resolve(name: str) -> Any:
    """Import what `module:object` names."""
    module, _, path = name.partition(":")
    return operator.attrgetter(path)(importlib.import_module(module))
