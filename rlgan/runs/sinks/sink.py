"""The contract of a metric sink: what it is made from, what it is given, and its two methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rlgan.runs.directory import RunDirectory
from rlgan.task import NOT_DESCRIBED, Measures
from rlgan.types import Evaluation, Metrics


@dataclass(frozen=True)
class Record:
    """What there is to tell at a step. A record has one of these, or both `run` and `evaluation`; the rest is empty.

    - `score`: what is measured cheaply and often, for curves.
    - `training`: the metrics of one update, every `--log-every` steps.
    - `run`: means and speeds of training since the last evaluation, times, and counts of the processes; comes with
      every evaluation, and by itself every few seconds, for whoever watches a run.
    - `evaluation`: what was measured of the weights of this step, with what goes to its line in metrics.jsonl.
    """

    training: Metrics = field(default_factory=dict)
    run: Metrics = field(default_factory=dict)
    evaluation: Evaluation | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # of the run, as its method and preset; with an evaluation
    shards_by_worker: Mapping[str, int] = field(default_factory=dict)  # made so far; with an evaluation
    score: Metrics = field(default_factory=dict)

    def scalars(self) -> Metrics:
        """All numbers of the record by tag, as `training/loss_mle`, `run/epoch` and `evaluation/test_perplexity`.

        Example:
            >>> Record(training={"loss": 0.5}, run={"epoch": 2.0}).scalars()
            {'training/loss': 0.5, 'run/epoch': 2.0}
        """
        scalars = {f"training/{name}": value for name, value in self.training.items()}
        scalars |= {f"score/{name}": value for name, value in self.score.items()}
        if self.evaluation is not None:
            scalars |= {f"evaluation/{name}": value for name, value in self.evaluation.metrics.items()}
        scalars |= {f"run/{name}": value for name, value in self.run.items()}
        scalars |= {f"run/shards_{name}": count for name, count in self.shards_by_worker.items()}
        if self.evaluation is not None:
            for name, values in self.evaluation.series.items():
                scalars |= {f"positions/{name}/{position:02}": value for position, value in enumerate(values, 1)}
        return scalars


@dataclass(frozen=True)
class SinkContext:
    """What a sink is made from.

    Attributes:
        run: the run's directory. `run.local` is the folder to write files to, `run.config()` has the settings, and
            `run.path.name` is the run's name.
        after: the step of the checkpoint that training goes on from, or -1: what the sink was given at later steps in
            an earlier life of the run is to be taken back, because it will be given again.
        export_metrics: hands a run's metrics, by its name, to the cluster's monitoring.
        measures: what the task's measures are, and which belong into one chart.
    """

    run: RunDirectory
    after: int
    export_metrics: Callable[[str, Metrics], None]
    measures: Measures = NOT_DESCRIBED


class Sink(Protocol):
    """Takes what a run measures. It runs in the process that drives the run, between two steps: it should be quick.

    Example:
        >>> class Losses:
        ...     def __init__(self, context):  # a `SinkContext`
        ...         self.name = context.run.path.name
        ...
        ...     def write(self, step, record):
        ...         if "loss_mle" in record.training:
        ...             print(f"{self.name}, step {step}: {record.training['loss_mle']}")
        ...
        ...     def close(self):
        ...         pass
        >>> sink: Sink = Losses(SinkContext(RunDirectory("memory://runs/a"), after=-1, export_metrics=print))
        >>> sink.write(10, Record(training={"loss_mle": 2.5}))
        a, step 10: 2.5
    """

    # Positional alone, so that a sink of one's own may call its parameters what it likes.
    def write(self, step: int, record: Record, /) -> None:
        """Take what there is to tell after `step` updates.

        Raises:
            OSError, ValueError: it can't be written. A line says so, and the run goes on without this sink.
        """
        ...

    def close(self) -> None:
        """Write what is not written yet. Called once, also when a run fails or goes back to a checkpoint."""
        ...
