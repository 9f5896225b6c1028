"""The rollout workers of a run: who is there, who makes which shard, and what is done when one dies, hangs or joins.

A shard is a pure function of its key and the weights, so whoever makes it, it comes out the same: one whose worker died
is asked of another, and one whose worker is slow of another as well; the first copy counts. The process that holds the
fleet does all this while it waits for something, and only then: there are no threads.
`rlgan.engine.ray_engine`, which prepares Ray's import, is to be imported first.
"""

import os
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
import torch
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    GetTimeoutError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rlgan.device import kind, prepare
from rlgan.engine.processes import memory
from rlgan.engine.settings import RunConfig
from rlgan.errors import LearnerLostError, RunError
from rlgan.task import ShardMaker
from rlgan.types import Metrics, Rollout, Weights

# Seconds that actors are given to start: a loaded machine takes 15 for three.
START_LIMIT = 180
# Whether Ray is to note every task: its server keeps 100,000, and grew by 20 MiB a minute in a run of short steps.
TASK_EVENTS = False
# Workers that may die over one job, and per wanted worker before one has started: more is no accident.
JOB_TRIES = 6
START_TRIES = 5
# Workers that can't start on a node after which it gets no more.
UNFIT_TRIES = 3
# A job is asked of another worker too after so many times the median time of a job, or so many seconds if that is
# more; after the larger bounds its worker counts as hung and is replaced.
RACE_AFTER = (4, 1.0)
HUNG_AFTER = (20, 10.0)
# Times of jobs that the median is of, and of one worker's by which it counts as slow.
RECENT = 50
OWN_RECENT = 3
# A worker so many times as slow as the median gets jobs by its speed, and after so many seconds another chance.
SLOW = 3
SECOND_CHANCE = 60
# Seconds between looks at the clock, and at which nodes there are.
LOOK = 0.25
POLL = 2.0
LOG_LINES = 10

Resources = dict[str, float]


@dataclass(frozen=True)
class Vitals:
    """What a process says of itself."""

    cpu_seconds: float
    memory: int  # bytes, resident

    @staticmethod
    def now() -> "Vitals":
        """Of this process."""
        return Vitals(time.process_time(), memory())


@dataclass(frozen=True)
class Whereabouts:
    """Where an actor lives."""

    node: str  # Ray's identifier
    address: str
    pid: int
    kind: str  # of machine: what the bits of its results depend on

    @staticmethod
    def here(device: torch.device) -> "Whereabouts":
        """Of this actor, which computes on a device."""
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return Whereabouts(ray.get_runtime_context().get_node_id(), address, os.getpid(), kind(device))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.address}"


class RolloutHost:
    """The actor round what makes shards."""

    def __init__(self, shard_maker: Callable[[torch.device], ShardMaker], gpus: float) -> None:
        self._device = prepare(gpus)
        self._maker = shard_maker(self._device)

    def whereabouts(self) -> Whereabouts:
        """Where it lives."""
        return Whereabouts.here(self._device)

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> tuple[Rollout, tuple[float, Vitals]]:
        """Make a shard; the second result says so, and in how many seconds: nobody needs to fetch the first."""
        started = time.perf_counter()
        rollout = self._maker.shard(weights, step, draw, shard)
        return rollout, (time.perf_counter() - started, Vitals.now())

    def apply(self, function: Callable[[Any], Any], item: Any) -> tuple[Any, tuple[float, Vitals]]:
        """Apply a function to an item; the second result as that of `shard`."""
        started = time.perf_counter()
        result = function(item)
        return result, (time.perf_counter() - started, Vitals.now())

    def last_lines(self) -> list[str]:
        """The end of what this process wrote to its standard output and error."""
        lines: list[str] = []
        for descriptor in (1, 2):
            file = Path(f"/dev/fd/{descriptor}")
            if file.is_file():  # Ray's log; else a pipe, which can't be read again
                lines += file.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return lines


@dataclass(eq=False)
class Job:
    """What was asked for: a shard, or something of the task's own. Whoever does it, the result is the same."""

    method: str  # of `RolloutHost`
    arguments: tuple[Any, ...]
    result: ObjectRef[Any] | None = None  # of the first copy that was done
    failures: int = 0  # workers that died at it, and copies that were lost
    hung: int = 0  # workers that were too slow over it


