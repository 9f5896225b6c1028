"""Who watches a run while it trains, and who may stop it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rlgan.runs.signals import Stop, stopping
from rlgan.types import Metrics


class StopTraining(Exception):  # noqa: N818 - it is a request, as StopIteration is, and no error
    """Raised by a callback of a run to stop it: the run saves a checkpoint, without another evaluation, and ends."""


class Display(Protocol):
    """Shows a run to people; a context while it trains."""

    def log_to(self, file: Path) -> None:
        """Append every line from now on to a file too, each with the time."""
        ...

    def say(self, line: str) -> None:
        """Show one line."""
        ...

    def show(self, done: float, text: str) -> None:
        """Show which fraction of the run is done, in [0, 1], and a text beside it."""
        ...

    def __enter__(self) -> object:
        """Begin to show the progress."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Show the progress no longer."""
        ...


Callback = Callable[[int, Metrics], object]
"""Called with the step and its metrics; what it returns does not count."""


def ignore(step: int, metrics: Metrics) -> None:
    """A callback that does nothing."""


def no_lines(address: str, stopped: str | None) -> list[str]:  # noqa: ARG001
    """Last lines of a run: none."""
    return []


@dataclass(frozen=True)
class Observers:
    """Who watches a run, and who may stop it."""

    display: Display
    stopping: Callable[[], AbstractContextManager[Stop]] = stopping  # what asks the run to stop while it trains
    on_step: Callback = ignore  # after every update, with its metrics; may raise StopTraining
    on_evaluation: Callback = ignore  # after every evaluation, with what it measured; may raise StopTraining
    last_lines: Callable[[str, str | None], list[str]] = no_lines  # of the run's address and what stopped it
