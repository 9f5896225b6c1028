"""Several seeds: a run for each, in processes of their own, as many at a time as there are cores."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from rlgan.errors import RunError
from rlgan.runs.training import stopping

POLL_SECONDS = 0.2


def train_seeds(
    main: Callable[[list[str]], int], words: list[str], folder: Path, seeds: Sequence[int], *, resume: bool
) -> bool:
    """Train one run for each seed in FOLDER/seed-<n>/.

    Args:
        main: the command line; gives an exit code.
        words: of `rlgan train gaussian`, as typed.
        folder: where the runs lie.
        seeds: whose.
        resume: the folder may hold runs to go on with.

    Returns:
        Whether all ran to their end: false where somebody asked to stop, which each run then did and saved.

    Raises:
        RunError: the directory holds something and this is no resume, or runs failed.
    """
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty: give --run-dir another path, or --resume to go on with it")
    folder.mkdir(parents=True, exist_ok=True)
    waiting, running, failed = list(seeds), dict[int, BaseProcess](), list[int]()
    context = multiprocessing.get_context("spawn")
    print(f"{len(seeds)} runs in {folder}", flush=True)
    with stopping() as stop:
        while running or (waiting and not stop.signal):
            while waiting and not stop.signal and len(running) < (os.cpu_count() or 1):
                seed = waiting.pop(0)
                running[seed] = context.Process(target=_train_one, args=(main, words, folder / f"seed-{seed}", seed))
                running[seed].start()
            time.sleep(POLL_SECONDS)
            for seed, process in list(running.items()):
                if process.is_alive():
                    continue
                if not stop.signal:
                    print(f"seed {seed}: {'failed' if process.exitcode else 'done'}", flush=True)
                if process.exitcode and not stop.signal:
                    failed.append(seed)
                del running[seed]
            if stop.signal:
                for process in running.values():
                    process.terminate()
                for process in running.values():
                    process.join()
    if failed:
        names = ", ".join(map(str, failed))
        raise RunError(
            f"seeds {names} of {len(seeds)} failed, for the reason above; what is whole goes on with --resume"
        )
    if stop.signal:
        print(f"stopped by {stop.signal} and saved; to go on: the same with --resume")
    return not stop.signal


def _train_one(main: Callable[[list[str]], int], words: list[str], directory: Path, seed: int) -> None:
    # Signals come from who started this, once each, not from the terminal too.
    os.setsid()
    # What is typed last counts. The run's own log has what is said.
    typed = [*words, "--seeds", "1", "--seed", str(seed), "--run-dir", str(directory)]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main(["train", "gaussian", *typed])
    raise SystemExit(code)
