"""The same work on several items, in processes of their own, and how far all of it is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rlgan.errors import RunError
from rlgan.runs.side_by_side import Job, Send, run_side_by_side
from rlgan.runs.table_progress import Failure
from rlgan.task import Tell

TELL_SECONDS = 0.5  # between what a process tells of how far it is


@dataclass(frozen=True)
class Share:
    """How far a process is: a fraction."""

    done: float


@dataclass(frozen=True)
class Outcome:
    """What the work gave."""

    result: Any


def gather(
    work: Callable[[Any, Tell], Any], items: Mapping[str, Any], at_a_time: int, show: Callable[[float], None]
) -> list[Any]:
    """Do the work on every item, so many at a time; gives the results in the items' order.

    Args:
        work: called with an item, and with what it tells which fraction of it is done; picklable, as its results.
        items: by what each is called.
        at_a_time: processes, at most.
        show: is told which fraction of all is done.

    Raises:
        RunError: one can't be done, and then none is; or somebody asked to stop.
    """
    gathered = _Gathered(list(items), show)
    jobs = [Job(name, partial(_done, work, item)) for name, item in items.items()]
    if stopped := run_side_by_side(jobs, at_a_time, gathered):
        raise RunError(f"stopped by {stopped} before the end: nothing was kept; to do it, type the same again")
    return [gathered.results[name] for name in items]


class _Gathered:
    """Takes what the processes send; implements `rlgan.runs.side_by_side.Watcher`."""

    def __init__(self, names: list[str], show: Callable[[float], None]) -> None:
        self.results: dict[str, Any] = {}
        self._done = dict.fromkeys(names, 0.0)
        self._reasons: dict[str, str] = {}
        self._show = show

    def started(self, name: str) -> None:
        """Say nothing: what is shown are shares."""

    def received(self, name: str, message: object) -> None:
        """Take how far a process is, what it came to, or why it failed."""
        if isinstance(message, Share):
            self._done[name] = message.done
        elif isinstance(message, Outcome):
            self.results[name] = message.result
        elif isinstance(message, Failure):
            self._reasons[name] = message.reason
        self._show(sum(self._done.values()) / len(self._done))

    def ended(self, name: str, code: int) -> None:
        """Check that it came to its end.

        Raises:
            RunError: it did not.
        """
        if code or name not in self.results:
            raise RunError(f"{name}: {self._reasons.get(name, f'its process ended with code {code}')}")
        self._done[name] = 1.0


def _done(work: Callable[[Any, Tell], Any], item: Any, send: Send) -> int:
    told = [0.0]

    def tell(done: float) -> None:
        if time.monotonic() - told[0] >= TELL_SECONDS:
            told[0] = time.monotonic()
            send(Share(done))

    try:
        send(Outcome(work(item, tell)))
    except (RunError, OSError) as error:
        send(Failure(str(error)))
        return 1
    return 0
