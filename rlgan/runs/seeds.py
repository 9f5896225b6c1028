"""A run for each of several seeds, in processes of their own, as many at a time as there are CPUs to use."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from rlgan.engine.processes import usable_cpus
from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory
from rlgan.runs.signals import stopping
from rlgan.runs.streams import say

POLL_SECONDS = 0.2


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
    waiting, running, failed = list(seeds), dict[int, BaseProcess](), list[int]()
    # Not by forking: a copy of a process with threads may find a lock taken that nobody will give back.
    context = multiprocessing.get_context("spawn")
    say(f"{len(seeds)} runs in {folder}")
    with stopping() as stop:
        while running or (waiting and not stop.reason):
            while waiting and not stop.reason and len(running) < usable_cpus():
                seed = waiting.pop(0)
                run_dir = folder / f"seed-{seed}"
                running[seed] = context.Process(target=_train_one, args=(main, typed, run_dir, seed))
                running[seed].start()
            time.sleep(POLL_SECONDS)
            ended = {seed: process.exitcode for seed, process in running.items() if not process.is_alive()}
            for seed in ended:
                del running[seed]
            if stop.reason:
                stop.take()
                _stop(running.values())
            else:
                _report(ended)
                failed += [seed for seed, code in ended.items() if code]
    if failed:
        names = ", ".join(map(str, failed))
        raise RunError(
            f"seeds {names} of {len(seeds)} failed, for the reason above; --resume goes on with what they have saved"
        )
    if stop.reason:
        say(f"All runs were stopped by {stop.reason} and have saved; to go on, type the same with --resume")
    return not stop.reason


def _stop(processes: Collection[BaseProcess]) -> None:
    """Ask each run to save and stop, and wait until all have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _report(ended: dict[int, int | None]) -> None:
    """Say how runs have ended, by seed."""
    for seed, code in ended.items():
        say(f"seed {seed}: {'failed' if code else 'done'}")


def _train_one(main: Callable[[list[str]], int], command: list[str], run_dir: Path, seed: int) -> None:
    # In a session of its own: Ctrl-C in a terminal reaches all processes of a session, and this one would be asked to
    # stop twice, by the terminal and by its parent; the second request kills.
    os.setsid()
    typed = [*command, "--seeds", "1", "--seed", str(seed), "--run-dir", str(run_dir)]
    # What is said is in the run's own log; several runs at once would mix their lines here.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main(typed)
    raise SystemExit(code)
