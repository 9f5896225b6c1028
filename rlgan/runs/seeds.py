"""A run for each of several seeds, in processes of their own, as many at a time as there are CPUs to use."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rlgan.engine.processes import usable_cpus
from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.observers import Display
from rlgan.runs.progress import Progress
from rlgan.runs.side_by_side import Job, Send, run_side_by_side
from rlgan.runs.table_progress import Failure


def train_seeds(
    train: Callable[[list[str], Send], int],
    words: list[str],
    folder: Path,
    seeds: Sequence[int],
    display: Display,
    *,
    resume: bool,
) -> bool:
    """Train one run for each seed in FOLDER/seed-<n>/.

    Args:
        train: trains one run by words of `rlgan train`, sends its `Progress` and why it failed, and returns an exit
            code. Picklable.
        words: what was typed. `--seeds`, `--seed` and `--run-dir` are added to them: of a flag that comes twice, the
            last one counts.
        folder: for the runs.
        seeds: one for each run.
        display: shows how all of them stand; in its context.
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
    typed = [*words, "--resume", "auto"] if resume else words
    display.say(f"{len(seeds)} runs in {folder}")
    report = SeedsReport(len(seeds), display)
    jobs = [Job(str(seed), partial(_train_one, train, typed, folder / f"seed-{seed}", seed)) for seed in seeds]
    stopped = run_side_by_side(jobs, usable_cpus(), report)
    if report.failed:
        names = ", ".join(report.failed)
        raise RunError(
            f"seeds {names} of {len(seeds)} failed, for the reason above; --resume goes on with what they have saved"
        )
    if stopped:
        display.say(f"All runs were stopped by {stopped} and have saved; to go on, type the same with --resume")
    return not stopped


class SeedsReport:
    """Shows how runs stand, and says how they have ended, by seed.

    Args:
        count: how many runs there are.
        display: shows it.
    """

    def __init__(self, count: int, display: Display) -> None:
        self.failed: list[str] = []
        self._count = count
        self._display = display
        self._began = time.monotonic()
        self._running: dict[str, Progress] = {}
        self._ended = 0
        self._reasons: dict[str, str] = {}

    def started(self, name: str) -> None:
        """Show it."""
        self._running[name] = Progress("starting")
        self._show()

    def received(self, name: str, message: object) -> None:
        """Show where a run stands, or keep why it failed."""
        if isinstance(message, Progress):
            self._running[name] = message
            self._show()
        elif isinstance(message, Failure):
            self._reasons[name] = message.reason

    def ended(self, name: str, code: int) -> None:
        """Say it."""
        score = self._running.pop(name).score
        self._ended += 1
        if code:
            self.failed.append(name)
            reason = self._reasons.get(name)
            self._display.say(f"seed {name}: failed{f': {reason}' if reason else ''}")
        else:
            self._display.say(f"seed {name}: done{f', {score}' if score else ''}")
        self._show()

    def _show(self) -> None:
        done = (self._ended + sum(each.done or 0.0 for each in self._running.values())) / self._count
        cells = {f"seed {name}": _briefly(progress) for name, progress in self._running.items()}
        seconds = time.monotonic() - self._began
        self._display.show(Progress(f"training {self._count} seeds", done=done, seconds=seconds, cells=cells))


def _briefly(progress: Progress) -> str:
    """A run in a few words: the share of it that is done, and its score without what stands in brackets."""
    share = "" if progress.done is None else f" {progress.done:.0%}"
    score = progress.score.partition(" (")[0]
    return f"{progress.phase}{share}{f', {score}' if score else ''}"


def _train_one(train: Callable[[list[str], Send], int], words: list[str], run_dir: Path, seed: int, send: Send) -> int:
    typed = [*words, "--seeds", "1", "--seed", str(seed), "--run-dir", str(run_dir)]
    # What is said is in the run's own log; several runs at once would mix their lines here.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        return train(typed, send)
