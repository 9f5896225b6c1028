"""What a person sees of a run: lines of text, and a progress bar where the output is a terminal."""

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rlgan.runs.files import append_to_log
from rlgan.runs.streams import unread_is_no_fault
from rlgan.settings import printable


class Terminal:
    """Prints lines to the console and to a log file, and shows the progress of a run.

    Args:
        console: where to print; where it is not a terminal, as in a job's log, there is no progress bar.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._log: Path | None = None
        self._progress = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=1.0)

    def log_to(self, file: Path) -> None:
        """Append every line from now on to a file too, each with the time."""
        self._log = file

    def say(self, line: str) -> None:
        """Print one line."""
        line = printable(line)
        # Lines hold paths and names: `[red]` in one must stay as it is, and a long one must stay one line.
        with unread_is_no_fault(self._console.file):
            if self._console.is_terminal:
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:  # where the reader of a pipe goes, rich would end this process
                print(line, file=self._console.file, flush=True)
        if self._log:
            append_to_log(self._log, line)

    def show(self, done: float, text: str) -> None:
        """Show which fraction of the run is done, in [0, 1], and a text beside it."""
        self._progress.update(self._bar, completed=done, description=text)

    def __enter__(self) -> "Terminal":
        """Show the progress bar."""
        with unread_is_no_fault(self._console.file):
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the progress bar."""
        with unread_is_no_fault(self._console.file):
            self._progress.stop()
