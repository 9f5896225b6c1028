"""How the speed of text grows with workers, lag, vocabulary, length and batch, within so many minutes."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from benchmark_text import LENGTH, VOCAB_SIZE, made_up_corpus

from rlgan.device import prepare
from rlgan.engine.settings import EngineSettings
from rlgan.runs.lookahead import Lookahead
from rlgan.runs.settings import RunSettings
from rlgan.runs.start import make_engine
from rlgan.settings import updated
from rlgan.text.presets import PAPER
from rlgan.text.task import TextTask
from rlgan.types import Rollout

Found = dict[str, dict[str, float]]  # by what was measured, numbers by name

WORKERS, LAGS, SHARDS = (0, 1, 2, 4), (0, 1), 4
BATCH = 64
# One of them at a time differs from the paper's sizes.
VOCABULARIES, LENGTHS, BATCHES = (1_000, 3_000, 30_000, 100_000), (50, 100, 200), (256, 1_024, 4_096)
STATE = 200  # numbers of an embedding and of a state
FLEET_SECONDS = 45.0  # that a run through Ray takes at most with its start, on two busy cores
WARM_UP, STEPS = 2, 10
MIB = 2**20


@dataclass(frozen=True)
class Cell:
    """Sizes of a recipe."""

    vocab_size: int = VOCAB_SIZE
    length: int = LENGTH
    batch: int = BATCH

    def __str__(self) -> str:
        """What differs from the paper's sizes."""
        return f"{self.vocab_size:,} words, T {self.length}, batch {self.batch:,}"

    @property
    def work(self) -> float:
        """How much a step computes, in steps at the paper's sizes: of 21 million operations a token 16 grow with V."""
        tokens = self.batch * self.length / (BATCH * LENGTH)
        return tokens * (0.25 + 0.75 * self.vocab_size / VOCAB_SIZE)

    @property
    def mib(self) -> float:
        """What a step needs at least: both networks four times over, and logits twice, of which 4 GiB are held."""
        parameters = 2 * 4 * (2 * self.vocab_size * STATE)
        logits = 4 * self.batch * self.length * self.vocab_size
        return (4 * parameters / 1.5 + 2 * min(logits, 4096 * MIB)) / MIB + 500


CELLS = (
    Cell(),
    *(Cell(vocab_size=size) for size in VOCABULARIES),
    *(Cell(length=length) for length in LENGTHS),
    *(Cell(batch=batch) for batch in BATCHES),
)


@dataclass
class Budget:
    """What there is to spend, and what was left out for want of it."""

    seconds: float
    left_out: dict[str, str] = field(default_factory=dict)  # by what, why

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def takes(self, what: str, seconds: float, mib: float = 0.0) -> bool:
        """Whether there is time and memory for something; notes what there is not."""
        left, free = self._end - time.monotonic(), psutil.virtual_memory().available / MIB
        if mib > 0.8 * free:
            self.left_out[what] = f"it would need about {mib:,.0f} MiB, and {free:,.0f} are free"
        elif seconds > left:
            self.left_out[what] = f"it would take about {seconds:,.0f} s, and {max(left, 0.0):,.0f} are left"
        else:
            return True
        return False


def task_of(cell: Cell = Cell(), **changes: Any) -> TextTask:
    """The recipe `paper` at some sizes, on made-up words."""
    sizes = {"batch_size": cell.batch, "length": cell.length, "shards": 1, "layout": "windows"}
    return TextTask(updated(PAPER, sizes | changes), made_up_corpus(cell.vocab_size, cell.length))


def grid(minutes: float) -> tuple[Found, dict[str, str]]:
    """Measure all that there is time for; what was left out, and why."""
    budget = Budget(60 * minutes)
    found = dict(growth(budget))
    for lag in LAGS:
        for workers in WORKERS:
            name = f"workers {workers}, lag {lag}"
            if budget.takes(name, FLEET_SECONDS):
                found[name] = fleet(task_of(shards=SHARDS, lag=lag), workers)
    return found, budget.left_out


