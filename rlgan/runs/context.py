"""What stays the same while a run trains, however often its learner is replaced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol

from rlgan.engine.engine import Engine, P, W
from rlgan.engine.settings import RunConfig
from rlgan.runs.budget import Budget
from rlgan.runs.checkpoints import Checkpoints
from rlgan.runs.meter import WallTime
from rlgan.runs.recorder import Recorder
from rlgan.runs.terminal import Terminal
from rlgan.types import Evaluation, Metrics, Plan


# To be replaced by those of rlgan.task.
class Schedule(Protocol):
    """Which step computes what, and how steps, epochs and batches go together."""

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations where nothing is asked."""
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


class Reporter(Protocol):
    """Puts what was found into words."""

    def brief(self, evaluation: Evaluation) -> str:
        """The score in a few words, for the progress bar."""
        ...

    def summary(self, evaluation: Evaluation) -> list[str]:
        """An evaluation in a line or more."""
        ...

    def collapse(self, metrics: Metrics) -> str | None:
        """What in the metrics of a step or of an evaluation says that the generator has collapsed; None for nothing."""
        ...


@dataclass(frozen=True)
class Facts:
    """What the loop has to know of a task, as data."""

    selection_metric: str  # of an evaluation: the checkpoint where it is least is the best
    throughput_metric: str  # of an update: what the generator learned from; speeds are given in it
    lag: int  # rollouts of step t are made with the weights after update max(t - lag, 0)


@dataclass(frozen=True)
class TrainingContext(Generic[W, P]):
    """What stays the same while a run trains, however often its learner is replaced."""

    schedule: Schedule
    reporter: Reporter
    facts: Facts
    labels: Mapping[str, str]  # what every result of the run says of it
    recipe_id: str  # SHA-256 of the recipe and the data, for the checkpoints
    settings: RunConfig
    engine: Engine[W, P]
    checkpoints: Checkpoints
    recorder: Recorder
    terminal: Terminal
    budget: Budget
    wall_time: WallTime
