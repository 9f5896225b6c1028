"""Work in processes of their own, so many at a time; whoever asks this process to stop asks all of them."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from rlgan.runs.signals import leave_a_second_request_to_the_parent, stopping

POLL_SECONDS = 0.2

Send = Callable[[Any], None]
"""Tells the process that waits something, which must be picklable."""


@dataclass(frozen=True)
class Job:
    """Work for a process of its own.

    Args:
        name: tells it from the others.
        work: picklable; called with what sends to the watcher, and returns the exit code of the process.
    """

    name: str
    work: Callable[[Send], int]


class Watcher(Protocol):
    """Is told how jobs go, in the process that waits for them."""

    def started(self, name: str) -> None:
        """A job's process has been started."""
        ...

    def received(self, name: str, message: Any) -> None:
        """A job has sent something."""
        ...

    def ended(self, name: str, code: int) -> None:
        """A job has ended by itself, with an exit code; not told of one that was asked to stop."""
        ...


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    messages: Connection


def run_side_by_side(jobs: Sequence[Job], at_a_time: int, watcher: Watcher) -> str | None:
    """Do jobs in their order, so many at a time.

    Args:
        jobs: what is to be done.
        at_a_time: processes, at most.
        watcher: is told how it goes.

    Returns:
        The name of the signal that asked to stop, on which each process has saved and stopped; or None.
    """
    waiting, running = list(jobs), list[_Running]()
    with stopping() as stop:
        try:
            while running or waiting:
                while waiting and len(running) < at_a_time:
                    running.append(_start(waiting.pop(0)))
                    watcher.started(running[-1].job.name)
                time.sleep(POLL_SECONDS)
                if stop.reason:
                    break
                _look_after(running, watcher)
        finally:
            # Also where the watcher failed: it could not be told of them any more.
            stop.take()
            _stop([each.process for each in running])
    return stop.reason


def _look_after(running: list[_Running], watcher: Watcher) -> None:
    """Pass on what jobs have sent, and take out those that have ended."""
    for each in list(running):
        alive = each.process.is_alive()
        # After it was seen to be at its end, since its last message comes right before.
        _pass_on(each, watcher)
        if not alive:
            running.remove(each)
            watcher.ended(each.job.name, each.process.exitcode or 0)


def _start(job: Job) -> _Running:
    # Not by forking: a copy of a process with threads may find a lock taken that nobody will give back.
    context = multiprocessing.get_context("spawn")
    messages, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, sender))
    process.start()
    sender.close()  # the process has its own: when that is closed too, reading comes to an end
    return _Running(job, process, messages)


def _pass_on(running: _Running, watcher: Watcher) -> None:
    for message in _messages(running.messages):
        watcher.received(running.job.name, message)


def _messages(connection: Connection) -> Iterator[Any]:
    while True:
        try:
            if not connection.poll():
                return
            message = connection.recv()
        except (EOFError, OSError):  # its process has ended; one that was killed may have sent a part of a message
            return
        yield message


def _stop(processes: Collection[BaseProcess]) -> None:
    """Ask each process to save and stop, and wait until all have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _work(job: Job, sender: Connection) -> None:
    # In a session of its own: Ctrl-C in a terminal reaches all processes of a session, and this one would be asked to
    # stop twice, by the terminal and by its parent. A scheduler that signals every process does so nevertheless.
    os.setsid()
    leave_a_second_request_to_the_parent()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    raise SystemExit(job.work(sender.send))


def _stop_with_parent() -> None:
    # Where its parent is killed, which tells nobody, this process would go on unseen, and hold what it writes to.
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
