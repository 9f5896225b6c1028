"""Which run may have been meant, where there is none."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from rlgan.runs.storage import Place

SHOWN = 3


def seeds_in(folder: Path) -> list[Path]:
    """The runs of several seeds in a directory, in the order of the seeds; none where it is a run itself.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("seed-10", "seed-2", "seed-best"):
        ...         Path(folder, name).mkdir()
        ...     [seed.name for seed in seeds_in(Path(folder))]
        ['seed-2', 'seed-10']
    """
    numbered = [(entry.name.removeprefix("seed-"), entry) for entry in folder.glob("seed-*")]
    # By number: by name, seed-10 would come before seed-2.
    return [entry for _, entry in sorted((int(number), entry) for number, entry in numbered if number.isdecimal())]


def meant_runs(path: Place) -> str:
    """A question, to follow that there is no run: which of those in the directory, or of nearly that name, was meant.

    Args:
        path: that was given. In a store nothing is searched.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "paper").mkdir()
        ...     Path(folder, "paper", "config.json").touch()
        ...     meant_runs(Path(folder, "papr")).replace(folder, "runs")
        '. Did you mean runs/paper?'
    """
    if not isinstance(path, Path):
        return ""
    within = _runs(path.glob("*"))
    # Of several seeds, their folder can be evaluated and sampled from as a run can.
    beside = {run.name: run for run in _runs(path.parent.glob("*"), seeds=True)}
    found = within or [beside[name] for name in difflib.get_close_matches(path.name, beside, n=SHOWN)]
    return f". Did you mean {' or '.join(map(str, found[:SHOWN]))}?" if found else ""


def _runs(folders: Iterable[Path], *, seeds: bool = False) -> list[Path]:
    # Unlike a path's own method, this raises nothing where a folder may not be read.
    return sorted(each for each in folders if os.path.isfile(each / "config.json") or (seeds and seeds_in(each)))
