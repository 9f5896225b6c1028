"""Decides which worker is sent which job, and what is sent again when a worker is slow, hangs or dies.

Pure logic. Times come in as arguments, on the clock of the caller, and so does the function that sends a job, so that
all of it can be tested in simulated time. A job's result does not depend on who does it, so any job may be sent to
several workers: the first copy that is done counts.
"""

import statistics
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from rlgan.errors import RunError
from rlgan.types import Metrics

# So many workers may die while they do one job, or so many of its copies be lost: more is no accident.
MAX_JOB_FAILURES = 6
# How many job times the median is taken of: of all workers, and the least of one worker that tell its own speed.
RECENT_TIMES = 50
OWN_TIMES = 3
# A worker at least this many times as slow as the median gets jobs in proportion to its speed ...
SLOW_RATIO = 3
# ... and after so many idle seconds its times are forgotten: what slowed it may be gone.
FORGET_SLOWNESS_AFTER = 60


class Patience(NamedTuple):
    """How long a job may take: a multiple of the median time, but not less than some seconds."""

    medians: float
    seconds: float

    def limit(self, median: float) -> float:
        """Return the limit in seconds where the median job takes so long.

        Example:
            >>> Patience(medians=4, seconds=1.0).limit(median=0.5), Patience(medians=4, seconds=1.0).limit(median=0.1)
            (2.0, 1.0)
        """
        return max(self.medians * median, self.seconds)


LATE = Patience(4, 1.0)  # then the job is sent to another worker too
HUNG = Patience(20, 10.0)  # then the worker counts as hung, and is replaced

Reference = Any  # a Ray ObjectRef; nothing here looks into it
Actor = Any  # a Ray ActorHandle; likewise


# Jobs, copies and queues are compared by identity (eq=False): what they hold may be equal, or not comparable.
@dataclass(eq=False)
class Job:
    """What workers are asked for.

    Example:
        >>> job = Job("shard", submit=print, failures=MAX_JOB_FAILURES - 1)
        >>> job.count_failure("out of memory")
        Traceback (most recent call last):
        rlgan.errors.RunError: 6 rollout workers died over the same shard: out of memory
    """

    kind: Literal["shard", "item"]  # of a rollout; or of a list that a function is applied to
    submit: Callable[[Actor], tuple[Reference, Reference]]  # sends it to an actor; returns its result and its cost
    result: Reference | None = None  # of the first copy that was done
    failures: int = 0  # workers that died while they did it, and results that were lost
    hangs: int = 0  # workers that hung while they did it

    def count_failure(self, reason: str) -> None:
        """Note that a worker died over the job, or that its result was lost.

        Raises:
            RunError: that has happened `MAX_JOB_FAILURES` times.
        """
        self.failures += 1
        if self.failures >= MAX_JOB_FAILURES:
            raise RunError(f"{MAX_JOB_FAILURES} rollout workers died over the same {self.kind}: {reason}")


@dataclass(eq=False)
class Copy:
    """A job that was sent to one worker."""

    job: Job
    result: Reference
    cost: Reference  # becomes ready with the result


@dataclass(eq=False)
class WorkerQueue:
    """What one worker was sent and has not done yet, and how fast it has been.

    Example:
        >>> queue = WorkerQueue(since=0.0, last_done=0.0, seconds=deque([8.0, 6.0, 9.0]))
        >>> queue.slowness(median=2.0), queue.slowness(median=3.0)  # 6 / 2; and 6 / 3, which is not clearly slow
        (3.0, 1.0)
    """

    since: float  # when it began the first copy
    last_done: float
    copies: deque[Copy] = field(default_factory=deque)  # in the order in which the actor does them
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=OWN_TIMES))  # that its last jobs took
    is_late: bool = False  # its first copy takes long, and was sent to others too

    def slowness(self, median: float) -> float:
        """Return how many times as slow as the median the worker is, or 1 if that is not clear."""
        if len(self.seconds) < OWN_TIMES:
            return 1.0
        # The fastest of its times: a worker that was held up once or twice is not a slow one.
        ratio = min(self.seconds) / max(median, 1e-9)
        return ratio if ratio >= SLOW_RATIO else 1.0


