"""What fits where, and who gets which job, in simulated time; test_faults.py has real processes."""

import math
import types
from collections import Counter

import pytest

from rlgan.engine.settings import RunConfig
from rlgan.errors import RunError, UsageError


@pytest.fixture(scope="module")
def fleet():
    import rlgan.engine.fleet
    import rlgan.engine.ray_engine  # prepares Ray's import

    return rlgan.engine.fleet


def _nodes(**cpus):
    return {name: {"CPU": float(count)} for name, count in cpus.items()}


def test_the_learners_place_is_kept_free(fleet):
    nodes = _nodes(a=2, b=3)
    assert fleet.rooms(nodes, RunConfig(), ["a"], Counter()) == {"a": 1, "b": 3}
    assert fleet.rooms(nodes, RunConfig(learner_cpus=2), ["b"], Counter()) == {"a": 2, "b": 1}
    assert fleet.rooms(nodes, RunConfig(worker_cpus=0.5), ["a"], Counter()) == {"a": 2, "b": 6}


def test_while_there_is_no_learner_room_is_kept_where_it_costs_least(fleet):
    # On b, a worker of two CPUs loses nothing by a learner of one.
    assert fleet.rooms(_nodes(a=2, b=3), RunConfig(worker_cpus=2), [], Counter()) == {"a": 1, "b": 1}
    assert fleet.rooms(_nodes(a=2, b=3), RunConfig(worker_cpus=2), ["gone"], Counter()) == {"a": 1, "b": 1}


def test_a_learner_that_lost_its_node_goes_where_it_drives_nobody_away(fleet):
    nodes = _nodes(a=1, b=2, c=1)
    assert fleet.rooms(nodes, RunConfig(), ["gone"], Counter(a=1, b=1, c=1)) == {"a": 1, "b": 1, "c": 1}
    assert fleet.rooms(nodes, RunConfig(), ["gone"], Counter(b=2, c=1)) == {"a": 0, "b": 2, "c": 1}


def test_the_scarcest_counts(fleet):
    nodes = {"gpu": {"CPU": 8.0, "GPU": 1.0}, "plain": {"CPU": 8.0}}
    run = RunConfig(rollout_gpus=0.25, learner_gpus=0.5)
    assert fleet.rooms(nodes, run, ["gpu"], Counter()) == {"gpu": 2, "plain": 0}
    assert fleet.rooms(nodes, run, [], Counter()) == {"gpu": 2, "plain": 0}


def test_a_learner_that_no_node_can_hold_is_said_before_anything_starts(fleet, monkeypatch):
    from rlgan.engine import ray_engine as cluster

    nodes, run = _nodes(a=2, b=2, c=2), RunConfig(workers=2, learner_cpus=4)
    assert fleet.learners_that_fit(nodes, run) == 0
    assert fleet.learners_that_fit(nodes, RunConfig(learner_cpus=0.5)) == 12
    engine = object.__new__(cluster.RayEngine)
    engine._run, engine._shards = run, 2
    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: {"CPU": 6.0})  # as many as are needed, in all
    monkeypatch.setattr(cluster, "living_nodes", lambda: nodes)
    with pytest.raises(RunError, match="a learner of 4 and 0 do not fit on the nodes of this Ray"):
        engine._check_resources()


def test_spread_goes_to_the_emptiest_and_pack_to_the_fullest_node(fleet):
    room, taken = {"a": 1, "b": 2, "c": 2}, Counter({"b": 1})
    assert fleet.choose(room, taken, "spread", ["a"]) == "c"
    assert fleet.choose(room, taken, "pack", ["a"]) == "a"
    assert fleet.choose(room, Counter({"a": 1, "b": 1}), "pack", ["a"]) == "b"
    assert fleet.choose(room, Counter({"a": 1, "b": 2, "c": 2}), "pack", ["a"]) is None


@pytest.mark.parametrize(
    ("workers", "shards", "due"),
    [(3, 2, (3, 3)), ("auto", 4, (1, 4)), ("auto:2-3", 4, (2, 3)), ("auto:1-9", 4, (1, 4)), ("auto:3-5", 2, (3, 3))],
)
def test_auto_has_as_many_workers_as_there_are_shards_within_its_bounds(workers, shards, due):
    RunConfig(workers=workers).check()
    assert RunConfig(workers=workers).fleet(shards) == due


