"""Gauges for Prometheus, by way of Ray, whose agent on every node exports them."""

from rlgan.runs.sinks.sink import Record, SinkContext


class Prometheus:
    """Sets the gauge `ray_rlgan_NAME{run=...}` for each NAME in `Record.run`; without Ray there is none to set.

    Example:
        >>> from rlgan.runs.directory import RunDirectory
        >>> context = SinkContext(RunDirectory("memory://runs/a"), after=-1, export_metrics=print)
        >>> Prometheus(context).write(10, Record(run={"epoch": 2.0}))
        a {'epoch': 2.0, 'step': 10.0}
    """

    def __init__(self, context: SinkContext) -> None:
        self._export = context.export_metrics
        self._run_name = context.run.path.name

    def write(self, step: int, record: Record) -> None:
        """Set the gauges to what a record says of the run."""
        if record.run:
            self._export(self._run_name, record.run | {"step": float(step)})

    def close(self) -> None:
        """Nothing is left to write."""
