"""What a person sees of a run: lines of text, and where the output is a terminal a table of where it stands."""

import shutil
import textwrap
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rlgan.runs.files import append_to_log
from rlgan.runs.progress import Progress, clock
from rlgan.runs.streams import unread_is_no_fault
from rlgan.settings import printable

# Seconds without a line after which one says where the run stands: in the log of a job, and in a terminal that can't
# show a table.
SILENCE, SILENCE_OF_A_TERMINAL = 30.0, 10.0
NARROWEST_BAR = 5
GAP = 3  # between columns


def broken(line: str, width: int) -> list[str]:
    """Break a line between words; a word that is longer, as a path, stands by itself.

    Example:
        >>> broken("  a cat sat on a mat", 12)
        ['  a cat sat', '  on a mat']
    """
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [
        line
    ]


class Terminal:
    """Prints lines to the console and to a log file, and shows where a run stands.

    Args:
        console: where to print. In a terminal the last lines are a table that is drawn anew twice a second; elsewhere,
            as in a job's log, a line comes every 30 s.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._log: Path | None = None
        self._progress = Progress("starting")
        self._shown = self._spoken = self._begun = time.monotonic()
        self._draws = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(
            console=console, get_renderable=self.table, refresh_per_second=2, transient=True, auto_refresh=self._draws
        )
        self._ended = threading.Event()

    def log_to(self, file: Path) -> None:
        """Append every line from now on to a file too, each with the time."""
        self._log = file

    def say(self, line: str) -> None:
        """Print one line; in a terminal it is broken between words where it is longer than that is wide."""
        line = printable(line)
        self._print(broken(line, self._width) if self._console.is_terminal else [line])
        if self._log:
            append_to_log(self._log, line)

    def say_command(self, what: str, command: str) -> None:
        """Print a command to paste; in a terminal it stands unbroken on a line of its own."""
        if not self._console.is_terminal:
            self.say(f"{what}: {command}")
            return
        self._print([f"{what}:", f"    {printable(command)}"])
        if self._log:
            append_to_log(self._log, printable(f"{what}: {command}"))

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""
        self._progress, self._shown = progress, time.monotonic()

    def status(self, what: str, done: float | None = None, /) -> None:
        """Show what is computed, and where that can be told the fraction that is done, in [0, 1], and the times."""
        # Where it falls, something else has begun.
        if done is None or done < (self._progress.done or 0.0):
            self._begun = time.monotonic()
        self.show(Progress(what, done=done, seconds=time.monotonic() - self._begun))

    def __enter__(self) -> "Terminal":
        """Begin to show where the run stands."""
        with unread_is_no_fault(self._console.file):
            if self._draws:
                self._live.start()
            else:
                threading.Thread(target=self._speak_in_silence, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the table."""
        self._ended.set()
        with unread_is_no_fault(self._console.file):
            self._live.stop()

    @property
    def _width(self) -> int:
        # Of a terminal that can't move its cursor rich does not ask how wide it is.
        return shutil.get_terminal_size().columns if self._console.is_dumb_terminal else self._console.width

    def _print(self, lines: Iterable[str | Text]) -> None:
        self._spoken = time.monotonic()
        # Lines hold paths and names: `[red]` in one must stay as it is.
        with unread_is_no_fault(self._console.file):
            for line in lines:
                if self._console.is_terminal:
                    self._console.print(line, markup=False, highlight=False, soft_wrap=True)
                else:  # where the reader of a pipe goes, rich would end this process
                    print(line, file=self._console.file, flush=True)

    def _speak_in_silence(self) -> None:
        silence = SILENCE_OF_A_TERMINAL if self._console.is_terminal else SILENCE
        while not self._ended.wait(max(self._spoken + silence - time.monotonic(), 0.1)):
            if time.monotonic() - self._spoken >= silence:
                # Not into the log: in days they would be thousands.
                self._print(
                    [
                        ", ".join(
                            [
                                *filter(None, (self._progress.phase, *self._times(), self._progress.score)),
                                *self._cells(),
                            ]
                        )
                    ]
                )

    def _times(self) -> tuple[str, str, str]:
        """The percentage, the time in training and the time left; empty where they are not known."""
        progress = self._progress
        if progress.done is None:
            return "", f"{clock(time.monotonic() - self._shown)} so far", ""
        since = time.monotonic() - self._shown
        left = progress.seconds * (1 / progress.done - 1) - since if progress.done else 0.0
        said = f"{clock(max(left, 0.0))} left" if progress.done else ""
        return f"{int(100 * progress.done)}%", f"{clock(progress.seconds + since)} elapsed", said

    def _cells(self) -> list[str]:
        return [f"{label} {value}" for label, value in self._progress.cells.items()]

    def table(self) -> Text:
        """The line with the percentage, and below it what else is known, in as many columns as there is room for."""
        width = self._width
        score = Text(self._progress.score)
        lines = [self._bar(width), *(score.wrap(self._console, width) if score else ())]
        found = self._cells()
        # One that is much longer than the others would widen all columns: it has a line of its own.
        usual = median(map(len, found)) if found else 0
        alone = [cell for cell in found if len(cell) > 2 * usual]
        found = [cell for cell in found if cell not in alone]
        column = max((len(cell) for cell in found), default=0) + GAP
        count = max((width + GAP) // column, 1)
        rows = [found[start : start + count] for start in range(0, len(found), count)]
        for row in (*alone, *("".join(f"{cell:{column}}" for cell in row).rstrip() for row in rows)):
            lines += Text(row).wrap(self._console, width)
        return Text("\n").join(lines)

    def _bar(self, width: int) -> Text:
        head, tail = f"{self._progress.phase} ", "  ".join(filter(None, self._times()))
        room = width - len(head) - len(tail) - 1
        if self._progress.done is None or room < NARROWEST_BAR:
            return Text(f"{head} {tail}")
        full, empty = ("━", "─") if self._console.encoding.startswith("utf") else ("#", "-")
        done = int(room * self._progress.done)
        return Text.assemble(head, (full * done, "green"), (empty * (room - done), "dim"), " ", tail)
