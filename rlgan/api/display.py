"""Shows a run to whoever called: a line at a time, to a function."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rlgan.runs.files import append_to_log
from rlgan.runs.progress import Progress
from rlgan.settings import printable


class Lines:
    """Gives each line to a function and to the run's log; implements `rlgan.runs.observers.Display`.

    Args:
        say: called with each line.
        show: called with where the run stands, some times a second.

    Example:
        >>> Lines(print).say("step 0: test perplexity 392.4")
        step 0: test perplexity 392.4
    """

    def __init__(self, say: Callable[[str], object], show: Callable[[Progress], object] = lambda _: None) -> None:
        self._say = say
        self._show = show
        self._log: Path | None = None

    def log_to(self, file: Path) -> None:
        """Append every line from now on to a file too, each with the time."""
        self._log = file

    def say(self, line: str) -> None:
        """Give one line."""
        # A name in it may hold control characters, and the function may print to a terminal, as `print` does.
        line = printable(line)
        self._say(line)
        if self._log:
            append_to_log(self._log, line)

    def say_command(self, what: str, command: str) -> None:
        """Give one line: what a command does, and the command."""
        self.say(f"{what}: {command}")

    def show(self, progress: Progress) -> None:
        """Tell where the run stands."""
        self._show(progress)

    def status(self, what: str, done: float | None = None, /) -> None:
        """Tell what is done before or after training."""
        self._show(Progress(what, done=done))

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
