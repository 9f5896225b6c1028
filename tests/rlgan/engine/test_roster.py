"""Who is there, is wanted, joins and leaves."""

import pytest

from rlgan.engine.processes import Location
from rlgan.engine.roster import NODE_TRIES, START_LIMIT, Death, Roster, Worker
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError

CANNOT_START, KILLED = Death("no space left", cannot_start=True), Death("killed", cannot_start=False)


class Case:
    """A roster on nodes with so many CPUs, of which learners take one on the first node."""

    def __init__(self, shards=8, started=True, **cpus):
        self.said = []
        settings = {"workers": cpus.pop("workers", "auto:1-8"), "mixed_fleet": cpus.pop("mixed_fleet", False)}
        self.roster = Roster(EngineSettings(**settings), shards, self.said.append)
        self.roster.learner_nodes = [next(iter(cpus))]
        self.nodes(**cpus)
        self.roster.has_started = started

    def nodes(self, **cpus):
        return self.roster.set_nodes({name: {"CPU": float(count)} for name, count in cpus.items()})

    def hire(self, kind="AVX2", joins=True, now=0.0):
        """Fill all vacancies; the new workers start at once, or have not started."""
        hired = []
        while vacancy := self.roster.vacancy():
            hired.append(Worker(vacancy.number, None, None, now, vacancy.node))
            self.roster.workers.append(hired[-1])
            if joins:
                self.roster.admit(hired[-1], Location(vacancy.node, "127.0.0.1", 1000 + vacancy.number, kind))
        return hired


def test_as_many_are_wanted_as_there_is_room_for_beside_the_learner():
    case = Case(a=2, b=2)
    # On b, with nobody, then there again: a worker is less than the learner, which a has already.
    assert [(worker.number, worker.node) for worker in case.hire()] == [(0, "b"), (1, "b"), (2, "a")]
    assert case.roster.counts()["workers_alive"] == case.roster.counts()["workers_wanted"] == 3
    assert case.roster.vacancy() is None


def test_more_than_the_most_are_not_wanted():
    assert len(Case(a=9, b=9, workers="auto:1-3").hire()) == 3


def test_a_new_worker_takes_the_number_of_the_one_that_it_replaces():
    case = Case(a=2, b=2)
    hired = case.hire()
    case.roster.remove(hired[1], "died", KILLED)
    assert case.roster.vacancy().number == 1
    assert case.roster.vacancy().node == hired[1].node


def test_a_change_of_what_is_wanted_is_logged_once():
    case = Case(a=2, b=2)
    case.nodes(a=2, b=2)
    case.nodes(a=2)
    case.nodes(a=2)
    assert case.said == ["The cluster has room for 1 rollout workers, so 1 are wanted."]


def test_workers_whose_node_is_gone_are_to_be_removed():
    case = Case(a=2, b=2)
    hired = case.hire()
    assert {worker.number for worker in case.nodes(a=2)} == {worker.number for worker in hired if worker.node == "b"}


def test_a_worker_that_has_not_started_is_the_first_to_go():
    case = Case(a=4)
    case.hire()
    case.nodes(a=5)
    (starting,) = case.hire(joins=False)
    assert case.roster.surplus() == []
    case.nodes(a=3)
    assert [worker.number for worker in case.roster.surplus()] == [starting.number, 2]


def test_a_worker_makes_room_for_a_learner_whose_node_is_gone():
    case = Case(a=2, b=1, c=1)
    assert {worker.node for worker in case.hire()} == {"a", "b", "c"}
    for worker in case.nodes(b=1, c=1):
        case.roster.remove(worker, "node")
    for worker in case.roster.surplus():
        case.roster.remove(worker, "room")
    case.hire()
    assert [worker.node for worker in case.roster.workers] == ["c"]


def test_joining_and_every_removal_is_a_line_that_names_the_process():
    case = Case(a=2)
    (worker,) = case.hire()
    case.roster.remove(worker, "died", KILLED)
    assert case.said[0] == "Rollout worker 0 (process 1000 on 127.0.0.1) joined."
    assert case.said[1].startswith("Rollout worker 0 (process 1000 on 127.0.0.1) died (killed).")
    assert case.roster.counts()["restarts_died"] == 1


def test_a_worker_that_does_not_start_in_time_is_overdue():
    case = Case(a=2)
    (worker,) = case.hire(joins=False, now=10.0)
    assert case.roster.overdue(10.0 + START_LIMIT) == []
    assert case.roster.overdue(10.1 + START_LIMIT) == [worker]


def test_the_first_worker_that_cannot_start_ends_the_run():
    case = Case(a=2, started=False)
    (worker,) = case.hire(joins=False)
    with pytest.raises(RunError, match="A rollout worker cannot start: no space left"):
        case.roster.remove(worker, "died", CANNOT_START)


def test_a_node_where_none_could_start_is_excluded_after_three_and_one_that_had_a_worker_is_not():
    case = Case(a=2)
    (worker,) = case.hire()
    case.nodes(a=2, b=1)
    for _ in range(NODE_TRIES):
        assert not case.roster.needs_nodes
        (stranger,) = case.hire(joins=False)
        assert stranger.node == "b"
        case.roster.remove(stranger, "died", CANNOT_START)
    assert case.roster.needs_nodes
    case.nodes(a=2, b=1)
    assert case.roster.vacancy() is None
    case.roster.remove(worker, "died", KILLED)
    for _ in range(NODE_TRIES + 1):
        (again,) = case.hire(joins=False)
        assert again.node == "a"
        case.roster.remove(again, "died", CANNOT_START)


def test_five_deaths_at_the_start_per_wanted_worker_end_the_run():
    case = Case(a=2, workers=1)
    for _ in range(5):
        case.roster.remove(case.hire(joins=False)[0], "died", KILLED)
    with pytest.raises(RunError, match="6 rollout workers in a row died at their start: killed"):
        case.roster.remove(case.hire(joins=False)[0], "died", KILLED)


def test_a_worker_of_another_kind_is_rejected_with_its_node_and_ray_may_not_choose_that_itself():
    case = Case(a=2)
    case.hire()
    case.nodes(a=2, b=2)
    assert not case.roster.vacancy().only_there
    first, second = case.hire(joins=False)
    assert case.roster.admit(first, Location("b", "127.0.0.1", 7, "AVX512")) == [first, second]
    for worker in (first, second):
        case.roster.remove(worker, "kind")
    assert len([line for line in case.said if "AVX512" in line]) == 1
    case.nodes(a=3, b=2)
    assert (case.roster.vacancy().node, case.roster.vacancy().only_there) == ("a", True)


def test_a_kind_that_is_not_the_first_ends_a_run_that_needs_all_its_workers():
    case = Case(a=2, b=1, workers=2, started=False)
    first, second = case.hire(joins=False)
    assert case.roster.admit(first, Location("b", "127.0.0.1", 1, "AVX2")) == []
    with pytest.raises(RunError, match=r"AVX512, than the first \(process 1 on 127.0.0.1\), AVX2\. .*--mixed-fleet"):
        case.roster.admit(second, Location("a", "127.0.0.1", 2, "AVX512"))


def test_other_kinds_that_are_asked_for_take_part():
    case = Case(a=2, b=1, workers=2, started=False, mixed_fleet=True)
    first, second = case.hire(joins=False)
    assert case.roster.admit(first, Location("b", "127.0.0.1", 1, "AVX2")) == []
    assert case.roster.admit(second, Location("a", "127.0.0.1", 2, "AVX512")) == []
    assert case.roster.kinds() == {"AVX2", "AVX512"}
    assert sum("who makes which shard" in line for line in case.said) == 1
