"""A pool of rollout workers in simulated time; test_faults.py has real processes."""

import math

from rlgan.engine.ray_environment import ray

import pytest

from rlgan.engine.dispatch import Job
from rlgan.engine.processes import Location, Usage
from rlgan.engine.settings import EngineSettings
from rlgan.engine.worker_pool import WorkerPool
from rlgan.errors import LearnerLostError, RunError

NODE, OTHER = "ab" * 28, "cd" * 28  # as Ray names nodes


class Reference:
    """A result that is there from a time on, unless the actor that makes it dies before."""

    def __init__(self, actor, at, value):
        self.actor, self.at, self.value = actor, at, value


class Actor:
    """Does one job after another, each in `seconds`."""

    def __init__(self, cluster, seconds, node):
        self.cluster, self.seconds, self.node = cluster, seconds, node
        self.free, self.hangs, self.dead, self.death, self.jobs = 0.0, False, False, None, 0

    def later(self, seconds, value):
        self.free = max(self.free, self.cluster.now) + (math.inf if self.hangs else seconds)
        return Reference(self, self.free, value)

    def shard(self, *key):
        self.jobs += 1
        if key[0] in self.cluster.deadly_steps:
            self.die()
        return self.later(self.seconds, key), self.later(0.0, (self.seconds, Usage(0.0, 0)))

    def die(self, death=None):
        self.dead, self.death = True, death


class SimulatedCluster:
    """What Ray does, in a time that passes only while something is waited for."""

    start_seconds = 5.0

    def __init__(self, seconds, cpus):
        self.now, self.seconds, self.actors, self.deadly_steps = 0.0, seconds, [], ()
        self.cpus, self.kinds = cpus or {NODE: 64.0}, {NODE: "AVX2", OTHER: "AVX512"}
        self.deaths_at_start = {}  # what any worker dies of, by node

    def nodes(self):
        return {node: {"CPU": cpus} for node, cpus in self.cpus.items()}

    def start_worker(self, vacancy):
        number = len(self.actors)
        seconds = self.seconds[number] if number < len(self.seconds) else self.seconds[0]
        actor = Actor(self, seconds, vacancy.node)
        self.actors.append(actor)
        if vacancy.node in self.deaths_at_start:
            actor.die(self.deaths_at_start[vacancy.node])
        location = Location(vacancy.node, "127.0.0.1", len(self.actors), self.kinds[vacancy.node])
        return actor, actor.later(self.start_seconds, location)

    def kill(self, actor):
        actor.die()

    def wait(self, references, timeout):
        def ready():
            return [ref for ref in references if ref.at <= self.now or (ref.actor and ref.actor.dead)]

        if not ready():
            self.now = min([self.now + timeout, *(ref.at for ref in references)])
        return ready()

    def get(self, reference):
        if reference.at > self.now and reference.actor.dead:
            raise reference.actor.death or ray.exceptions.ActorDiedError
        return reference.value

    def last_lines(self, _):
        return []

    def free(self):
        return "nothing is free"

    def monotonic(self):
        return self.now


@pytest.fixture
def simulated():
    """Start a pool of workers that take so many seconds per shard each; gives it, its cluster, and what it said."""

    def make(*seconds, cpus=None, deaths_at_start=None, **settings):
        cluster, said = SimulatedCluster(seconds, cpus), []
        cluster.deaths_at_start = deaths_at_start or {}
        pool = WorkerPool(cluster, EngineSettings(**({"workers": len(seconds)} | settings)), 4, said.append)
        pool.roster.learner_nodes = [NODE]
        pool.start()
        return pool, cluster, said

    return make


def _request(pool, step, shards):
    def job(key):
        return Job("shard", lambda actor: actor.shard(*key))

    jobs = [job((step, shard)) for shard in range(shards)]
    pool.submit(jobs)
    return jobs


def _steps(pool, cluster, count, shards=8):
    """Do steps of 8 shards; gives the seconds that they took."""
    started = cluster.now
    for step in range(count):
        results = pool.results(_request(pool, step, shards))
        assert [ref.value for ref in results] == [(step, shard) for shard in range(shards)]
    return cluster.now - started


def test_shards_are_dealt_evenly(simulated):
    pool, cluster, _ = simulated(0.5, 0.5)
    assert _steps(pool, cluster, 10) == pytest.approx(10 * 4 * 0.5)
    assert pool.shards_made() == {"worker_0": 40, "worker_1": 40}


def test_with_one_worker_ten_times_as_slow_the_others_keep_85_percent_of_their_throughput(simulated):
    pool, cluster, _ = simulated(0.5, 0.5, 5.0)
    seconds = _steps(pool, cluster, 200)
    assert seconds <= 200 * 4 * 0.5 / 0.85  # two workers alone: four rounds a step
    assert pool.report()["restarts_hung"] == 0


