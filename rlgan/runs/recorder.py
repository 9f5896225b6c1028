"""What a run measures, on its way to the metric sinks."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.sinks import make_sinks
from rlgan.runs.sinks.json_lines import last_step
from rlgan.runs.sinks.sink import Record, Sink, SinkContext
from rlgan.task import NOT_DESCRIBED, Measures
from rlgan.types import Evaluation, Metrics


class Recorder:
    """Writes to the sinks of a run; before the first write, `rewind` is to be called.

    Args:
        run: the run's directory.
        sinks: names, as `rlgan.runs.sinks.make_sinks` takes them.
        export_metrics: hands a run's metrics, by its name, to the cluster's monitoring.
        say: tells a person a line.
        measures: how the task's measures are shown.

    Attributes:
        last_step: the step of the last evaluation that was recorded; -1 where there is none.
    """

    def __init__(
        self,
        run: RunDirectory,
        sinks: Sequence[str],
        export_metrics: Callable[[str, Metrics], None],
        say: Callable[[str], None] = print,
        measures: Measures = NOT_DESCRIBED,
    ) -> None:
        self._run = run
        self._names = sinks
        self._export_metrics = export_metrics
        self._say = say
        self._measures = measures
        self._sinks: list[Sink] = []
        self.last_step = -1

    def rewind(self, after: int) -> None:
        """Take back what was recorded after a step, and open the sinks anew.

        Args:
            after: the step of the checkpoint that training goes on from, or -1.

        Raises:
            RunError: that can't be written, or another process has claimed the run.
        """
        # First: a sink that is still open would write after what is taken back.
        self.close()
        self._run.check_claim()
        self._sinks = make_sinks(self._names, SinkContext(self._run, after, self._export_metrics, self._measures))
        self.last_step = last_step(self._run.metrics_file, after)

    def training(self, step: int, metrics: Metrics) -> None:
        """Record the metrics of one update."""
        self._write(step, Record(training=metrics))

    def score(self, step: int, metrics: Metrics) -> None:
        """Record what is measured cheaply and often."""
        self._write(step, Record(score=metrics))

    def progress(self, step: int, metrics: Metrics) -> None:
        """Record the current state of the run, for those who watch it; the next evaluation records it permanently."""
        self._write(step, Record(run=metrics))

    def evaluation(
        self,
        step: int,
        evaluation: Evaluation,
        metrics: Metrics,
        labels: Mapping[str, str],
        shards_by_worker: Mapping[str, int],
    ) -> None:
        """Record an evaluation.

        Args:
            step: updates so far.
            evaluation: of the weights.
            metrics: of training since the last evaluation, and of the processes.
            labels: what every result of the run says of it.
            shards_by_worker: the number of shards made so far.

        Raises:
            RunError: the disk is full, say, or another process has claimed the run.
        """
        # Of a run in a store another process may have the claim by now, and must not find our line in its metrics.
        self._run.check_claim()
        self._write(step, Record({}, metrics, evaluation, labels, shards_by_worker))
        self.last_step = step

    def close(self) -> None:
        """Close the sinks."""
        for sink in self._sinks:
            _close(sink)
        self._sinks = []

    def _write(self, step: int, record: Record) -> None:
        for sink in list(self._sinks):
            try:
                sink.write(step, record)
            # metrics.jsonl, the record that stays, raises RunError. The others show something, and end no run.
            except (OSError, ValueError) as error:
                self._sinks.remove(sink)
                _close(sink)
                self._say(f"{type(sink).__name__} can't write the metrics of step {step} ({error}); it is left out")
        try:
            if record.evaluation is not None:
                self._run.publish()
        except OSError as error:
            raise RunError(
                f"The metrics of step {step} can't be written: {error}; {self._run.checkpoints.survivor()}"
            ) from error


def _close(sink: Sink) -> None:
    # What a sink can't write any more it has said at an evaluation: said again, it would hide why the run ends.
    with suppress(OSError, ValueError):
        sink.close()
