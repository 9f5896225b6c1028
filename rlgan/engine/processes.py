"""Processes of this machine: those that this one started, and those that it computes with."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import wait

import psutil

from rlgan.errors import RunError
from rlgan.types import Item, Result


def in_processes(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Apply a function to items, in as many processes as there are cores; the results in the order of the items.

    Raises:
        RunError: one of them was killed.
    """
    # Not by forking: this process has threads.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), initializer=_serve) as pool:
        try:
            yield from pool.map(function, items)
        except BrokenProcessPool as error:
            raise RunError("a process that prepared the data was killed: is there enough memory?") from error


def _serve() -> None:
    """What a process of the pool begins with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts this one's parent interrupts it too, and is told once
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    # Where its parent is killed, a process of the pool would wait for ever for what to do next.
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


def memory() -> int:
    """Resident memory of this process, in bytes."""
    resident: int = psutil.Process().memory_info().rss
    return resident


def family() -> list[psutil.Process]:
    """The processes that this one started, and those that they did."""
    return list(psutil.Process().children(recursive=True))


def kill(processes: list[psutil.Process]) -> None:
    """End processes at once, those that have not ended by themselves."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