@dataclass(eq=False)
class Copy:
    """A job on its way, at one worker."""

    job: Job
    result: ObjectRef[Any]
    done: ObjectRef[tuple[float, Vitals]]


@dataclass(eq=False)
class Worker:
    """A rollout worker as the fleet sees it."""

    place: int  # its number
    actor: ActorHandle[Any]
    born: ObjectRef[Whereabouts]
    since: float  # on the fleet's clock: when it was started, or when it began the first copy of its queue
    target: str | None  # the node that it is to be on
    at: Whereabouts | None = None  # None while it starts
    queue: deque[Copy] = field(default_factory=deque)  # an actor makes them in this order
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=OWN_RECENT))
    last: float = 0.0  # on the fleet's clock: when it was last done with a job
    late: bool = False  # its first copy is asked of others too

    @property
    def node(self) -> str | None:
        """Where it is or is to be."""
        return self.at.node if self.at else self.target

    def __str__(self) -> str:
        return f"rollout worker {self.place}" + (f" ({self.at})" if self.at else "")


class Fleet:
    """Keeps as many rollout workers as are wanted and fit, and gets jobs done.

    Args:
        maker: makes, on a device, what makes shards.
        run: how many workers, with what, where.
        shards: that a draw has.
        say: tells a line to people.

    Raises:
        RunError: by every method that waits: workers die again and again, or there are none for `START_LIMIT` seconds.
        LearnerLostError: by every method that waits: the weights that a shard needs died with the learner.
    """

    def __init__(
        self,
        maker: ObjectRef[Callable[[torch.device], ShardMaker]],
        run: RunConfig,
        shards: int,
        say: Callable[[str], None],
    ) -> None:
        self._maker = maker
        self._run = run
        self._say = say
        self.fewest, self.most = run.fleet(shards)
        self.homes: list[str] = []  # the learners' nodes
        self.wanted = self.most
        self._rooms: dict[str, int] = {}
        self._first: Whereabouts | None = None  # the worker that was there first: its kind is the fleet's
        self._mixed = False  # there was one of another kind
        self._shunned: set[str] = set()  # nodes of another kind, or that can start nobody
        self._settled: set[str] = set()  # nodes that a worker was on
        self._unfit: Counter[str] = Counter()  # starts that failed, by node
        self._workers: list[Worker] = []
        self._waiting: list[Job] = []  # for a worker
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._clock = 0.0  # seconds that were watched: who looks away for long can't call others late
        self._manned = 0.0  # when there last was a worker
        self._polled = -float("inf")
        self._stillborn = 0
        self._started = False
        self._made: Counter[int] = Counter()
        self._count: Counter[str] = Counter()
        self._vitals: dict[int, Vitals] = {}
        self._cpu_seconds_of_the_dead = 0.0

    def start(self) -> None:
        """Wait until the fewest workers that are asked for are there.

        Raises:
            RunError: they are not, in `START_LIMIT` seconds.
        """
        while len(self._present()) < self.fewest and self._clock < START_LIMIT:
            self._look()
        missing = self.fewest - len(self._present())
        if missing > 0:
            raise RunError(f"{missing} of {self.fewest} rollout workers did not start in {START_LIMIT} s; {free()}")
        self._started = True

    def __len__(self) -> int:
        """Workers that are there."""
        return len(self._present())

    def request(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Job]:
        """Ask for a job for each of `arguments`; the workers do them meanwhile."""
        if any(worker.queue for worker in self._workers):
            self._look(wait=0.0)  # who has finished meanwhile is free
        jobs = [Job(method, each) for each in arguments]
        for job in jobs:
            self._ask(job)
        return jobs

    def settle(self, jobs: Sequence[Job]) -> list[ObjectRef[Any]]:
        """Wait until jobs are done; their results."""
        while any(job.result is None for job in jobs):
            self._look()
        return [job.result for job in jobs if job.result is not None]

    def wait(self, reference: ObjectRef[Any], limit: float = float("inf")) -> bool:
        """Wait until something else is there, and see to the workers meanwhile. False: `limit` seconds are over."""
        started = self._clock
        while not self._look(reference):
            if self._clock - started > limit:
                return False
        return True

    def remake(self, jobs: Sequence[Job], error: RayError) -> None:
        """Ask again for jobs that were done and whose results were then lost with a node."""
        for job in jobs:
            self._fail(job, error)
            job.result = None
            self._remake(job)

    def forget(self) -> None:
        """Want nothing any more that was asked for."""
        self._waiting.clear()
        for worker in self._workers:
            worker.queue.clear()
            worker.late = False

    def shards_made(self) -> dict[str, int]:
        """Shards by worker, so far; who took the place of another counts on."""
        places = sorted({worker.place for worker in self._workers} | set(self._made))
        return {f"worker_{place}": self._made[place] for place in places}

    def cpu_seconds(self) -> float:
        """CPU time of all workers, so far, as of their last jobs."""
        return self._cpu_seconds_of_the_dead + sum(vitals.cpu_seconds for vitals in self._vitals.values())

    def report(self) -> Metrics:
        """How many workers there are, what went wrong so far, and the memory of each in bytes."""
        counts = [f"restarts_{cause}" for cause in ("died", "hung", "node", "late")]
        counts += [f"shards_{fate}" for fate in ("remade", "raced", "wasted")]
        metrics = {"workers_alive": float(len(self)), "workers_wanted": float(self.wanted)}
        metrics |= {name: float(self._count[name]) for name in counts}
        return metrics | {f"memory_worker_{place}": float(v.memory) for place, v in sorted(self._vitals.items())}

    def nodes(self) -> set[str]:
        """The nodes that workers are on."""
        return {worker.at.node for worker in self._workers if worker.at}

    def kinds(self) -> set[str]:
        """The kinds of machine that workers are on."""
        return {worker.at.kind for worker in self._workers if worker.at}

    def _present(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.at]

    def _look(self, *others: ObjectRef[Any], wait: float = LOOK) -> bool:
        """Wait a moment for something to happen, and see to it; True when one of `others` is there."""
        self._staff()
        watched = {worker.queue[0].done if worker.queue else worker.born: worker for worker in self._workers}
        watched = {ref: worker for ref, worker in watched.items() if worker.queue or not worker.at}
        references = [*others, *watched]
        before = time.monotonic()
        ready: list[ObjectRef[Any]] = []
        if references:
            ready, _ = ray.wait(references, timeout=wait)
        else:
            time.sleep(wait)
        if ready and len(references) > 1:
            ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        self._clock += min(time.monotonic() - before, 2 * LOOK)
        for reference in ready:
            if reference in watched and watched[reference] in self._workers:
                self._see(watched[reference])
        self._race()
        self._man()
        return any(reference in ready for reference in others)

    def _see(self, worker: Worker) -> None:
        """What a worker was watched for is there: it has joined, done a job, or died."""
        try:
            if worker.queue:
                seconds, vitals = ray.get(worker.queue[0].done)
            else:
                at = worker.at = ray.get(worker.born)
        except RayTaskError as error:
            if isinstance(error.cause, (RayActorError, ObjectLostError, OutOfMemoryError)):
                raise LearnerLostError("the weights were lost with the learner") from error
            if isinstance(error.cause, RayError):
                raise RunError(f"{worker} failed: {reason(error.cause)}") from error
            if worker.queue[0].job.method == "shard":  # the task's own functions raise what is wrong with the data
                self._blame(worker)
            raise error.cause from error
        except ActorUnschedulableError:
            self._bury(worker, "node", None)
            return
        except RayError as error:  # not every death is a RayActorError: one for want of memory is none
            self._bury(worker, "died", error)
            return
        begun, worker.since, worker.last = worker.since, self._clock, self._clock
        worker.late = False
        if not worker.queue:
            self._stillborn = 0
            if not self._admit(worker, at):
                return
            if self._started:
                self._say(f"{worker} joined")
            return
        copy = worker.queue.popleft()
        # What its process measured leaves out the way of the weights; what was seen here, what happened unseen.
        seconds = max(seconds, self._clock - begun)
        self._recent.append(seconds)
        worker.seconds.append(seconds)
        self._vitals[worker.place] = vitals
        if copy.job.result is None:
            copy.job.result = copy.result
            self._made[worker.place] += copy.job.method == "shard"
        else:
            self._count["shards_wasted"] += 1

    def _admit(self, worker: Worker, at: Whereabouts) -> bool:
        """Whether a worker that is there may make shards: those of one kind make the same bits."""
        self._first = self._first or at
        self._settled.add(at.node)
        if at.kind == self._first.kind:
            return True
        kinds = f"{worker} is of another kind, {at.kind}, than the first ({self._first}), {self._first.kind}"
        if self._run.mixed_fleet:
            if not self._mixed:
                self._say(f"{kinds}: the bits of the result depend on who makes which shard")
            self._mixed = True
            return True
        remedy = "--mixed-fleet allows it, and then the result is not bit-identical"
        self._shun(at.node)
        # Nobody knows which of the two was meant, unless any number of workers will do.
        if not self._started and (self.fewest == self.most or sum(self._rooms.values()) < self.fewest):
            raise RunError(f"{kinds}: {remedy}")
        self._say(f"{kinds}, and is let go; its node gets no more: {remedy}")
        for each in [each for each in self._workers if each.node == at.node]:
            self._bury(each, "kind", None)
        return False

    def _shun(self, node: str) -> None:
        self._shunned.add(node)
        self._rooms[node] = 0
        self._polled = -float("inf")  # who is wanted now, and where, is seen to before anybody is sent for

    def _ask(self, job: Job) -> None:
        """Give a job to the worker that will be done with it first, by what is known."""
        able = [worker for worker in self._present() if not worker.late]
        if not able:
            self._waiting.append(job)
            return
        worker = min(able, key=lambda worker: ((len(worker.queue) + 1) * self._slowness(worker), worker.place))
        if not worker.queue:
            worker.since = self._clock
        result: ObjectRef[Any]
        done: ObjectRef[tuple[float, Vitals]]
        result, done = getattr(worker.actor, job.method).options(num_returns=2).remote(*job.arguments)
        worker.queue.append(Copy(job, result, done))

    def _slowness(self, worker: Worker) -> float:
        if len(worker.seconds) < OWN_RECENT:
            return 1.0
        ratio = min(worker.seconds) / max(statistics.median(self._recent), 1e-9)
        return ratio if ratio >= SLOW else 1.0

    def _race(self) -> None:
        """Ask others for the jobs of who is late, and replace who has hung."""
        if not self._recent:
            return
        median = statistics.median(self._recent)
        for worker in self._present():
            if not worker.queue:
                if self._clock - worker.last > SECOND_CHANCE:
                    worker.seconds.clear()
                continue
            taken = self._clock - worker.since
            first = worker.queue[0].job
            if taken > max(HUNG_AFTER[0] * median, HUNG_AFTER[1]) * 2**first.hung:
                first.hung += 1  # if it is the job that takes so long, the next worker is given longer
                self._bury(worker, "hung", None)
            elif taken > max(RACE_AFTER[0] * median, RACE_AFTER[1]) and not worker.late:
                worker.late = True
                for copy in worker.queue:
                    if copy.job.result is None and self._copies(copy.job) == 1:
                        self._count["shards_raced"] += 1
                        self._ask(copy.job)

    def _copies(self, job: Job) -> int:
        return sum(copy.job is job for worker in self._workers for copy in worker.queue) + self._waiting.count(job)

    def _man(self) -> None:
        """Give out what waits for a worker; give up when there has been none for long."""
        if any(not worker.late for worker in self._present()):
            waiting, self._waiting = self._waiting, []
            for job in waiting:
                if job.result is None:
                    self._ask(job)
        if self._present() or not self._started or not self._waiting:
            self._manned = self._clock
        elif self._clock - self._manned > START_LIMIT:
            raise RunError(f"there has been no rollout worker for {START_LIMIT} s; {free()}; go on with --resume")
        for worker in list(self._workers):
            if not worker.at and self._started and self._clock - worker.since > START_LIMIT:
                self._bury(worker, "late", None)

    def _bury(self, worker: Worker, cause: str, error: RayError | None) -> None:
        """Take a worker off the list, and ask others for its jobs; `_staff` sends for another."""
        if error is not None and unfit(error):
            if not self._started:
                raise RunError(f"a rollout worker can't start: {reason(error)}") from error
            # A node that joined may lack what the others have.
            self._unfit[worker.target or ""] += 1
            if worker.target and worker.target not in self._settled and self._unfit[worker.target] == UNFIT_TRIES:
                self._shun(worker.target)
                self._say(f"no rollout worker can start on the node of {worker}: it gets no more")
        with suppress(RayActorError):
            ray.kill(worker.actor)  # it may be out of reach, or stopped, and still hold its resources
        self._workers.remove(worker)
        if vitals := self._vitals.pop(worker.place, None):
            self._cpu_seconds_of_the_dead += vitals.cpu_seconds
        if error is not None and worker.node not in living_nodes():
            cause = "node"
        self._count[f"restarts_{cause}"] += 1  # who is let go is not among those that are reported
        if cause in _OBITUARIES:
            self._say(f"{worker} " + _OBITUARIES[cause].format(error and reason(error)))
        if error is not None and not worker.at:
            self._stillborn += 1
            if self._stillborn > START_TRIES * self.most:
                raise RunError(f"{self._stillborn} rollout workers in a row died at their start: {reason(error)}")
        if cause == "died" and worker.queue and error is not None:
            self._fail(worker.queue[0].job, error)
        for copy in worker.queue:
            if copy.job.result is None and not self._copies(copy.job):
                self._remake(copy.job)

    def _fail(self, job: Job, error: RayError) -> None:
        job.failures += 1
        if job.failures >= JOB_TRIES:
            raise RunError(f"{JOB_TRIES} rollout workers died over the same {job.method}: {reason(error)}")

    def _remake(self, job: Job) -> None:
        self._count["shards_remade"] += 1
        self._ask(job)

    def _blame(self, worker: Worker) -> None:
        """Say which worker raised, and what it last wrote."""
        lines: list[str] = []
        with suppress(RayError, GetTimeoutError):
            last: ObjectRef[list[str]] = worker.actor.last_lines.remote()
            lines = ray.get(last, timeout=5)
        self._say(f"{worker} raised; the last lines of its log:" if lines else f"{worker} raised; its log is empty")
        for line in lines:
            self._say(f"  {line}")

    def _staff(self) -> None:
        """Send for workers that are wanted and fit; now and then, see which nodes there are."""
        now = time.monotonic()
        if now - self._polled >= POLL:
            self._polled = now
            nodes = living_nodes()
            self._rooms = rooms(nodes, self._run, self.homes, self._taken(), self._shunned)
            for worker in self._present():
                if worker.node not in nodes:
                    self._bury(worker, "node", None)
            wanted = min(self.most, sum(self._rooms.values()))
            if wanted != self.wanted and self._started:
                self._say(f"the cluster has room for {sum(self._rooms.values())} rollout workers: {wanted} are wanted")
            self.wanted = wanted
            self._dismiss()
        while len(self._workers) < self.wanted:
            self._hire()

    def _dismiss(self) -> None:
        """Let go who is more than wanted, or where the learner is to go: first who is not there yet."""
        there = self._taken()
        homeless = not all(home in self._rooms for home in self.homes)
        for worker in sorted(self._workers, key=lambda worker: (worker.at is not None, -worker.place)):
            crowded = worker.node in self._rooms and there[worker.node] > self._rooms[worker.node]
            if len(self._workers) > self.wanted or (crowded and homeless):
                there[worker.node] -= 1
                self._bury(worker, "room", None)

    def _taken(self) -> Counter[str | None]:
        return Counter(worker.node for worker in self._workers)

    def _hire(self) -> None:
        run = self._run
        taken = {worker.place for worker in self._workers}
        place = next(place for place in range(len(taken) + 1) if place not in taken)
        target = choose(self._rooms, self._taken(), run.placement, self.homes)
        # Soft: another node will do if this one has gone; and spill: or is full, else the worker would wait for it.
        # But not one of another kind.
        soft = not self._shunned
        where = NodeAffinitySchedulingStrategy(target, soft=soft, _spill_on_unavailable=soft) if target else "DEFAULT"
        host: Any = ray.remote(RolloutHost).options(
            num_cpus=run.worker_cpus,
            num_gpus=run.rollout_gpus,
            scheduling_strategy=where,
            enable_task_events=TASK_EVENTS,
        )
        actor: ActorHandle[Any] = host.remote(self._maker, run.rollout_gpus)
        self._workers.append(Worker(place, actor, actor.whereabouts.remote(), self._clock, target))


