"""The folder of a table: what is to be trained, and what has been.

FOLDER/table.json                      which table it is, its facts, its rows
FOLDER/<row>/seed-<n>/                 a run, as `rlgan train` makes it
FOLDER/<row>/seed-<n>.json             whether it has ended, and why where it failed
FOLDER/<row>/seed-<n>.<name>.json      what `rlgan evaluate --json` said of it
FOLDER/<files of the report>
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlgan.errors import RunError, UsageError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.files import read_json, replace
from rlgan.runs.loading import saved_settings
from rlgan.settings import flatten
from rlgan.table import Files, RowResult, RunResult, TableResults
from rlgan.task import Task

MANIFEST = "table.json"
ROW = {"row", "group", "words", "recipe", "seeds"}  # what it says of each row


@dataclass(frozen=True)
class PlannedRow:
    """A row of a table, with its words put together and its recipe."""

    name: str  # of its folder
    row: str
    group: str
    words: tuple[str, ...]  # of `rlgan train TASK`
    recipe: Any
    seeds: tuple[int, ...]


class TableFolder:
    """The folder of a table.

    Args:
        path: where it lies.
        table: the name of the table.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = TableFolder(Path(folder), "losses")
        ...     table.set_status("hinge", 0, failure=None)
        ...     table.status("hinge", 0)["ended"], table.status("hinge", 1)["ended"]
        (True, False)
    """

    def __init__(self, path: Path, table: str) -> None:
        self.path = path
        self.table = table

    def manifest(self) -> dict[str, Any] | None:
        """What the folder is to hold; None where nothing is there.

        Raises:
            UsageError: it holds something else.
            RunError: it can't be read.
        """
        file = self.path / MANIFEST
        if not file.is_file():
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise UsageError(f"--out {self.path} is there and holds no table: give another path, or an empty one")
            return None
        manifest = read_json(file)
        if (
            not isinstance(manifest, dict)
            or not {"table", "facts", "rows"} <= manifest.keys()
            or not isinstance(manifest["rows"], dict)
            or not all(isinstance(row, dict) and row.keys() >= ROW for row in manifest["rows"].values())
        ):
            raise RunError(f"{file} can't be read: it is damaged, or of another version of rlgan")
        if manifest["table"] != self.table:
            raise UsageError(f"--out {self.path} holds {manifest['table']}, not {self.table}: give another path")
        return manifest

    def plan(self, facts: Mapping[str, Any], rows: tuple[PlannedRow, ...]) -> None:
        """Write what is to be trained, beside what was planned before.

        Raises:
            UsageError: the folder holds another table, or the same of other facts.
        """
        manifest = self.manifest() or {"table": self.table, "facts": dict(facts), "rows": {}}
        before = manifest["facts"]
        different = next((name for name, value in facts.items() if before.get(name, value) != value), None)
        if different is not None:
            raise UsageError(
                f"--out {self.path} holds a table whose {different} is {before.get(different)}, not "
                f"{facts[different]}: give another path, or the same as before"
            )
        manifest["facts"] = dict(facts) | before
        planned = manifest["rows"]
        for row in rows:
            seeds = sorted({*row.seeds, *planned.get(row.name, {}).get("seeds", [])})
            planned[row.name] = {
                "row": row.row, "group": row.group, "words": row.words, "recipe": flatten(row.recipe), "seeds": seeds,
            }  # fmt: skip
        self.path.mkdir(parents=True, exist_ok=True)
        replace(self.path / MANIFEST, json.dumps(manifest, indent=1).encode())

    def run_dir(self, row: str, seed: int) -> Path:
        """Where a run lies."""
        return self.path / row / f"seed-{seed}"

    def status(self, row: str, seed: int) -> dict[str, Any]:
        """Whether a run has ended (`ended`), and why it failed (`failure`, or None)."""
        file = self.path / row / f"seed-{seed}.json"
        return dict(read_json(file)) if file.is_file() else {"ended": False, "failure": None}

    def set_status(self, row: str, seed: int, *, failure: str | None) -> None:
        """Note that a run has ended."""
        file = self.path / row / f"seed-{seed}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, json.dumps({"ended": True, "failure": failure}).encode())

    def write(self, files: Files) -> None:
        """Write the files of the report.

        Raises:
            RunError: one can't be written.
        """
        for name, content in files.items():
            replace(self.path / name, content)

    def results(self, task: Task, trusted: Collection[str] | None) -> TableResults:
        """What has been recorded so far.

        Args:
            task: of the runs.
            trusted: what of code from outside the recipes may name, as `foreign_names` has it; None: anything.

        Raises:
            UsageError: there is no table.
            RunError: a file can't be read, or is not trusted.
        """
        manifest = self.manifest()
        if manifest is None:
            raise UsageError(f"--out {self.path} holds no table: make it first, without --report-only")
        rows = tuple(
            RowResult(
                name,
                row["row"],
                row["group"],
                saved_settings(row, task, f"{self.path / MANIFEST}, row {name},", trusted),
                tuple(row["words"]),
                tuple(self._runs(name, row["seeds"])),
            )
            for name, row in manifest["rows"].items()
        )
        return TableResults(manifest["facts"], rows)

    def _runs(self, row: str, seeds: list[int]) -> Iterator[RunResult]:
        for seed in seeds:
            folder = self.run_dir(row, seed)
            metrics = _lines(folder / "metrics.jsonl")
            failure = self.status(row, seed)["failure"]
            if not metrics and failure is None:
                continue
            kinds = RunDirectory(folder).config().get("kinds", {}) if (folder / "config.json").is_file() else {}
            evaluations = {
                file.name.split(".")[1]: read_json(file) for file in sorted(folder.parent.glob(f"seed-{seed}.*.json"))
            }
            yield RunResult(seed, metrics, kinds, evaluations, failure)


def _lines(file: Path) -> tuple[dict[str, Any], ...]:
    """The lines of metrics.jsonl, which a run replaces as a whole."""
    try:
        return tuple(json.loads(line) for line in file.read_bytes().decode().splitlines()) if file.exists() else ()
    except ValueError as error:
        raise RunError(f"{file} can't be read: {error}") from None
