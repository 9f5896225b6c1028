"""Signals that ask a run to stop."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rlgan.engine.processes import family, kill

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """Whether somebody asked the run to stop."""

    reason: str | None = None  # the name of the signal, or what else asked


@contextmanager
def stopping() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a request to stop; a second one kills this process and its children.

    The second one may also come after the context has ended, while what is left is closed.
    """
    stop = Stop()

    def request(number: int, _: object) -> None:
        stop.reason = signal.Signals(number).name
        for each in STOP_SIGNALS:
            signal.signal(each, _kill_all)

    before = {number: signal.signal(number, request) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        if not stop.reason:
            for number, handler in before.items():
                signal.signal(number, handler)


def _kill_all(number: int, _: object) -> None:
    kill(family())
    # This process ends by the signal itself, so that its parent sees how it ended.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