@pytest.mark.parametrize("workers", [-1, "two", "auto:", "auto:3", "auto:0-2", "auto:3-2", "auto:-1-2", "AUTO", "2.5"])
def test_other_workers_are_refused(workers):
    with pytest.raises(UsageError, match="--workers is"):
        RunConfig(workers=workers).check()


NODE, OTHER = "ab" * 28, "cd" * 28  # as Ray names nodes


class Reference:
    """A result that is there from a time on, unless who is at it dies."""

    def __init__(self, actor, at, value):
        self.actor, self.at, self.value = actor, at, value


class Actor:
    """Does one job after another, each in `seconds`."""

    def __init__(self, simulation, seconds, node):
        self.simulation, self.seconds, self.free, self.dead, self.hangs = simulation, seconds, 0.0, False, False
        self.node = node
        self.death = None
        self.refs, self.jobs = [], 0
        self.whereabouts = types.SimpleNamespace(remote=self._born)
        self.shard = types.SimpleNamespace(options=lambda **_: types.SimpleNamespace(remote=self._shard))

    def _later(self, seconds, value):
        self.free = max(self.free, self.simulation.now) + (math.inf if self.hangs else seconds)
        self.refs.append(Reference(self, self.free, value))
        return self.refs[-1]

    def _born(self):
        from rlgan.engine.fleet import Whereabouts

        at = Whereabouts(self.node, "127.0.0.1", len(self.simulation.actors), self.simulation.kinds[self.node])
        return self._later(self.simulation.birth, at)

    def _shard(self, *key):
        from rlgan.engine.fleet import Vitals

        self.jobs += 1
        if key[0] in self.simulation.poison:
            self.die()
        return self._later(self.seconds, key), self._later(0.0, (self.seconds, Vitals(0.0, 0)))

    def die(self, death=None):
        self.dead, self.death = True, death


class Simulation:
    """Ray's functions, in a time that passes only where one waits."""

    def __init__(self, seconds):
        self.now, self.birth, self.poison, self.actors, self.seconds = 0.0, 5.0, (), [], list(seconds)
        self.cpus, self.kinds = {NODE: 64.0}, {NODE: "AVX2", OTHER: "AVX512"}
        self.unfit = {}  # what any worker dies of at its start, by node

    def remote(self, _):
        def start(node):
            number = len(self.actors)
            seconds = self.seconds[number] if number < len(self.seconds) else self.seconds[0]
            self.actors.append(Actor(self, seconds, node))
            if node in self.unfit:
                self.actors[-1].die(self.unfit[node])
            return self.actors[-1]

        def options(scheduling_strategy, **_):
            return types.SimpleNamespace(remote=lambda *_: start(scheduling_strategy.node_id))

        return types.SimpleNamespace(options=options)

    def wait(self, references, num_returns=1, timeout=None):
        def ready():
            return [ref for ref in references if ref.at <= self.now or ref.actor.dead]

        if not ready() and timeout:
            self.now = min(min(ref.at for ref in references), self.now + timeout)
        return ready()[:num_returns], []

    def get(self, reference):
        from ray.exceptions import ActorDiedError

        if reference.at > self.now and reference.actor.dead:
            raise reference.actor.death or ActorDiedError
        return reference.value

    def kill(self, actor):
        actor.die()

    def available_resources(self):
        return {}

    def nodes(self):
        return [{"NodeID": node, "Alive": True, "Resources": {"CPU": cpus}} for node, cpus in self.cpus.items()]


@pytest.fixture
def simulated(fleet, monkeypatch):
    """Start a fleet of workers that take so many seconds per shard each; gives it, its Ray, and what it said."""

    def make(*seconds, cpus=None, **settings):
        simulation, said = Simulation(seconds), []
        simulation.cpus = cpus or simulation.cpus
        for name in ("remote", "wait", "get", "kill", "nodes", "available_resources"):
            monkeypatch.setattr(fleet.ray, name, getattr(simulation, name))
        monkeypatch.setattr(fleet.time, "monotonic", lambda: simulation.now)
        run = RunConfig(**({"workers": len(seconds)} | settings))
        started = fleet.Fleet("maker", run, 4, said.append)
        started.homes = [NODE]
        started.start()
        return started, simulation, said

    return make


def _steps(fleet, simulation, count, shards=8):
    """Do steps of 8 shards; gives the seconds that they took."""
    started = simulation.now
    for step in range(count):
        keys = [(step, shard) for shard in range(shards)]
        assert [ref.value for ref in fleet.settle(fleet.request("shard", keys))] == keys
    return simulation.now - started