def growth(budget: Budget) -> Iterator[tuple[str, dict[str, float]]]:
    """Steps of every size for which there is time and memory, each in a process of its own."""
    unit = 1.5  # seconds of a step at the paper's sizes, until it has been measured
    # The smallest first: the time of a large one follows from theirs.
    for cell in sorted(CELLS, key=lambda cell: cell.work):
        # The start of the process, then three steps; a first one takes up to twice as long.
        if budget.takes(str(cell), 15 + 4 * unit * cell.work, cell.mib):
            started = time.monotonic()
            yield str(cell), _alone(step_of, cell)
            unit = min(unit, max((time.monotonic() - started - 10) / 4 / cell.work, 0.5))


def step_of(cell: Cell) -> dict[str, float]:
    """CPU seconds of a training step in this process, and the most memory that it has had."""
    task, device = task_of(cell), prepare("cpu")
    start = _peak_mib(psutil.Process())
    learner, maker = task.learner(device), task.rollout_maker(device)

    def step() -> None:
        weights = learner.weights(on_device=True)
        rollouts = [Rollout.join([maker.shard(weights, learner.version, 0, 0)])]
        learner.update(learner.version, task.schedule.plan(learner.version), rollouts)

    step()
    begun, steps = time.process_time(), 0
    while steps < 2 or time.process_time() - begun < 1:
        step()
        steps += 1
    seconds = (time.process_time() - begun) / steps
    return {
        "cpu_ms_of_a_step": 1e3 * seconds,
        "tokens_per_cpu_second": cell.batch * cell.length / seconds,
        "peak_mib_beyond_the_start": _peak_mib(psutil.Process()) - start,
    }


def _alone(function: Callable[[Cell], dict[str, float]], cell: Cell) -> dict[str, float]:
    """Call it in a new process, whose peak of memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, cell).result()


def fleet(task: TextTask, workers: int, steps: int = STEPS) -> dict[str, float]:
    """Wall and CPU milliseconds of a step with so many workers, by process, and the peak of memory of each."""
    settings = RunSettings(engine=EngineSettings(workers=workers, device="cpu"))
    engine = make_engine(task, settings, lambda line: print(line, file=sys.stderr))
    try:
        ahead: Lookahead[Any, Any] = Lookahead(
            engine.learner, engine.rollouts, task.schedule.plan, task.settings.lag, steps + WARM_UP
        )
        for step in range(WARM_UP + steps):
            if step == WARM_UP:
                before, started = _cpu_seconds(), time.perf_counter()
            engine.learner.update(step, task.schedule.plan(step), ahead.rollouts(step))
        wall, after = time.perf_counter() - started, _cpu_seconds()
        found = {"wall_ms": 1e3 * wall / steps}
        found |= {f"cpu_ms {name}": 1e3 * (after[name] - before.get(name, 0.0)) / steps for name in after}
        peaks = [(_role(process), _peak_mib(process)) for process in _family()]
        return found | {f"peak_mib {name}": max(peak for role, peak in peaks if role == name) for name, _ in peaks}
    finally:
        engine.close()


def _family() -> list[psutil.Process]:
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def _role(process: psutil.Process) -> str:
    """What a process is, by the title that Ray gives an actor's."""
    if process.pid == psutil.Process().pid:
        return "driver"
    title = " ".join(process.cmdline())
    for part, role in (("RolloutHost", "workers"), ("LearnerHost", "learner")):
        if part in title:
            return role
    return "Ray's own"


def _cpu_seconds() -> dict[str, float]:
    found: dict[str, float] = {}
    for process in _family():
        times = process.cpu_times()
        found[_role(process)] = found.get(_role(process), 0.0) + times.user + times.system
    return found


def _peak_mib(process: psutil.Process) -> float:
    """The most resident memory that a process has had, which Linux alone tells."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
