"""Signals that ask a run to stop: Ctrl-C, `kill`, a terminal that is closed, and what Slurm sends before its limit."""

import ctypes
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from rlgan.engine.processes import STOP_SIGNALS, Handlers, family, kill

# Seconds that a run has to finish its step, once it is asked to stop.
PATIENCE = 60.0
# Seconds for a last line to be printed: what hangs may be the terminal.
SPEAK_LIMIT = 5.0
# Seconds between questions whether the run has noticed the request, and whether what computes is still there.
CHECK_EVERY = 1.0
# Seconds in which a signal after the first one is the same request; of Ctrl-C twice, which wrappers pass on too.
AGAIN, AGAIN_BY_HAND = 1.0, 0.1
# Of this process: whether `leave_a_second_request_to_the_parent` was called.
_parent_kills = False


class Alive(Protocol):
    """Whether what computes is still there."""

    def __call__(self, *, asked_to_stop: bool) -> bool:
        """Whether it is; it may be asked from another thread."""
        ...


def always(*, asked_to_stop: bool) -> bool:  # noqa: ARG001
    """Of what can't be lost: this process."""
    return True


def ignore(line: str) -> None:
    """Tell nobody."""


@dataclass
class Stop:
    """Whether somebody asked the run to stop."""

    reason: str | None = None  # the name of the signal, or what else asked
    taken: bool = False
    say_unsaved: Callable[[str], None] = print  # is told that the run ends because it did not take it in time
    say_asked: Callable[[str], None] = ignore  # is told at once that somebody asked, from another thread
    engine_alive: Alive = always
    patience: float = PATIENCE  # seconds that the run has to take the request, before it ends unsaved
    by_signal: bool = False  # whether a signal asked: `say_asked` is then told of it
    said_asked: threading.Event = field(default_factory=threading.Event)  # set once it has been told

    def allow(self, seconds: float) -> None:
        """Be patient for so long beyond the time of a step: what is measured between steps can't be interrupted."""
        self.patience = max(self.patience, PATIENCE + seconds)

    def take(self) -> None:
        """Tell that the run has noticed the request, if there is one: it may take its time to save."""
        self.taken = self.reason is not None
        if self.by_signal:  # what became of a request is told after the request
            self.said_asked.wait(SPEAK_LIMIT)


@contextmanager
def stopping(patience: float = PATIENCE) -> Iterator[Stop]:
    """Turn the first signal into a request to stop; a second one kills this process and its children at once.

    The second one may also come after the context has ended, while what is left is closed; `restored` ends that.
    Outside of the main thread Python has no handlers, and nobody is asked to stop.

    Args:
        patience: seconds that the run has to take the request, before it ends unsaved.

    Example:
        >>> with restored(), stopping() as stop:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     stop.reason
        'SIGTERM'
    """
    stop = Stop(patience=patience)
    received_one: list[int] = []
    numbers = handled_signals()
    if not numbers:
        yield stop
        return

    def request(number: int, _: object) -> None:
        received_one.append(number)
        stop.reason, stop.by_signal = stop.reason or signal.Signals(number).name, True

    before = Handlers.now()
    # A handler of Python's waits until the main thread comes back from C code, which may be never. The number of the
    # signal is in this pipe at once, and a thread reads it.
    received, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, request)
    watch = threading.Thread(target=_watch, args=(received, numbers, stop), daemon=True)
    watch.start()
    try:
        yield stop
    finally:
        stop.engine_alive = always
        if received_one:
            stop.taken = True  # nothing waits any more for the run to notice: this process may live on
        else:
            before.put_back()


def leave_a_second_request_to_the_parent() -> None:
    """Take every signal that follows the first one for the same request, in this process from now on.

    Of a process whose parent passes requests on: a scheduler signals both, and the parent's may come at any time. Who
    means a second one asks the parent, which kills its children.
    """
    global _parent_kills
    _parent_kills = True


