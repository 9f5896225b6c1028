"""Where the metrics of a run go: a file for each sink, and the table of their names.

A sink is a class that is made from a `SinkContext` and has two methods, `write(step, record)` and `close()`; the three
types are in `rlgan.runs.sinks.sink`. To add one, write it anywhere Python finds it, and name it `module:Class`:

    # mytools/csv_sink.py, used by: rlgan train --sinks json_lines mytools.csv_sink:CsvSink
    class CsvSink:
        def __init__(self, context):
            self.file = (context.run.local / "scalars.csv").open("a")

        def write(self, step, record):
            for name, value in record.scalars().items():
                print(step, name, value, sep=",", file=self.file, flush=True)

        def close(self):
            self.file.close()
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rlgan.settings import resolve

if TYPE_CHECKING:  # the names of the sinks are listed by --help, which must not import numpy
    from rlgan.runs.sinks.sink import Sink, SinkContext

SINKS = {
    "json_lines": "rlgan.runs.sinks.json_lines:JsonLines",
    "tensorboard": "rlgan.runs.sinks.tensorboard:TensorBoard",
    "pictures": "rlgan.runs.sinks.pictures:Pictures",
    "prometheus": "rlgan.runs.sinks.prometheus:Prometheus",
}
DEFAULT_SINKS = tuple(SINKS)


def make_sinks(names: Sequence[str], context: "SinkContext") -> list["Sink"]:
    """Make the sinks of a run.

    Args:
        names: keys of `SINKS`, or `module:Class`; each name counts once.
        context: what they are made from.

    Returns:
        The sinks in the order in which they are to be written to: metrics.jsonl first, so that the failure of another
        sink does not keep an evaluation out of it; then in the order of the names.

    Raises:
        UsageError: a name is neither.
        RunError: what was recorded before can't be taken back.
    """
    ordered = sorted(dict.fromkeys(names), key=lambda name: name != "json_lines")
    factories: list[Callable[[SinkContext], Sink]] = [resolve(name, SINKS) for name in ordered]
    sinks = []
    with ExitStack() as opened:  # where one can't be made, those before it are closed
        for factory in factories:
            sinks.append(factory(context))
            opened.callback(sinks[-1].close)
        # All are made, and from here on it is the recorder that closes them.
        opened.pop_all()
    return sinks
