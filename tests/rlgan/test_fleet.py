"""What fits where; the rest of the fleet is tested with real processes, in test_faults.py."""

from collections import Counter

import pytest

from rlgan.config import RunConfig, UsageError


@pytest.fixture(scope="module")
def fleet():
    import rlgan.cluster  # prepares Ray's import
    import rlgan.fleet

    return rlgan.fleet


def _nodes(**cpus):
    return {name: {"CPU": float(count)} for name, count in cpus.items()}


def test_the_learners_place_is_kept_free(fleet):
    nodes = _nodes(a=2, b=3)
    assert fleet.rooms(nodes, RunConfig(), "a", Counter()) == {"a": 1, "b": 3}
    assert fleet.rooms(nodes, RunConfig(learner_cpus=2), "b", Counter()) == {"a": 2, "b": 1}
    assert fleet.rooms(nodes, RunConfig(worker_cpus=0.5), "a", Counter()) == {"a": 2, "b": 6}


def test_while_there_is_no_learner_room_is_kept_where_it_costs_least(fleet):
    # On b, a worker of two CPUs loses nothing by a learner of one.
    assert fleet.rooms(_nodes(a=2, b=3), RunConfig(worker_cpus=2), None, Counter()) == {"a": 1, "b": 1}
    assert fleet.rooms(_nodes(a=2, b=3), RunConfig(worker_cpus=2), "gone", Counter()) == {"a": 1, "b": 1}


def test_a_learner_that_lost_its_node_goes_where_it_drives_nobody_away(fleet):
    nodes = _nodes(a=1, b=2, c=1)
    assert fleet.rooms(nodes, RunConfig(), "gone", Counter(a=1, b=1, c=1)) == {"a": 1, "b": 1, "c": 1}
    assert fleet.rooms(nodes, RunConfig(), "gone", Counter(b=2, c=1)) == {"a": 0, "b": 2, "c": 1}


def test_the_scarcest_counts(fleet):
    nodes = {"gpu": {"CPU": 8.0, "GPU": 1.0}, "plain": {"CPU": 8.0}}
    run = RunConfig(rollout_gpus=0.25, learner_gpus=0.5)
    assert fleet.rooms(nodes, run, "gpu", Counter()) == {"gpu": 2, "plain": 0}
    assert fleet.rooms(nodes, run, None, Counter()) == {"gpu": 2, "plain": 0}


def test_spread_goes_to_the_emptiest_and_pack_to_the_fullest_node(fleet):
    room, taken = {"a": 1, "b": 2, "c": 2}, Counter({"b": 1})
    assert fleet.choose(room, taken, "spread", "a") == "c"
    assert fleet.choose(room, taken, "pack", "a") == "a"
    assert fleet.choose(room, Counter({"a": 1, "b": 1}), "pack", "a") == "b"
    assert fleet.choose(room, Counter({"a": 1, "b": 2, "c": 2}), "pack", "a") is None


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
