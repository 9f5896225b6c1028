"""Who watches a run while it trains, and who may stop it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rlgan.runs.progress import Progress
from rlgan.runs.signals import Stop, stopping
from rlgan.types import Metrics


class StopTraining(Exception):  # noqa: N818 - it is a request, as StopIteration is, and no error
    """Raised by a callback of a run to stop it: the run saves a checkpoint, without another evaluation, and ends."""


class Display(Protocol):
    """Shows a run to people; a context from when it is prepared until it has ended."""

    def log_to(self, file: Path) -> None:
        """Append every line from now on to a file too, each with the time."""
        ...

    def say(self, line: str) -> None:
        """Show one line."""
        ...

    def say_command(self, what: str, command: str) -> None:
        """Show a command to paste, and what it does."""
        ...

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""
        ...

    def status(self, what: str, done: float | None = None, /) -> None:
        """Show what is done before or after training, and how much of it, in [0, 1], is done."""
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


Command = tuple[str, str]
"""What a command does, and the command as it is typed."""


def no_commands(address: str, stopped: str | None) -> list[Command]:  # noqa: ARG001
    """What can be typed next, when a run has ended: nothing."""
    return []


@dataclass(frozen=True)
class Observers:
    """Who watches a run, and who may stop it."""

    display: Display
    stopping: Callable[[], AbstractContextManager[Stop]] = stopping  # what asks the run to stop while it trains
    on_step: Callback = ignore  # after every update, with its metrics; may raise StopTraining
    on_evaluation: Callback = ignore  # after every evaluation, with what it measured; may raise StopTraining
    # What can be typed next: of the run's address and what stopped it.
    next_commands: Callable[[str, str | None], list[Command]] = no_commands
