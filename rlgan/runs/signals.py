"""Signals that ask a run to stop: Ctrl-C, `kill`, a terminal that is closed, and what Slurm sends before its limit."""

import ctypes
import os
import select
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rlgan.engine.processes import STOP_SIGNALS, family, kill

# Seconds that a run has to finish its step, once it is asked to stop.
PATIENCE = 60.0
# Seconds for a last line to be printed: what hangs may be the terminal.
SPEAK_LIMIT = 5.0


@dataclass
class Stop:
    """Whether somebody asked the run to stop."""

    reason: str | None = None  # the name of the signal, or what else asked
    taken: bool = False
    say_unsaved: Callable[[str], None] = print  # is told that the run ends because it did not take it in time

    def take(self) -> None:
        """Tell that the run has noticed the request, if there is one: it may take its time to save."""
        self.taken = self.reason is not None


@contextmanager
def stopping(patience: float = PATIENCE) -> Iterator[Stop]:
    """Turn the first signal into a request to stop; a second one kills this process and its children at once.

    The second one may also come after the context has ended, while what is left is closed; `restored` ends that.
    Outside of the main thread Python has no handlers, and nobody is asked to stop.

    Args:
        patience: seconds that the run has to take the request, before it ends unsaved.
    """
    stop = Stop()
    received_one: list[int] = []
    numbers = handled_signals()
    if not numbers:
        yield stop
        return

    def request(number: int, _: object) -> None:
        if received_one:
            _kill_all(number)
        received_one.append(number)
        stop.reason = signal.Signals(number).name

    before = _Handlers.now()
    # A handler of Python's waits until the main thread comes back from C code, which may be never. The number of the
    # signal is in this pipe at once, and a thread reads it.
    received, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, request)
    watch = threading.Thread(target=_watch, args=(received, numbers, stop, patience), daemon=True)
    watch.start()
    try:
        yield stop
    finally:
        if received_one:
            stop.taken = True  # nothing waits any more for the run to notice: this process may live on
        else:
            before.put_back()


@contextmanager
def restored() -> Iterator[None]:
    """Put the handlers of all these signals back in the end, also those that `stopping` has left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _Handlers.now()
    try:
        yield
    finally:
        before.put_back()


def handled_signals() -> tuple[signal.Signals, ...]:
    """The signals that ask to stop, without those that whoever started this process ignores, as `nohup` does.

    None outside of the main thread, where Python takes no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        return ()
    always = (signal.SIGINT, signal.SIGTERM)
    return tuple(each for each in STOP_SIGNALS if each in always or signal.getsignal(each) != signal.SIG_IGN)


@dataclass(frozen=True)
class _Handlers:
    """What was set for the signals, to be put back."""

    by_signal: dict[signal.Signals, Any]
    wakeup: int

    @staticmethod
    def now() -> "_Handlers":
        wakeup = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup)
        return _Handlers({number: signal.getsignal(number) for number in STOP_SIGNALS}, wakeup)

    def put_back(self) -> None:
        for number, handler in self.by_signal.items():
            if handler is not None:  # None: not set from Python, and not by us
                signal.signal(number, handler)
        ours = signal.set_wakeup_fd(self.wakeup)
        if ours not in (-1, self.wakeup):
            os.close(ours)  # the thread that reads it then ends


def _watch(received: int, numbers: Collection[int], stop: Stop, patience: float) -> None:
    """Wait for a second signal, and for the first one to be taken."""
    first = _next(received, numbers, None)
    second = _next(received, numbers, patience) if first else None
    if first and second is None and not stop.taken:
        _end_unsaved(signal.Signals(first).name, patience, stop.say_unsaved)
    second = second or (_next(received, numbers, None) if first else 0)
    os.close(received)
    if second:
        _kill_all(second)


def _next(received: int, numbers: Collection[int], timeout: float | None) -> int | None:
    """The number of the next signal; None after the timeout, 0 where no more will come."""
    while select.select([received], [], [], timeout)[0]:
        number = os.read(received, 1)
        if not number or number[0] in numbers:
            return number[0] if number else 0
    return None


def _end_unsaved(name: str, patience: float, say_unsaved: Callable[[str], None]) -> None:
    line = f"{name} asked the run to stop, and no step was finished within {patience:g} s: it ends without saving"
    speaker = threading.Thread(target=say_unsaved, args=(line,), daemon=True)
    speaker.start()
    speaker.join(SPEAK_LIMIT)
    kill(family())
    os._exit(1)


def _kill_all(number: int) -> None:
    kill(family())
    # This process ends by the signal itself, so that its parent sees how it ended. signal.signal would be for the main
    # thread alone.
    ctypes.CDLL(None).signal(number, None)
    os.kill(os.getpid(), number)
