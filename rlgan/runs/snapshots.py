"""What the evaluations of a run have left, in their order."""

import json
from pathlib import Path

from rlgan.runs.directory import RunDirectory
from rlgan.runs.sinks.pictures import picture_file
from rlgan.task import Snapshot


def snapshots_of(path: Path) -> tuple[Snapshot, ...]:
    """The evaluations of a run, each with the pictures that it drew.

    Args:
        path: the run's directory.
    """
    run = RunDirectory(path)
    lines = [json.loads(line) for line in (path / run.metrics_file.name).read_text().splitlines()]
    return tuple(Snapshot(line["step"], line["epoch"], line, _pictures(run.pictures, line["step"])) for line in lines)


def _pictures(folder: Path, step: int) -> dict[str, Path]:
    """The pictures of a step, by name."""
    return {file.name.rsplit("-", 4)[0]: file for file in folder.glob(picture_file("*", None, step))}
