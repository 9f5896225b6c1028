"""The rollout workers of a run: gets jobs done, while workers die, hang, join and leave.

A shard is a pure function of its key and the weights, so the result is the same whichever worker makes it. `dispatch`
decides which worker makes what, `roster` which workers there are; this module tells both what happens, and does what
they decide.

There are no threads: all of this happens while the process that holds the pool waits for something, and only then.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rlgan.engine.dispatch import Actor, Copy, Dispatcher, Job, Reference
from rlgan.engine.failures import NodeLostError, RayError, TaskError, death_reason, read_death, unread_argument
from rlgan.engine.placement import Resources
from rlgan.engine.processes import Usage
from rlgan.engine.roster import START_LIMIT, Reason, Roster, Vacancy, Worker
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError
from rlgan.types import Metrics

# Seconds between checks of the clock, and between questions which nodes there are.
POLL_EVERY = 0.25
NODES_EVERY = 2.0


class Cluster(Protocol):
    """Where the workers run: `rlgan.engine.ray_cluster.RayCluster`, whose docstrings say what each method does."""

    def nodes(self) -> dict[str, Resources]:
        """Return the total resources of each node."""
        ...

    def start_worker(self, vacancy: Vacancy) -> tuple[Actor, Reference]:
        """Start a worker; return it, and the reference that becomes its location."""
        ...

    def kill(self, actor: Actor) -> None:
        """End a worker."""
        ...

    def wait(self, references: Sequence[Reference], timeout: float) -> list[Reference]:
        """Wait until one of the references is ready, or `timeout` seconds; return all that are."""
        ...

    def get(self, reference: Reference) -> Any:
        """Return what a reference that is ready stands for."""
        ...

    def last_lines(self, actor: Actor) -> list[str]:
        """Return the last lines of a worker's log."""
        ...

    def free(self) -> str:
        """Return what is not in use, for people."""
        ...

    def monotonic(self) -> float:
        """Return the time in seconds since an arbitrary moment."""
        ...


class WorkerUsage:
    """What the workers use, as they said with their last jobs."""

    def __init__(self) -> None:
        self._usage: dict[int, Usage] = {}
        self._cpu_seconds_of_removed = 0.0

    def record(self, number: int, usage: Usage) -> None:
        """Note what a worker says."""
        self._usage[number] = usage

    def remove(self, number: int) -> None:
        """Note that a worker is gone; its CPU time still counts."""
        if usage := self._usage.pop(number, None):
            self._cpu_seconds_of_removed += usage.cpu_seconds

    def cpu_seconds(self) -> float:
        """Return the CPU time of all workers so far."""
        return self._cpu_seconds_of_removed + sum(usage.cpu_seconds for usage in self._usage.values())

    def memory(self) -> Metrics:
        """Return the memory of each worker in bytes."""
        return {f"memory_worker_{number}": float(usage.memory) for number, usage in sorted(self._usage.items())}


