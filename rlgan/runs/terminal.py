"""What a person sees of a run: lines, and a progress bar where there is a terminal."""

import datetime
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rlgan.settings import printable


class Terminal:
    """Says lines, to the terminal and to a log, and shows how far a run is.

    Args:
        console: where to; on no terminal there are plain lines and no bar.
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
        """Append what is said from now on to a file too, with the time."""
        self._log = file

    def say(self, line: str) -> None:
        """Say one line."""
        line = printable(line)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self._log:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n")

    def show(self, done: float, text: str) -> None:
        """Show how much of the run is done, in [0, 1], and what there is to tell of it."""
        self._progress.update(self._bar, completed=done, description=text)

    def __enter__(self) -> "Terminal":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._progress.stop()