def test_a_worker_that_hangs_is_replaced_and_its_shards_are_made_by_others_meanwhile(simulated):
    pool, cluster, said = simulated(0.1, 0.1, 0.1)
    _steps(pool, cluster, 5)
    cluster.actors[1].hangs = True
    cluster.actors[1].free = math.inf
    seconds = _steps(pool, cluster, 1)
    assert 1.0 < seconds < 1.0 + 1.0  # the patience, and the shards
    _steps(pool, cluster, 100)
    report = pool.report()
    assert (report["restarts_hung"], report["restarts_died"], report["workers_alive"]) == (1, 0, 3)
    assert report["shards_raced"] in (2, 3)  # of 8, what one of three workers had
    assert cluster.actors[1].dead
    assert [line for line in said if "has hung" in line]
    assert cluster.actors[3].jobs > 50


def test_all_may_die_at_once_and_again_while_they_start(simulated):
    pool, cluster, said = simulated(0.1, 0.1)
    _steps(pool, cluster, 1)
    for _ in range(3):
        jobs = _request(pool, 0, 4)
        for actor in cluster.actors:
            actor.die()
        assert [ref.value for ref in pool.results(jobs)] == [(0, shard) for shard in range(4)]
    assert pool.report()["restarts_died"] == 6
    assert pool.report()["shards_remade"] >= 12  # more, where it was asked of who was dead too
    assert sum("joined" in line for line in said) >= 5


def test_a_shard_that_kills_whoever_makes_it_ends_the_run(simulated):
    pool, cluster, _ = simulated(0.1, 0.1)
    cluster.deadly_steps = (7,)
    with pytest.raises(RunError, match="6 rollout workers died over the same shard"):
        _steps(pool, cluster, 8)


def test_a_worker_that_is_killed_for_want_of_memory_is_replaced(simulated):
    pool, cluster, said = simulated(0.1, 0.1)
    jobs = _request(pool, 0, 4)
    cluster.actors[1].die(ray.exceptions.OutOfMemoryError("the node was running low on memory"))
    assert [ref.value for ref in pool.results(jobs)] == [(0, shard) for shard in range(4)]
    assert pool.report()["restarts_died"] == 1
    assert [line for line in said if "died (the node was running low on memory)" in line]


def test_a_node_that_joins_and_can_start_no_worker_gets_no_more_and_the_run_goes_on(simulated):
    pool, cluster, said = simulated(0.1, cpus={NODE: 2.0}, workers="auto:1-4")
    cluster.deaths_at_start[OTHER] = ray.exceptions.RuntimeEnvSetupError("no space left")
    cluster.cpus[OTHER] = 2.0
    _steps(pool, cluster, 400)
    assert 3 <= len([actor for actor in cluster.actors if actor.node == OTHER]) <= 4
    assert len([line for line in said if "not used any more" in line]) == 1
    assert pool.report()["workers_alive"] == pool.report()["workers_wanted"] == 1


def test_a_node_that_workers_were_on_stays_when_none_can_start_there_and_the_reason_ends_the_run(simulated):
    pool, cluster, _ = simulated(0.1)
    _steps(pool, cluster, 1)
    cluster.deaths_at_start[NODE] = ray.exceptions.RuntimeEnvSetupError("no space left")
    cluster.actors[0].die()
    with pytest.raises(RunError, match="6 rollout workers in a row died at their start: no space left"):
        _steps(pool, cluster, 1)


def test_a_first_worker_that_cannot_start_ends_the_run(simulated):
    with pytest.raises(RunError, match="A rollout worker cannot start: no space left"):
        simulated(0.1, deaths_at_start={NODE: ray.exceptions.RuntimeEnvSetupError("no space left")})


def test_workers_that_do_not_start_in_time_end_the_run_and_what_is_free_is_said(simulated, monkeypatch):
    monkeypatch.setattr(SimulatedCluster, "start_seconds", math.inf)
    with pytest.raises(RunError, match="2 of 2 rollout workers did not start within 180 s; nothing is free"):
        simulated(0.1, 0.1)


def test_a_pool_that_is_asked_for_nothing_may_be_empty(simulated):
    pool, cluster, _ = simulated(0.1)
    cluster.cpus = {}
    never = Reference(None, math.inf, None)
    assert not pool.wait(never, 600.0)
    assert not pool.roster.present()
    _request(pool, 0, 1)
    with pytest.raises(RunError, match="There has been no rollout worker for 180 s"):
        pool.wait(never, 600.0)


def test_workers_that_die_at_their_start_end_the_run(simulated):
    pool, cluster, _ = simulated(0.1, 0.1)
    cluster.deaths_at_start = {NODE: ray.exceptions.ActorDiedError()}
    for actor in cluster.actors:
        actor.die()
    with pytest.raises(RunError, match="11 rollout workers in a row died at their start"):
        _steps(pool, cluster, 1)