_OBITUARIES = {
    "died": "died ({}): others make its shards, which come out the same, and a new one is started",
    "node": "was lost with its node: others make its shards, which come out the same",
    "hung": "has hung: others make its shards, which come out the same, and a new one takes its place",
    "late": f"did not start in {START_LIMIT} s: another is started",
    "room": "is let go: there is no room for it any more",
}


def rooms(
    nodes: dict[str, Resources],
    run: RunConfig,
    homes: Sequence[str],
    taken: Counter[str | None],
    shunned: Collection[str] = (),
) -> dict[str, int]:
    """How many rollout workers fit on each node beside the learners.

    Args:
        nodes: what each node has in all, by Ray's names.
        run: what the actors need.
        homes: the learners' nodes; for those that have none, room is kept where that costs the fewest workers.
        taken: how many workers each node has.
        shunned: nodes that are to have none.
    """
    learner, worker = (run.learner_cpus, run.learner_gpus), (run.worker_cpus, run.rollout_gpus)
    have = {name: _amounts(node) for name, node in nodes.items()}

    def beside(learners: Counter[str]) -> dict[str, int]:
        fit = {}
        for name, has in have.items():
            left = [amount - learners[name] * need for amount, need in zip(has, learner, strict=True)]
            fit[name] = 0 if name in shunned else max(_times(left, worker), 0)
        return fit

    def worth(fit: dict[str, int]) -> tuple[int, int]:
        return sum(fit.values()), sum(min(fit[name], taken[name]) for name in fit)

    learners = Counter(home for home in homes if home in have)
    while learners.total() < run.learners:
        more = [learners + Counter([name]) for name in have]
        able = [
            each
            for each in more
            if all(has[i] >= each[name] * learner[i] for name, has in have.items() for i in range(len(learner)))
        ]
        if not able:
            break
        learners = max(able, key=lambda each: worth(beside(each)))
    return beside(learners)