def test_shards_are_dealt_evenly(simulated):
    fleet, simulation, _ = simulated(0.5, 0.5)
    assert _steps(fleet, simulation, 10) == pytest.approx(10 * 4 * 0.5)
    assert fleet.shards_made() == {"worker_0": 40, "worker_1": 40}


def test_with_one_worker_ten_times_as_slow_the_others_keep_85_percent_of_their_throughput(simulated):
    fleet, simulation, _ = simulated(0.5, 0.5, 5.0)
    seconds = _steps(fleet, simulation, 200)
    assert seconds <= 200 * 4 * 0.5 / 0.85  # two workers alone: four rounds a step
    assert fleet.report()["restarts_hung"] == 0


def test_who_hangs_is_raced_and_replaced(simulated):
    fleet, simulation, said = simulated(0.1, 0.1, 0.1)
    _steps(fleet, simulation, 5)
    simulation.actors[1].hangs = True
    simulation.actors[1].free = math.inf
    seconds = _steps(fleet, simulation, 1)
    assert 1.0 < seconds < 1.0 + 1.0  # the patience, and the shards
    _steps(fleet, simulation, 100)
    report = fleet.report()
    assert (report["restarts_hung"], report["restarts_died"], report["workers_alive"]) == (1, 0, 3)
    assert report["shards_raced"] in (2, 3)  # of 8, what one of three workers had
    assert simulation.actors[1].dead
    assert [line for line in said if "has hung" in line]
    assert simulation.actors[3].jobs > 50


def test_all_may_die_at_once_and_again_while_they_start(simulated):
    fleet, simulation, said = simulated(0.1, 0.1)
    _steps(fleet, simulation, 1)
    for _ in range(3):
        jobs = fleet.request("shard", [(0, shard) for shard in range(4)])
        for actor in simulation.actors:
            actor.die()
        assert [ref.value for ref in fleet.settle(jobs)] == [(0, shard) for shard in range(4)]
    assert fleet.report()["restarts_died"] == 6
    assert fleet.report()["shards_remade"] >= 12  # more, where it was asked of who was dead too
    assert sum("joined" in line for line in said) >= 5


def test_a_shard_that_kills_whoever_makes_it_ends_the_run(simulated):
    fleet, simulation, _ = simulated(0.1, 0.1)
    simulation.poison = (7,)
    with pytest.raises(RunError, match="6 rollout workers died over the same shard"):
        _steps(fleet, simulation, 8)


def test_who_is_killed_for_want_of_memory_is_replaced(simulated):
    from ray.exceptions import OutOfMemoryError

    fleet, simulation, said = simulated(0.1, 0.1)
    jobs = fleet.request("shard", [(0, shard) for shard in range(4)])
    simulation.actors[1].die(OutOfMemoryError("the node was running low on memory"))
    assert [ref.value for ref in fleet.settle(jobs)] == [(0, shard) for shard in range(4)]
    assert fleet.report()["restarts_died"] == 1
    assert [line for line in said if "died (the node was running low on memory)" in line]


def test_a_node_that_joins_and_can_start_no_worker_gets_no_more_and_the_run_goes_on(simulated):
    from ray.exceptions import RuntimeEnvSetupError

    fleet, simulation, said = simulated(0.1, cpus={NODE: 2.0}, workers="auto:1-4")
    simulation.unfit[OTHER] = RuntimeEnvSetupError("no space left")
    simulation.cpus[OTHER] = 2.0
    _steps(fleet, simulation, 400)
    assert 3 <= len([actor for actor in simulation.actors if actor.node == OTHER]) <= 4
    assert len([line for line in said if "it gets no more" in line]) == 1
    assert fleet.report()["workers_alive"] == fleet.report()["workers_wanted"] == 1


def test_a_node_that_workers_were_on_stays_when_none_can_start_there_and_the_reason_ends_the_run(simulated):
    from ray.exceptions import RuntimeEnvSetupError

    fleet, simulation, _ = simulated(0.1)
    _steps(fleet, simulation, 1)
    simulation.unfit[NODE] = RuntimeEnvSetupError("no space left")
    simulation.actors[0].die()
    with pytest.raises(RunError, match="6 rollout workers in a row died at their start: no space left"):
        _steps(fleet, simulation, 1)


def test_a_first_worker_that_can_not_start_ends_the_run(simulated, monkeypatch):
    from ray.exceptions import RuntimeEnvSetupError

    init = Simulation.__init__

    def broken(self, seconds):
        init(self, seconds)
        self.unfit[NODE] = RuntimeEnvSetupError("no space left")

    monkeypatch.setattr(Simulation, "__init__", broken)
    with pytest.raises(RunError, match="a rollout worker can't start: no space left"):
        simulated(0.1)


