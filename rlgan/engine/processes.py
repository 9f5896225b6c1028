"""Processes: what they say of themselves, those that this one started, and a pool of them on this machine."""

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from rlgan.errors import RunError

if TYPE_CHECKING:  # they import numpy, for which the command line's help must not wait
    from rlgan.types import Item, Result

# That ask a run to stop. SIGHUP: its terminal was closed. SIGUSR1: what Slurm's --signal sends before a time limit.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


@dataclass(frozen=True)
class Usage:
    """What a process has used."""

    cpu_seconds: float  # since it started
    memory: int  # bytes, resident

    @staticmethod
    def now() -> "Usage":
        """Return the usage of the calling process."""
        return Usage(time.process_time(), memory())


@dataclass(frozen=True)
class Location:
    """Where a process runs.

    Example:
        >>> print(Location("4f2a", "127.0.0.1", 17, "CPU"))
        process 17 on 127.0.0.1
    """

    node: str  # Ray's identifier
    address: str
    pid: int
    kind: str  # of machine, by `rlgan.device.kind`: two of one kind compute the same bits

    def __str__(self) -> str:
        return f"process {self.pid} on {self.address}"


@dataclass(frozen=True)
class Handlers:
    """What was set for the signals that ask to stop, to be put back; of the main thread."""

    by_signal: dict[signal.Signals, Any]
    wakeup: int

    @staticmethod
    def now() -> "Handlers":
        """Return what is set now."""
        wakeup = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup)
        return Handlers({number: signal.getsignal(number) for number in STOP_SIGNALS}, wakeup)

    def put_back(self) -> None:
        """Set it again."""
        for number, handler in self.by_signal.items():
            if handler is not None:  # None: not set from Python, and not by us
                signal.signal(number, handler)
        ours = signal.set_wakeup_fd(self.wakeup)
        if ours not in (-1, self.wakeup):
            os.close(ours)  # the thread that reads it then ends


def usable_cpus(root: Path = Path("/")) -> int:
    """Return how many CPUs this process may use: of its affinity (`taskset`), within its cgroup's limit of time.

    Args:
        root: where /proc and /sys are.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name, said in {"proc/self/cgroup": "0::/job", "sys/fs/cgroup/job/cpu.max": "50000 100000"}.items():
        ...         Path(root, name).parent.mkdir(parents=True)
        ...         _ = Path(root, name).write_text(said)
        ...     usable_cpus(Path(root))  # half of the time of one CPU, rounded up
        1
    """
    # Not os.cpu_count(), which is the machine's also within `taskset` or a container.
    cpus = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)  # macOS
    with suppress(OSError, ValueError, StopIteration):
        group = next(line for line in (root / "proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        mount = root / "sys/fs/cgroup"
        folder = mount / group.removeprefix("0::").lstrip("/")
        # A group is within its parents' limits too. In a container its own path may not be there, only the mount.
        for each in (folder, *folder.parents):
            if each.is_relative_to(mount) and (each / "cpu.max").is_file():
                quota, period = (each / "cpu.max").read_text().split()
                cpus = cpus if quota == "max" else min(cpus, int(quota) / int(period))
    return max(math.ceil(cpus), 1)


def installed(program: str) -> Path:
    """Where a program lies that was installed with this Python."""
    return Path(sys.executable).with_name(program)


def in_processes(function: "Callable[[Item], Result]", items: "Sequence[Item]") -> "Iterator[Result]":
    """Apply a function to items, in as many processes as there are CPUs to use; yield the results in the items' order.

    Raises:
        RunError: one of the processes was killed.
    """
    # Spawned, not forked: this process has threads, and a fork would copy the locks that they hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(usable_cpus(), mp_context=context, initializer=_prepare_child) as pool:
        try:
            # A handler that raised while a process is started would leave that without what it is to do, which it would
            # say in a traceback of its own.
            with signals_later():
                results = pool.map(function, items)
            yield from results
        except BrokenProcessPool as error:
            raise RunError("A process that prepared the data was killed: is there enough memory?") from error


@contextmanager
def signals_later() -> "Iterator[None]":
    """Let signals that ask to stop and come meanwhile be handled at the end, the first of them alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = Handlers.now()
    for number, handler in before.by_signal.items():
        if callable(handler):
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        before.put_back()
    for first in came[:1]:
        before.by_signal[signal.Signals(first)](first, None)


def _prepare_child() -> None:
    # Signals reach every process of a terminal or a job. The parent ends the pool; the children would each print a
    # traceback, or end as if memory had run out.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # Where its parent is killed, a process of the pool would wait for its next item for ever.
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


def memory() -> int:
    """Return the resident memory of this process, in bytes."""
    resident: int = psutil.Process().memory_info().rss
    return resident


def family() -> list[psutil.Process]:
    """Return the processes that this one started, and those that they started in turn."""
    return list(psutil.Process().children(recursive=True))


def is_running(process: psutil.Process) -> bool:
    """Return whether a process has not ended; one that nobody has waited for yet has.

    Example:
        >>> import subprocess
        >>> child = subprocess.Popen(["true"])
        >>> process = psutil.Process(child.pid)
        >>> child.wait()
        0
        >>> is_running(process), is_running(psutil.Process())
        (False, True)
    """
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def pending(process: psutil.Process, number: signal.Signals) -> bool:
    """Return whether a signal was sent to a process that has it blocked."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:  # it has ended
        return False
    (bits,) = (line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:"))
    return bool(int(bits, 16) >> (number - 1) & 1)


def kill(processes: list[psutil.Process]) -> None:
    """Kill those of the processes that have not ended by themselves."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
