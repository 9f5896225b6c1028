"""How long a recipe is run, and what is kept of it. Imports neither torch nor ray."""

from dataclasses import dataclass
from typing import Annotated, Literal

from rlgan.engine.settings import EngineSettings
from rlgan.errors import UsageError
from rlgan.runs.sinks import DEFAULT_SINKS, SINKS
from rlgan.settings import AtLeast, Choice, Metavar, TypedPath, check_address
from rlgan.task import Bounds

OnCollapse = Literal["warn", "stop"]


@dataclass(frozen=True)
class RecordSettings:
    """What is evaluated, saved and shown, and how often."""

    evaluate_every: Annotated[int, AtLeast(1), Metavar("STEPS")] | None = None
    """Steps between evaluations, besides one before the first step and one at the end. By default as many as keep
    evaluations to a small share of the time, by the size of the data."""
    checkpoint_every: Annotated[int, AtLeast(1), Metavar("STEPS")] = 100
    """Steps between checkpoints; there is one at the end in any case."""
    keep_checkpoints: Annotated[int, AtLeast(1)] = 3
    """How many of the newest checkpoints are kept, besides the best by the task's selection metric."""
    on_collapse: OnCollapse = "warn"
    """What to do when the generator makes nearly the same thing every time: in ten steps in a row or, where steps do
    not tell, at an evaluation."""
    log_every: Annotated[int, AtLeast(1), Metavar("STEPS")] = 10
    """Steps between training scalars in TensorBoard."""
    sinks: tuple[Annotated[str, Choice(SINKS, "metric sink")], ...] = DEFAULT_SINKS
    """Where metrics are written."""


@dataclass(frozen=True)
class RunSettings:
    """How the recipe is run: all may change with --resume; only --mixed-fleet, --learners and --device change bits."""

    run_dir: Annotated[str | None, TypedPath()] = None
    """Where everything is written: a path, or an address that fsspec opens, as s3://bucket/run. By default a
    new directory in runs/, named after what is trained and the time."""
    resume: Annotated[bool | Literal["auto"], Metavar("[auto]")] = False
    """Continue from the newest whole checkpoint of the run in --run-dir. auto: start afresh where there is no run, as
    a job does that is submitted again and again."""
    bounds: Bounds = Bounds()
    engine: EngineSettings = EngineSettings()
    record: RecordSettings = RecordSettings()

    def check(self) -> None:
        """Check what the annotations can't say.

        Raises:
            UsageError: a value makes no sense.
        """
        if self.run_dir == "":
            raise UsageError("--run-dir is empty: give a path, or leave it out")
        try:
            (self.run_dir or "").encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"--run-dir {self.run_dir} is not UTF-8, which TensorBoard needs: give another path"
            ) from None
        check_address("--run-dir", self.run_dir or "")
        if self.resume and self.run_dir is None:
            raise UsageError("--resume needs --run-dir: say which run to continue")