def test_a_fleet_that_is_asked_for_nothing_may_be_gone(simulated):
    fleet, simulation, _ = simulated(0.1)
    simulation.cpus = {}
    never = Reference(types.SimpleNamespace(dead=False), math.inf, None)
    assert not fleet.wait(never, 600.0)
    assert len(fleet) == 0
    fleet.request("shard", [(0, 0)])
    with pytest.raises(RunError, match="there has been no rollout worker for 180 s"):
        fleet.wait(never, 600.0)


def test_workers_that_die_at_their_start_end_the_run(simulated, monkeypatch):
    fleet, simulation, _ = simulated(0.1, 0.1)
    remote = simulation.remote

    def stillborn(host):
        def options(**where):
            def start(*words):
                actor = remote(host).options(**where).remote(*words)
                actor.die()
                return actor

            return types.SimpleNamespace(remote=start)

        return types.SimpleNamespace(options=options)

    monkeypatch.setattr("rlgan.engine.fleet.ray.remote", stillborn)
    for actor in simulation.actors:
        actor.die()
    with pytest.raises(RunError, match="11 rollout workers in a row died at their start"):
        _steps(fleet, simulation, 1)


def test_a_fleet_follows_the_room_there_is(simulated):
    fleet, simulation, said = simulated(0.1, 0.1, 0.1)
    simulation.cpus[NODE] = 2.0  # with the learner's
    _steps(fleet, simulation, 30)
    assert fleet.report()["workers_alive"] == 1
    simulation.cpus[NODE] = 3.0
    _steps(fleet, simulation, 30)
    assert fleet.report()["workers_alive"] == fleet.report()["workers_wanted"] == 2
    assert [line.split(":")[0] for line in said if line.startswith("the cluster")] == [
        f"the cluster has room for {count} rollout workers" for count in (1, 2)
    ]


def test_a_fleet_of_two_kinds_is_refused_and_both_are_named(simulated):
    with pytest.raises(RunError) as refused:
        simulated(0.1, 0.1, cpus={NODE: 2.0, OTHER: 1.0})
    for named in ("AVX2", "AVX512", "(process 1 on 127.0.0.1)", "(process 2 on 127.0.0.1)", "--mixed-fleet"):
        assert named in str(refused.value)


def test_auto_refuses_two_kinds_only_where_one_is_too_few(simulated):
    fleet, simulation, _ = simulated(0.1, cpus={NODE: 3.0, OTHER: 2.0}, workers="auto:2-4")
    _steps(fleet, simulation, 1)
    assert len(fleet.kinds()) == 1
    assert len(fleet) == 2
    with pytest.raises(RunError, match="--mixed-fleet"):
        simulated(0.1, cpus={NODE: 2.0, OTHER: 1.0}, workers="auto:2-4")


def test_a_mixed_fleet_that_is_asked_for_is_used_and_said_once(simulated):
    fleet, simulation, said = simulated(0.1, 0.1, 0.1, cpus={NODE: 2.0, OTHER: 2.0}, mixed_fleet=True)
    _steps(fleet, simulation, 10)
    assert set(fleet.shards_made()) == {"worker_0", "worker_1", "worker_2"}
    assert fleet.kinds() == {"AVX2", "AVX512"}
    assert sum("who makes which shard" in line for line in said) == 1


def test_a_node_of_another_kind_that_joins_is_left_alone_and_said_once(simulated):
    fleet, simulation, said = simulated(0.1, cpus={NODE: 2.0}, workers="auto:1-4")
    _steps(fleet, simulation, 1)
    simulation.cpus[OTHER] = 2.0
    _steps(fleet, simulation, 400)
    strangers = [actor for actor in simulation.actors if actor.node == OTHER]
    assert 1 <= len(strangers) <= 2  # as many as the node has room for, once
    assert all(actor.dead and not actor.jobs for actor in strangers)
    assert len([line for line in said if "AVX512" in line]) == 1
    simulation.cpus["ef" * 28] = 1.0
    simulation.kinds["ef" * 28] = "AVX2"
    _steps(fleet, simulation, 400)
    assert fleet.nodes() == {NODE, "ef" * 28}
    assert fleet.report()["workers_alive"] == fleet.report()["workers_wanted"] == 2
