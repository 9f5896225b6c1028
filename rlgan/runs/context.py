"""What stays the same while a run trains, however often its learner is replaced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from rlgan.engine.engine import Engine, P, W
from rlgan.runs.budget import Budget
from rlgan.runs.checkpoints import Checkpoints
from rlgan.runs.meter import WallTime
from rlgan.runs.observers import Observers
from rlgan.runs.recorder import Recorder
from rlgan.runs.settings import RecordSettings
from rlgan.task import Facts, Reporter, Schedule


@dataclass(frozen=True)
class TrainingContext(Generic[W, P]):
    """What stays the same while a run trains, however often its learner is replaced."""

    schedule: Schedule
    reporter: Reporter
    facts: Facts
    labels: Mapping[str, str]  # what every result of the run says of it
    recipe_id: str  # SHA-256 of the recipe and the data, for the checkpoints
    record: RecordSettings
    engine: Engine[W, P]
    checkpoints: Checkpoints
    recorder: Recorder
    observers: Observers
    budget: Budget
    wall_time: WallTime