def is_repetition(first: int, number: int, seconds: float) -> bool:
    """Whether a signal that comes so long after another one is the same request once more.

    Of a terminal that is closed the system and the shell send SIGHUP, systemd sends SIGTERM and SIGHUP, a scheduler
    signals every process and the wrapper of one passes it on. A person who presses Ctrl-C again means it.

    Example:
        >>> is_repetition(signal.SIGTERM, signal.SIGHUP, seconds=0.5)
        True
        >>> is_repetition(signal.SIGINT, signal.SIGINT, seconds=0.5)  # Ctrl-C again: is meant
        False
    """
    return _parent_kills or seconds < (AGAIN_BY_HAND if {first, number} == {signal.SIGINT} else AGAIN)


@contextmanager
def restored() -> Iterator[None]:
    """Put the handlers of all these signals back in the end, also those that `stopping` has left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = Handlers.now()
    try:
        yield
    finally:
        before.put_back()


def handled_signals() -> tuple[signal.Signals, ...]:
    """The signals that ask to stop, without those that whoever started this process ignores, as `nohup` does.

    None outside of the main thread, where Python takes no handlers.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(1) as threads:
        ...     threads.submit(handled_signals).result()
        ()
    """
    if threading.current_thread() is not threading.main_thread():
        return ()
    always = (signal.SIGINT, signal.SIGTERM)
    return tuple(each for each in STOP_SIGNALS if each in always or signal.getsignal(each) != signal.SIG_IGN)


def _watch(received: int, numbers: Collection[int], stop: Stop) -> None:
    """Wait for a second signal, for the first one to be taken, and for what computes to be gone."""
    first, begun = 0, 0.0
    while (number := _next(received, numbers, min(CHECK_EVERY, stop.patience))) != 0:
        now = time.monotonic()
        if number and not first:
            first, begun = number, now
            # At once: of a cluster whose servers were signalled too, Ray may end this process before it has saved.
            line = f"{signal.Signals(number).name}: the run finishes its step and saves"
            threading.Thread(target=_say_asked, args=(stop, line), daemon=True).start()
        elif number and not is_repetition(first, number, now - begun):
            _kill_all(number)
        name = signal.Signals(first).name if first else ""
        if first and now - begun >= stop.patience and not stop.taken:
            stop.said_asked.wait(SPEAK_LIMIT)
            if not stop.taken:  # meanwhile
                why = f"{name} asked the run to stop, and no step was finished within {stop.patience:g} s"
                _end_unsaved(1, why, stop)
        if not stop.engine_alive(asked_to_stop=bool(first)):
            if not first:
                _end_unsaved(1, "The Ray of this run has ended", stop)
            stop.said_asked.wait(SPEAK_LIMIT)
            _end_unsaved(128 + first, f"{name} asked the run to stop, and its Ray has ended", stop)
    os.close(received)


def _next(received: int, numbers: Collection[int], timeout: float) -> int | None:
    """The number of the next signal; None after the timeout, 0 where no more will come."""
    while select.select([received], [], [], timeout)[0]:
        number = os.read(received, 1)
        if not number or number[0] in numbers:
            return number[0] if number else 0
    return None


def _say_asked(stop: Stop, line: str) -> None:
    try:
        stop.say_asked(line)
    finally:  # also where nobody can read it any more
        stop.said_asked.set()


def _end_unsaved(code: int, why: str, stop: Stop) -> NoReturn:
    line = f"{why}: the run ends without saving"
    speaker = threading.Thread(target=stop.say_unsaved, args=(line,), daemon=True)
    speaker.start()
    speaker.join(SPEAK_LIMIT)
    kill(family())
    os._exit(code)


def _kill_all(number: int) -> None:
    kill(family())
    # This process ends by the signal itself, so that its parent sees how it ended. signal.signal would be for the main
    # thread alone.
    ctypes.CDLL(None).signal(number, None)
    os.kill(os.getpid(), number)
    # The first process of a container is not ended by a signal of its own.
    time.sleep(1)
    os._exit(128 + number)