class WorkerPool:
    """Keeps as many rollout workers as are wanted and fit, and gets jobs done.

    Args:
        cluster: where the workers run.
        run: how many workers, with what, where.
        shards: how many shards a batch of rollouts has.
        log: tells a line to people.

    Raises:
        RunError: by every method that waits: workers die again and again, or there are none for `START_LIMIT` seconds.
        LearnerLostError: by every method that waits: the weights that a shard needs were lost with the learner.

    Attributes:
        learner: the learner whose weights the shards are made with, for people: who is named where they are lost.
    """

    def __init__(self, cluster: Cluster, run: EngineSettings, shards: int, log: Callable[[str], None]) -> None:
        self.roster = Roster(run, shards, log)
        self.dispatcher = Dispatcher(self._send)
        self.usage = WorkerUsage()
        self.learner = "The learner"
        self._cluster = cluster
        self._log = log
        # Seconds that were spent here, watching. While this process does something else, as writing a checkpoint,
        # no results are read, so that time must not make a worker late.
        self._clock = 0.0
        self._last_present = 0.0  # on that clock
        self._nodes_read = 0.0  # on the cluster's

    def start(self) -> None:
        """Wait until the fewest workers that are asked for have started.

        Raises:
            RunError: they have not, within `START_LIMIT` seconds.
        """
        while len(self.roster.present()) < self.roster.fewest and self._clock < START_LIMIT:
            self._poll()
        missing = self.roster.fewest - len(self.roster.present())
        if missing > 0:
            raise RunError(
                f"{missing} of {self.roster.fewest} rollout workers did not start within {START_LIMIT} s; "
                f"{self._cluster.free()}"
            )
        self.roster.has_started = True

    def submit(self, jobs: Sequence[Job]) -> None:
        """Send jobs to the workers, which do them meanwhile."""
        # Workers that finished since the last poll are free, but still count as busy.
        if any(self.dispatcher.current_copy(worker.number) for worker in self.roster.workers):
            self._poll(timeout=0.0)
        for job in jobs:
            self.dispatcher.submit(job, self._clock)

    def results(self, jobs: Sequence[Job]) -> list[Reference]:
        """Wait until jobs are done, and return the references to their results."""
        while any(job.result is None for job in jobs):
            self._poll()
        return [job.result for job in jobs]

    def wait(self, reference: Reference, limit: float = float("inf")) -> bool:
        """Wait for something else, and look after the workers meanwhile.

        Returns:
            False where it is not there after `limit` seconds.
        """
        started = self._clock
        while not self._poll(reference):
            if self._clock - started > limit:
                return False
        return True

    def repeat(self, jobs: Sequence[Job], error: RayError) -> None:
        """Have jobs done again whose results were lost, with a node, after they were done."""
        for job in jobs:
            self.dispatcher.repeat(job, death_reason(error), self._clock)

    def shards_made(self) -> dict[str, int]:
        """Return the number of shards that each worker has made so far."""
        numbers = {worker.number for worker in self.roster.workers} | set(self.dispatcher.shards_made)
        return {f"worker_{number}": self.dispatcher.shards_made[number] for number in sorted(numbers)}

    def report(self) -> Metrics:
        """Return how many workers there are, what went wrong so far, and the memory of each in bytes."""
        return self.roster.counts() | self.dispatcher.counts() | self.usage.memory()

    def _send(self, number: int, job: Job) -> Copy:
        worker = next(worker for worker in self.roster.workers if worker.number == number)
        return Copy(job, *job.submit(worker.actor))

    def _poll(self, *others: Reference, timeout: float = POLL_EVERY) -> bool:
        """Wait a moment for something to happen, and react to it; return whether one of `others` is ready."""
        self._reconcile()
        watched: dict[Reference, Worker] = {}
        for worker in self.roster.workers:
            # Only the first copy: an actor does its jobs in order. An idle worker that dies is noticed later, by its
            # next job or by its node.
            if copy := self.dispatcher.current_copy(worker.number):
                watched[copy.cost] = worker
            elif not worker.location:
                watched[worker.starting] = worker
        before = self._cluster.monotonic()
        ready = self._cluster.wait([*others, *watched], timeout)
        # The bound is for a process that was itself stopped, or starved, while it waited.
        self._clock += min(self._cluster.monotonic() - before, 2 * POLL_EVERY)
        for reference in ready:
            # What happened to one worker may have removed another, as when the node of both is excluded.
            if reference in watched and watched[reference] in self.roster.workers:
                self._handle(watched[reference])
        for number in self.dispatcher.check_progress(self._clock):
            self._remove(next(worker for worker in self.roster.workers if worker.number == number), "hung")
        self.dispatcher.submit_waiting(self._clock)
        self._check_presence()
        return any(reference in ready for reference in others)

    def _reconcile(self) -> None:
        """Make the workers that there are those that are wanted."""
        now = self._cluster.monotonic()
        if self.roster.needs_nodes or now - self._nodes_read >= NODES_EVERY:
            self._nodes_read = now
            for worker in self.roster.set_nodes(self._cluster.nodes()):
                self._remove(worker, "node")
            for worker in self.roster.surplus():
                self._remove(worker, "room")
        while vacancy := self.roster.vacancy():
            actor, starting = self._cluster.start_worker(vacancy)
            self.roster.workers.append(Worker(vacancy.number, actor, starting, self._clock, vacancy.node))

    def _handle(self, worker: Worker) -> None:
        """React to a worker that has started, done a job, raised an exception, or died."""
        copy = self.dispatcher.current_copy(worker.number)
        try:
            outcome = self._cluster.get(copy.cost if copy else worker.starting)
        except TaskError as error:
            if unread := unread_argument(error, str(worker), self.learner):
                raise unread from error
            # A shard that fails is a fault of the program, whose log may help. The functions that prepare data raise
            # errors for people, which say what is wrong with the data: a log would hide them.
            if copy and copy.job.kind == "shard":
                self._report_exception(worker)
            raise error.cause from error
        except NodeLostError:
            self._remove(worker, "node")
        except RayError as error:  # not RayActorError: a process that was killed for want of memory raises another
            self._remove(worker, "died", error)
        else:
            if copy:
                seconds, usage = outcome
                self.usage.record(worker.number, usage)
                self.dispatcher.complete(worker.number, seconds, self._clock)
                return
            self.dispatcher.add_worker(worker.number, self._clock)
            for rejected in self.roster.admit(worker, outcome):
                self._remove(rejected, "kind")

    def _remove(self, worker: Worker, reason: Reason, error: RayError | None = None) -> None:
        """End a worker, and have its jobs done by others; `_reconcile` then starts another."""
        death = read_death(error) if error is not None else None
        # Ray reports the death of a process also where its whole node is gone.
        if death and worker.node not in self._cluster.nodes():
            reason = "node"
        # It may have hung or be out of reach, and until it is killed it holds its resources.
        self._cluster.kill(worker.actor)
        self.usage.remove(worker.number)
        self.roster.remove(worker, reason, death)
        if worker.location:
            killer = death.reason if death and reason == "died" else None
            self.dispatcher.remove_worker(worker.number, self._clock, killer)

    def _check_presence(self) -> None:
        """Give up when there has been no worker for long, and on those that do not start."""
        if self.roster.present() or not self.roster.has_started or not self.dispatcher.waiting:
            self._last_present = self._clock
        elif self._clock - self._last_present > START_LIMIT:
            raise RunError(
                f"There has been no rollout worker for {START_LIMIT} s; {self._cluster.free()}. Then go on with "
                "--resume"
            )
        for worker in self.roster.overdue(self._clock):
            self._remove(worker, "late")

    def _report_exception(self, worker: Worker) -> None:
        """Tell which worker raised an exception, and what it last wrote."""
        lines = self._cluster.last_lines(worker.actor)
        what = "The last lines of its log:" if lines else "Its log is empty."
        self._log(f"{worker} raised an exception. {what}")
        for line in lines:
            self._log(f"  {line}")
