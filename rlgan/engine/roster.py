"""Keeps the list of rollout workers: how many are wanted and where, which join, leave or are excluded. Pure logic."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rlgan.engine.placement import Resources, choose_node, worker_capacity
from rlgan.engine.processes import Location
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError
from rlgan.types import Metrics

# Seconds that an actor may take to start: on a loaded machine three of them take 15.
START_LIMIT = 180
# So many workers may die in a row, per wanted one, before any has started: more is no accident.
START_TRIES = 5
# A node on which no worker has ever run is excluded after so many that could not start there.
NODE_TRIES = 3

Reason = Literal["died", "hung", "node", "late", "room", "kind"]

# For "kind" there is a message of its own, one for all the workers of a node.
REMOVAL_MESSAGES = {
    "died": "died ({death}). Other workers make its shards, with the same result, and a new worker is started.",
    "node": "was lost with its node. Other workers make its shards, with the same result.",
    "hung": "has hung. Other workers make its shards, with the same result, and a new worker replaces it.",
    "late": f"did not start within {START_LIMIT} s. Another one is started.",
    "room": "is stopped, because the cluster has no more room for it.",
}


@dataclass(frozen=True)
class Death:
    """Why an actor died.

    Example:
        >>> roster = Roster(EngineSettings(workers=1), shards=1, log=print)
        >>> roster.workers.append(worker := Worker(0, actor=None, starting=None, since=0.0, target="a"))
        >>> roster.remove(worker, "died", Death("No module named 'torch'", cannot_start=True))  # nor would another
        Traceback (most recent call last):
        rlgan.errors.RunError: A rollout worker cannot start: No module named 'torch'
    """

    reason: str
    cannot_start: bool  # its process never got as far as taking calls


@dataclass(frozen=True)
class Vacancy:
    """A place for one more worker."""

    number: int
    node: str | None  # None: any
    only_there: bool  # rather wait for that node than start on another


@dataclass(eq=False)
class Worker:
    """A rollout worker.

    Example:
        >>> worker = Worker(3, actor=None, starting=None, since=0.0, target="a")
        >>> str(worker), worker.node
        ('Rollout worker 3', 'a')
        >>> worker.location = Location("b", "127.0.0.1", 17, "CPU")  # Ray has started it elsewhere
        >>> str(worker), worker.node
        ('Rollout worker 3 (process 17 on 127.0.0.1)', 'b')
    """

    number: int
    actor: Any  # Ray's handle
    starting: Any  # the reference that becomes its location once it has started
    since: float  # when it was asked for
    target: str | None  # the node that it was asked for
    location: Location | None = None  # None while it starts

    @property
    def node(self) -> str | None:
        """The node where it is, or is meant to be."""
        return self.location.node if self.location else self.target

    def __str__(self) -> str:
        return f"Rollout worker {self.number}" + (f" ({self.location})" if self.location else "")


class Roster:
    """The rollout workers of a run.

    Args:
        run: how many workers are wanted, and what each needs.
        shards: how many shards a batch of rollouts has.
        log: tells a line to people.

    Example:
        >>> roster = Roster(EngineSettings(workers=2), shards=2, log=print)
        >>> roster.set_nodes({"a": {"CPU": 2}})  # no worker is to be removed
        []
        >>> roster.wanted, roster.vacancy()  # beside the learner there is room for one
        (1, Vacancy(number=0, node='a', only_there=False))
    """

    def __init__(self, run: EngineSettings, shards: int, log: Callable[[str], None]) -> None:
        self.fewest, self.most = run.fleet(shards)
        self.wanted = self.most
        self.learner_nodes: list[str] = []
        self.workers: list[Worker] = []
        self.has_started = False  # the fewest workers were there at one time
        self.needs_nodes = True  # `set_nodes` is to be called before more workers are started
        self._run = run
        self._log = log
        self._capacity: dict[str, int] = {}
        self._first: Location | None = None  # of the worker that was there first, whose kind all others must have
        self._mixed_was_logged = False
        self._excluded: set[str] = set()
        self._proven: set[str] = set()  # nodes that a worker has run on
        self._failed_starts: Counter[str] = Counter()  # by node
        self._deaths_at_start = 0  # in a row
        self._removed: Counter[str] = Counter()

    def present(self) -> list[Worker]:
        """Return the workers that have started."""
        return [worker for worker in self.workers if worker.location]

    def counts(self) -> Metrics:
        """Return how many workers there are, are wanted, and were replaced, by reason."""
        counts = {"workers_alive": float(len(self.present())), "workers_wanted": float(self.wanted)}
        return counts | {f"restarts_{why}": float(self._removed[why]) for why in ("died", "hung", "node", "late")}

    def kinds(self) -> set[str]:
        """Return the kinds of machine that workers are on."""
        return {worker.location.kind for worker in self.workers if worker.location}

    def nodes(self) -> set[str]:
        """Return the nodes that workers are on."""
        return {worker.location.node for worker in self.workers if worker.location}

    def set_nodes(self, nodes: Mapping[str, Resources]) -> list[Worker]:
        """Take note of the nodes that there are now, and return the workers whose node is gone, to be removed."""
        self.needs_nodes = False
        self._capacity = worker_capacity(nodes, self._run, self.learner_nodes, self._workers_on(), self._excluded)
        room = sum(self._capacity.values())
        wanted = min(self.most, room)
        if wanted != self.wanted and self.has_started:
            self._log(f"The cluster has room for {room} rollout workers, so {wanted} are wanted.")
        self.wanted = wanted
        return [worker for worker in self.present() if worker.node not in nodes]

    def surplus(self) -> list[Worker]:
        """Return the workers that are more than wanted, or where a learner must go, to be removed.

        Those that have not started yet come first.
        """
        # A full node is a problem only while a learner has none: Ray places it there as soon as there is room.
        there = self._workers_on()
        learner_needs_room = not all(node in self._capacity for node in self.learner_nodes)
        left = len(self.workers)
        surplus = []
        for worker in sorted(self.workers, key=lambda worker: (worker.location is not None, -worker.number)):
            node = worker.node
            is_crowded = node is not None and node in self._capacity and there[node] > self._capacity[node]
            if left > self.wanted or (is_crowded and learner_needs_room):
                there[node] -= 1
                left -= 1
                surplus.append(worker)
        return surplus

    def vacancy(self) -> Vacancy | None:
        """Return the place for one more worker, or None if there are as many as are wanted."""
        if len(self.workers) >= self.wanted:
            return None
        # The lowest free number: metrics go by number, so that a new worker continues the curve of the one it replaces.
        taken = {worker.number for worker in self.workers}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        node = choose_node(self._capacity, self._workers_on(), self._run.placement, self.learner_nodes)
        # Where a node is excluded, Ray must not choose another one by itself: it might choose that.
        return Vacancy(number, node, only_there=bool(self._excluded))

    def admit(self, worker: Worker, location: Location) -> list[Worker]:
        """Note that a worker has started, and return the workers that must not take part, to be removed.

        Only machines of one kind compute the same bits. Where the worker's kind is not that of the first one, its node
        is excluded, with all workers on it.

        Raises:
            RunError: no worker may be left out, because the run has just begun and needs them all.
        """
        worker.location = location
        self._deaths_at_start = 0
        self._first = self._first or location
        self._proven.add(location.node)
        if location.kind == self._first.kind:
            return self._accept(worker)
        kinds = f"{worker} is of another kind, {location.kind}, than the first ({self._first}), {self._first.kind}"
        if self._run.mixed_fleet:
            if not self._mixed_was_logged:
                self._log(f"{kinds}. The bits of the result depend on who makes which shard.")
            self._mixed_was_logged = True
            return self._accept(worker)
        advice = "To allow it, give --mixed-fleet: the result is then not bit-identical"
        self._exclude(location.node)
        # Which of the two kinds was meant is not known, so the run may begin only where any number of workers will do.
        if not self.has_started and (self.fewest == self.most or sum(self._capacity.values()) < self.fewest):
            raise RunError(f"{kinds}. {advice}")
        self._log(f"{kinds}. It is stopped, and its node is not used any more. {advice}.")
        return [each for each in self.workers if each.node == location.node]

    def overdue(self, now: float) -> list[Worker]:
        """Return the workers that were not able to start in time, to be removed."""
        late = [worker for worker in self.workers if not worker.location and now - worker.since > START_LIMIT]
        return late if self.has_started else []

    def remove(self, worker: Worker, reason: Reason, death: Death | None = None) -> None:
        """Take a worker off the list.

        Raises:
            RunError: it died at its start, and the reason is not one that will pass.
        """
        self.workers.remove(worker)
        self._removed[reason] += 1
        if death and death.cannot_start:
            self._count_failed_start(worker, death)
        if reason in REMOVAL_MESSAGES:
            message = REMOVAL_MESSAGES[reason].format(death=death and death.reason)
            self._log(f"{worker} {message}")
        if death and not worker.location:
            self._deaths_at_start += 1
            if self._deaths_at_start > START_TRIES * self.most:
                raise RunError(f"{self._deaths_at_start} rollout workers in a row died at their start: {death.reason}")

    def _accept(self, worker: Worker) -> list[Worker]:
        if self.has_started:
            self._log(f"{worker} joined.")
        return []

    def _count_failed_start(self, worker: Worker, death: Death) -> None:
        if not self.has_started:
            raise RunError(f"A rollout worker cannot start: {death.reason}")
        # A node that joined later may lack what the others have. One that has had a worker is not given up.
        node = worker.target
        self._failed_starts[node or ""] += 1
        if node and node not in self._proven and self._failed_starts[node] == NODE_TRIES:
            self._exclude(node)
            self._log(f"{worker} is one of {NODE_TRIES} that cannot start on their node, which is not used any more.")

    def _exclude(self, node: str) -> None:
        self._excluded.add(node)
        self._capacity[node] = 0
        self.needs_nodes = True  # how many are wanted, and where, has changed

    def _workers_on(self) -> Counter[str | None]:
        return Counter(worker.node for worker in self.workers)
