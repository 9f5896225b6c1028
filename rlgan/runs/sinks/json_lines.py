"""metrics.jsonl, the run's main record: a line of JSON per evaluation."""

import json

from rlgan.runs.files import replace
from rlgan.runs.sinks.sink import Record, SinkContext
from rlgan.runs.storage import Place


class JsonLines:
    """Writes metrics.jsonl."""

    def __init__(self, context: SinkContext) -> None:
        self._file = context.run.metrics_file
        before = _lines(self._file)
        self._kept = [line for line in before if _step(line) <= context.after]
        if self._kept != before:
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
        self._kept.append(json.dumps(line | {"shards_by_worker": dict(record.shards_by_worker)}))
        self._save()

    def close(self) -> None:
        """Nothing is left to write."""

    def _save(self) -> None:
        # The whole file each time, not a line at its end: a full disk then leaves no half of a line, and an object of
        # a store can't be appended to. It has a line per evaluation, so that it stays small.
        replace(self._file, "".join(line + "\n" for line in self._kept).encode())


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