def learners_that_fit(nodes: dict[str, Resources], run: RunConfig) -> int:
    """How many learners fit on the nodes, which have this in all, if there is nothing else."""
    return sum(_times(_amounts(node), (run.learner_cpus, run.learner_gpus)) for node in nodes.values())


def _amounts(node: Resources) -> tuple[float, float]:
    return node.get("CPU", 0.0), node.get("GPU", 0.0)


def _times(has: Sequence[float], needs: Sequence[float]) -> int:
    return min(int(amount / need + 1e-9) for amount, need in zip(has, needs, strict=True) if need)


def choose(room: dict[str, int], taken: Counter[str | None], placement: str, homes: Sequence[str]) -> str | None:
    """The node for the next worker: of those with room the emptiest (spread) or the fullest (pack); None: no node."""
    able = [name for name in room if room[name] > taken[name]]
    fullness = {name: (taken[name] + homes.count(name), homes.count(name)) for name in able}
    if placement == "spread":
        return min(able, key=fullness.__getitem__, default=None)
    return max(able, key=fullness.__getitem__, default=None)


def living_nodes() -> dict[str, Resources]:
    """What each node that is alive has in all."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]


def free() -> str:
    """What of the cluster nobody has taken, for people."""
    has = ray.available_resources()  # type: ignore[no-untyped-call]
    return (
        f"free on the cluster: {has.get('CPU', 0):g} CPUs, {has.get('GPU', 0):g} GPUs: is another job using it, or are "
        "nodes gone?"
    )


def unfit(death: RayError) -> bool:
    """Whether an actor died because it can't start where it was to."""
    return isinstance(death, RuntimeEnvSetupError) or (isinstance(death, RayActorError) and death.actor_init_failed)


def reason(death: RayError) -> str:
    """What Ray says of a death, in some words."""
    lines = str(death).strip().splitlines()
    if unfit(death):
        return lines[-1]  # of a traceback: the error
    if isinstance(death, ActorUnavailableError):
        return "it is out of reach"
    why = next((line for line in lines if line.startswith("The actor is dead because ")), lines[0])
    return why.removeprefix("The actor is dead because ").partition(". ")[0].removesuffix(".")