class Dispatcher:
    """Sends jobs to workers, which it knows by their numbers.

    Args:
        send: sends a job to the worker with a number.

    Raises:
        RunError: by the methods that send a job again: it has failed `MAX_JOB_FAILURES` times.

    Example:
        >>> dispatcher = Dispatcher(lambda number, job: print("to worker", number) or Copy(job, "result", "cost"))
        >>> for number in (0, 1):
        ...     dispatcher.add_worker(number, now=0.0)
        >>> for _ in range(2):
        ...     dispatcher.submit(Job("shard", submit=print), now=0.0)
        to worker 0
        to worker 1
        >>> dispatcher.remove_worker(0, now=1.0)  # its job is sent again
        to worker 1
    """

    def __init__(self, send: Callable[[int, Job], Copy]) -> None:
        self.shards_made: Counter[int] = Counter()  # by worker; one that replaces another counts on
        self.waiting: list[Job] = []  # jobs that could not be sent yet, for want of a worker
        self._send = send
        self._queues: dict[int, WorkerQueue] = {}
        self._recent: deque[float] = deque(maxlen=RECENT_TIMES)
        self._counts: Counter[str] = Counter()

    def counts(self) -> Metrics:
        """Return how many jobs were sent again, were sent twice, and were done twice."""
        return {f"shards_{name}": float(self._counts[name]) for name in ("remade", "raced", "wasted")}

    def add_worker(self, number: int, now: float) -> None:
        """Let a worker have jobs from now on."""
        self._queues[number] = WorkerQueue(since=now, last_done=now)

    def remove_worker(self, number: int, now: float, death: str | None = None) -> None:
        """Send the jobs of a worker that is gone to others.

        Args:
            number: of the worker.
            now: in seconds.
            death: of what it died, if the job that it was at may have been the reason.
        """
        copies = self._queues.pop(number).copies
        # An actor does its jobs in order, so only the first can have killed it.
        if death is not None and copies:
            copies[0].job.count_failure(death)
        for copy in copies:
            if copy.job.result is None and not self._copies_of(copy.job):
                self._submit_again(copy.job, now)

    def submit(self, job: Job, now: float) -> None:
        """Send a job to the worker that will be done with it first, as far as is known; without workers, keep it."""
        # A late worker may well have hung: what it is sent now would wait until that is certain.
        able = {number: queue for number, queue in self._queues.items() if not queue.is_late}
        if not able:
            self.waiting.append(job)
            return
        median = statistics.median(self._recent) if self._recent else 0.0

        def expected(number: int) -> tuple[float, int]:
            return (len(able[number].copies) + 1) * able[number].slowness(median), number

        number = min(able, key=expected)
        if not able[number].copies:
            able[number].since = now
        able[number].copies.append(self._send(number, job))

    def submit_waiting(self, now: float) -> None:
        """Send the jobs that waited for a worker, if there is one."""
        if all(queue.is_late for queue in self._queues.values()):
            return
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            # A late worker may have done it after all while its second copy waited.
            if job.result is None:
                self.submit(job, now)

    def repeat(self, job: Job, reason: str, now: float) -> None:
        """Send a job again that was done, but whose result was lost for a reason."""
        job.count_failure(reason)
        job.result = None
        self._submit_again(job, now)

    def current_copy(self, number: int) -> Copy | None:
        """Return the copy that a worker is at; None if it is idle, or if there is no such worker."""
        queue = self._queues.get(number)
        return queue.copies[0] if queue and queue.copies else None

    def complete(self, number: int, seconds: float, now: float) -> None:
        """Note that a worker has done its current copy.

        Args:
            number: of the worker.
            seconds: that the job took, as its process measured it.
            now: in seconds.
        """
        queue = self._queues[number]
        copy = queue.copies.popleft()
        # The worker's own measure leaves out how long the weights took to arrive; ours leaves out what happened while
        # this process did something else.
        seconds = max(seconds, now - queue.since)
        queue.since = queue.last_done = now
        queue.is_late = False
        self._recent.append(seconds)
        queue.seconds.append(seconds)
        if copy.job.result is None:
            copy.job.result = copy.result
            self.shards_made[number] += copy.job.kind == "shard"
        else:
            self._counts["wasted"] += 1

    def check_progress(self, now: float) -> list[int]:
        """Send the jobs of late workers to others too, and return the workers that have hung, to be removed."""
        if not self._recent:
            return []
        # The median, not the mean: it stays what it is when a few jobs take very long, which is what is looked for.
        median = statistics.median(self._recent)
        hung = list(self._find_hung(median, now))
        for number, queue in list(self._queues.items()):
            if not queue.copies:
                if now - queue.last_done > FORGET_SLOWNESS_AFTER:
                    queue.seconds.clear()
            elif number not in hung and not queue.is_late and now - queue.since > LATE.limit(median):
                queue.is_late = True
                self._race(queue, now)
        return hung

    def forget_jobs(self) -> None:
        """Forget all jobs. Workers finish the jobs that they have, but nothing waits for the results."""
        self.waiting.clear()
        for queue in self._queues.values():
            queue.copies.clear()
            queue.is_late = False

    def _find_hung(self, median: float, now: float) -> Iterator[int]:
        for number, queue in self._queues.items():
            if not queue.copies:
                continue
            job = queue.copies[0].job
            # If it is the job that takes so long, and not the worker, the next worker is given twice the time.
            if now - queue.since > HUNG.limit(median) * 2**job.hangs:
                job.hangs += 1
                queue.is_late = True  # it gets no more jobs until it is removed
                yield number

    def _race(self, queue: WorkerQueue, now: float) -> None:
        # All that the worker has before it, not only the first: while that one is slow, none of the others can begin.
        for copy in queue.copies:
            if copy.job.result is None and self._copies_of(copy.job) == 1:
                self._counts["raced"] += 1
                self.submit(copy.job, now)

    def _copies_of(self, job: Job) -> int:
        sent = sum(copy.job is job for queue in self._queues.values() for copy in queue.copies)
        return sent + self.waiting.count(job)

    def _submit_again(self, job: Job, now: float) -> None:
        self._counts["remade"] += 1
        self.submit(job, now)
