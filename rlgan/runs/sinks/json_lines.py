"""metrics.jsonl, the run's main record: a line of JSON per evaluation."""

import json
from pathlib import Path

from rlgan.runs.files import append, replace
from rlgan.runs.sinks.sink import Record, SinkContext
from rlgan.runs.storage import Place


class JsonLines:
    r"""Writes metrics.jsonl.

    Example:
        >>> from rlgan.runs.directory import RunDirectory
        >>> from rlgan.types import Evaluation
        >>> run = RunDirectory("memory://json-lines")
        >>> sink = JsonLines(SinkContext(run, after=-1, export_metrics=print))
        >>> sink.write(100, Record(evaluation=Evaluation({"w1": 0.1}, series={}, texts=[], histograms={})))
        >>> run.metrics_file.read_bytes()
        b'{"step": 100, "w1": 0.1, "shards_by_worker": {}}\n'
    """

    def __init__(self, context: SinkContext) -> None:
        self._file = context.run.metrics_file
        self._kept = [line for line in _lines(self._file) if _step(line) <= context.after]
        self._size = len(self._content())  # in bytes, of what is there
        if self._file.exists() and self._file.read_bytes() != self._content():
            self._save()

    def write(self, step: int, record: Record) -> None:
        """Add a line for an evaluation.

        Raises:
            RunError: the disk is full, say; the lines before are as they were.
        """
        evaluation = record.evaluation
        if evaluation is None:
            return
        line = {"step": step, **record.labels, **evaluation.metrics, **evaluation.series, **record.run}
        written = json.dumps(line | {"shards_by_worker": dict(record.shards_by_worker)}) + "\n"
        # At its end, so that `tail -f` sees it, where the file is what was written before and its disk can append.
        if isinstance(self._file, Path) and self._file.is_file() and self._file.stat().st_size == self._size:
            append(self._file, written.encode())
            self._kept.append(written[:-1])
            self._size += len(written)
        else:
            self._kept.append(written[:-1])
            self._save()

    def close(self) -> None:
        """Nothing is left to write."""

    def _save(self) -> None:
        # An object of a store can't be appended to. The file has a line per evaluation, so that it stays small.
        replace(self._file, self._content())
        self._size = len(self._content())

    def _content(self) -> bytes:
        return "".join(line + "\n" for line in self._kept).encode()


def last_step(file: Place, after: int) -> int:
    """The step of the last evaluation in metrics.jsonl that was not later than `after`; -1 where there is none."""
    return int(max((step for line in _lines(file) if (step := _step(line)) <= after), default=-1))


def _lines(file: Place) -> list[str]:
    return file.read_bytes().decode(errors="replace").splitlines() if file.exists() else []


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # cut short when the process was killed: it is to be taken back
