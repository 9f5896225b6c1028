"""Says how the runs of a table go and how long the rest takes, and writes down what has ended."""

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from rlgan.runs.forecast import Forecast
from rlgan.runs.progress import Progress
from rlgan.runs.table_folder import TableFolder
from rlgan.task import Say


@dataclass(frozen=True)
class Failure:
    """Why a run failed, from its process."""

    reason: str


class TableProgress:
    """Watches the runs of a table; implements `rlgan.runs.side_by_side.Watcher`.

    The name of a run is `<row>, seed <n>`.

    Args:
        folder: of the table.
        names: of the runs that are due.
        at_a_time: how many run at a time.
        report: writes the table of what is there.
        say: is told how it goes.
        show: shows how far all of them are.
        clock: seconds.
    """

    def __init__(
        self,
        folder: TableFolder,
        names: Sequence[str],
        at_a_time: int,
        report: Callable[[], object],
        say: Say,
        show: Callable[[Progress], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failed: list[str] = []
        self._folder = folder
        self._waiting = list(names)
        self._at_a_time = at_a_time
        self._report = report
        self._say = say
        self._show = show
        self._clock = clock
        self._started = clock()
        self._names = list(names)
        self._done: dict[str, float] = {}  # the fraction of each run, in [0, 1]
        self._phases: dict[str, str] = {}  # of the runs at work, what they do
        self._ends: dict[str, float] = {}  # of the runs at work, when they will end; 0 where that is not known
        self._began: dict[str, float] = {}
        self._taken: dict[str, float] = {}  # seconds of the longest run of a row, foretold or measured
        self._reasons: dict[str, str] = {}

    def started(self, name: str) -> None:
        """Say it, and how long a run of this row takes where that is known."""
        self._waiting.remove(name)
        self._began[name], self._ends[name] = self._clock(), 0.0
        row = _row(name)
        known = f"; one of this row takes {duration(self._taken[row])}" if row in self._taken else ""
        self._say(f"{name}: begins{known}")
        self._show_all()

    def received(self, name: str, message: object) -> None:
        """Take where a run stands, a forecast, or why it failed."""
        if isinstance(message, Progress):
            self._done[name], self._phases[name] = message.done or 0.0, message.phase
            self._show_all()
        elif isinstance(message, Failure):
            self._reasons[name] = message.reason
        elif isinstance(message, Forecast):
            now = self._clock()
            self._ends[name] = now + message.seconds
            self._note_duration(name, now + message.seconds - self._began[name])
            self._say(
                f"{name}: {message.steps:,} steps to go, {message.steps_per_second:.3g} a second, and "
                f"{message.evaluations} evaluations of {duration(message.evaluation_seconds)}: about "
                f"{duration(message.seconds)}, until {_clock_time(message.seconds)}{self._rest()}"
            )

    def ended(self, name: str, code: int) -> None:
        """Write it down, make the table, and say how long the rest takes."""
        row, seed = name.rsplit(", seed ", 1)
        taken = self._clock() - self._began[name]
        del self._ends[name]
        self._done[name] = 1.0
        self._phases.pop(name, None)
        if code:
            reason = self._reasons.get(name, f"its process ended with code {code}")
            self.failed.append(name)
            self._folder.set_status(row, int(seed), failure=reason)
            self._say(f"{name}: failed after {duration(taken)}: {reason}")
        else:
            self._folder.set_status(row, int(seed), failure=None)
            # More than was foretold where the run is measured at its end; less of one that was resumed.
            self._note_duration(name, taken)
            self._say(f"{name}: done in {duration(taken)}{self._rest()}")
        self._report()
        self._show_all()

    def _show_all(self) -> None:
        """Show which part of all runs is done; each counts by the time that one of its row takes, as far as known."""
        usual = mean(self._taken.values()) if self._taken else 1.0
        weights = {name: self._taken.get(_row(name), usual) for name in self._names}
        done = sum(weights[name] * fraction for name, fraction in self._done.items()) / sum(weights.values())
        cells = {name: f"{phase} {self._done[name]:.0%}" for name, phase in self._phases.items()}
        phase = f"training {self._folder.table}, {len(self._names)} runs"
        self._show(Progress(phase, done=done, seconds=self._clock() - self._started, cells=cells))

    def _note_duration(self, name: str, seconds: float) -> None:
        row = _row(name)
        self._taken[row] = max(seconds, self._taken.get(row, 0.0))

    def _rest(self) -> str:
        """How long all that is left takes, if something else is."""
        runs = len(self._waiting) + len(self._ends)
        if runs <= 1 or not self._taken or not all(self._ends.values()):
            return ""
        now = self._clock()
        # A row that has not begun is taken for one like the others.
        others = mean(self._taken.values())
        waiting = sum(self._taken.get(_row(name), others) for name in self._waiting)
        left = sum(max(end - now, 0.0) for end in self._ends.values())
        longest = max((max(end - now, 0.0) for end in self._ends.values()), default=0.0)
        seconds = max((waiting + left) / self._at_a_time, longest)
        if seconds < 1:  # all are past their time, and at their end
            return f"; {runs} runs are left"
        return f"; {runs} runs are left, about {duration(seconds)} in all, until {_clock_time(seconds)}"


def duration(seconds: float) -> str:
    """A time in words.

    Example:
        >>> duration(4.21), duration(240), duration(9000)
        ('4.2 s', '4 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _row(name: str) -> str:
    return name.rsplit(", seed ", 1)[0]


def _clock_time(seconds: float) -> str:
    return (datetime.datetime.now() + datetime.timedelta(seconds=seconds)).strftime("%H:%M")