def test_time_in_which_nobody_watches_makes_no_worker_late(simulated):
    pool, cluster, _ = simulated(0.1, 0.1)
    _steps(pool, cluster, 5)
    jobs = _request(pool, 5, 8)
    cluster.now += 60.0  # a checkpoint is written
    pool.results(jobs)
    assert (pool.report()["shards_raced"], pool.report()["restarts_hung"]) == (0, 0)


class TaskFailedError(Exception):
    pass


def _raise(actor, cause):
    """What a call gives whose function raised."""

    def get(_):
        raise ray.exceptions.RayTaskError("shard", "Traceback ...", cause)

    actor.cluster.get = get


def test_an_exception_of_a_task_is_raised_as_it_is_and_its_worker_is_named(simulated):
    pool, cluster, said = simulated(0.1)
    jobs = _request(pool, 0, 1)
    _raise(cluster.actors[0], TaskFailedError("no such tensor"))
    with pytest.raises(TaskFailedError, match="no such tensor"):
        pool.results(jobs)
    assert said == ["Rollout worker 0 (process 1 on 127.0.0.1) raised an exception. Its log is empty."]


# As Ray words them.
DIED = "It died.\n\tpid: 7\nThe actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ray.exceptions.OutOfMemoryError(DIED), "died: its worker process has died"),
        (ray.exceptions.ActorUnavailableError("it does not answer", None), "is lost: it cannot be reached"),
        (ray.exceptions.ObjectLostError("00" * 28, None, ""), "died: its weights are lost with its node"),
    ],
)
def test_weights_that_died_with_the_learner_are_told_from_a_fault_of_the_worker(simulated, cause, reason):
    pool, cluster, said = simulated(0.1)
    pool.learner = "The learner (process 7 on 127.0.0.1)"
    jobs = _request(pool, 0, 1)
    _raise(cluster.actors[0], cause)
    with pytest.raises(LearnerLostError) as lost:
        pool.results(jobs)
    assert str(lost.value) == f"The learner (process 7 on 127.0.0.1) {reason}"
    assert said == []


def test_a_pool_follows_the_room_there_is(simulated):
    pool, cluster, said = simulated(0.1, 0.1, 0.1)
    cluster.cpus[NODE] = 2.0  # with the learner's
    _steps(pool, cluster, 30)
    assert pool.report()["workers_alive"] == 1
    cluster.cpus[NODE] = 3.0
    _steps(pool, cluster, 30)
    assert pool.report()["workers_alive"] == pool.report()["workers_wanted"] == 2
    assert [line for line in said if line.startswith("The cluster")] == [
        f"The cluster has room for {count} rollout workers, so {count} are wanted." for count in (1, 2)
    ]


def test_a_pool_of_two_kinds_is_refused_and_both_are_named(simulated):
    with pytest.raises(RunError) as refused:
        simulated(0.1, 0.1, cpus={NODE: 2.0, OTHER: 1.0})
    for named in ("AVX2", "AVX512", "(process 1 on 127.0.0.1)", "(process 2 on 127.0.0.1)", "--mixed-fleet"):
        assert named in str(refused.value)


def test_auto_refuses_two_kinds_only_where_one_is_too_few(simulated):
    pool, cluster, _ = simulated(0.1, cpus={NODE: 3.0, OTHER: 2.0}, workers="auto:2-4")
    _steps(pool, cluster, 1)
    assert len(pool.roster.kinds()) == 1
    assert len(pool.roster.present()) == 2
    with pytest.raises(RunError, match="--mixed-fleet"):
        simulated(0.1, cpus={NODE: 2.0, OTHER: 1.0}, workers="auto:2-4")


def test_a_mixed_pool_that_is_asked_for_is_used_and_said_once(simulated):
    pool, cluster, said = simulated(0.1, 0.1, 0.1, cpus={NODE: 2.0, OTHER: 2.0}, mixed_fleet=True)
    _steps(pool, cluster, 10)
    assert set(pool.shards_made()) == {"worker_0", "worker_1", "worker_2"}
    assert pool.roster.kinds() == {"AVX2", "AVX512"}
    assert sum("who makes which shard" in line for line in said) == 1


def test_a_node_of_another_kind_that_joins_is_left_alone_and_said_once(simulated):
    pool, cluster, said = simulated(0.1, cpus={NODE: 2.0}, workers="auto:1-4")
    _steps(pool, cluster, 1)
    cluster.cpus[OTHER] = 2.0
    _steps(pool, cluster, 400)
    strangers = [actor for actor in cluster.actors if actor.node == OTHER]
    assert 1 <= len(strangers) <= 2  # as many as the node has room for, once
    assert all(actor.dead and not actor.jobs for actor in strangers)
    assert len([line for line in said if "AVX512" in line]) == 1
    cluster.cpus["ef" * 28] = 1.0
    cluster.kinds["ef" * 28] = "AVX2"
    _steps(pool, cluster, 400)
    assert pool.roster.nodes() == {NODE, "ef" * 28}
    assert pool.report()["workers_alive"] == pool.report()["workers_wanted"] == 2
