"""A run for each of several seeds, in processes of their own, as many at a time as there are CPUs to use."""

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rlgan.engine.processes import usable_cpus
from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.side_by_side import Job, Send, run_side_by_side
from rlgan.runs.streams import say


def train_seeds(
    main: Callable[[list[str]], int], command: list[str], folder: Path, seeds: Sequence[int], *, resume: bool
) -> bool:
    """Train one run for each seed in FOLDER/seed-<n>/.

    Args:
        main: the command line; takes words and returns an exit code. Picklable.
        command: the words that train one run, as `["train", "gaussian", "--steps", "100"]`. `--seeds`, `--seed` and
            `--run-dir` are added to them: of a flag that comes twice, the last one counts.
        folder: for the runs.
        seeds: one for each run.
        resume: whether the folder may hold runs to go on with.

    Returns:
        Whether all runs came to their end. False: somebody asked to stop, and each run has saved and stopped.

    Raises:
        RunError: the directory holds something and this is no resume, or runs failed.
    """
    if not resume:
        RunDirectory(folder).check(resume=False)
    folder.mkdir(parents=True, exist_ok=True)
    # A seed may have none yet where others have runs to go on with.
    typed = [*command, "--resume", "auto"] if resume else command
    say(f"{len(seeds)} runs in {folder}")
    report = _Report()
    jobs = [Job(str(seed), partial(_train_one, main, typed, folder / f"seed-{seed}", seed)) for seed in seeds]
    stopped = run_side_by_side(jobs, usable_cpus(), report)
    if report.failed:
        names = ", ".join(report.failed)
        raise RunError(
            f"seeds {names} of {len(seeds)} failed, for the reason above; --resume goes on with what they have saved"
        )
    if stopped:
        say(f"All runs were stopped by {stopped} and have saved; to go on, type the same with --resume")
    return not stopped


class _Report:
    """Says how runs have ended, by seed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def started(self, name: str) -> None:
        """Say nothing."""

    def received(self, name: str, message: object) -> None:
        """Say nothing: runs of seeds send nothing."""

    def ended(self, name: str, code: int) -> None:
        """Say it."""
        say(f"seed {name}: {'failed' if code else 'done'}")
        if code:
            self.failed.append(name)


def _train_one(
    main: Callable[[list[str]], int],
    command: list[str],
    run_dir: Path,
    seed: int,
    send: Send,  # noqa: ARG001 there is nothing to tell
) -> int:
    typed = [*command, "--seeds", "1", "--seed", str(seed), "--run-dir", str(run_dir)]
    # What is said is in the run's own log; several runs at once would mix their lines here.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        return main(typed)
