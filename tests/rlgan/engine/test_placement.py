from collections import Counter

import pytest

from rlgan.engine.placement import check_resources, choose_node, learners_that_fit, worker_capacity
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError


def _nodes(**cpus):
    return {name: {"CPU": float(count)} for name, count in cpus.items()}


def test_the_learners_place_is_kept_free():
    nodes = _nodes(a=2, b=3)
    assert worker_capacity(nodes, EngineSettings(), ["a"], Counter()) == {"a": 1, "b": 3}
    assert worker_capacity(nodes, EngineSettings(learner_cpus=2), ["b"], Counter()) == {"a": 2, "b": 1}
    assert worker_capacity(nodes, EngineSettings(worker_cpus=0.5), ["a"], Counter()) == {"a": 2, "b": 6}


def test_while_there_is_no_learner_room_is_kept_where_it_costs_least():
    # On b, a worker of two CPUs loses nothing by a learner of one.
    assert worker_capacity(_nodes(a=2, b=3), EngineSettings(worker_cpus=2), [], Counter()) == {"a": 1, "b": 1}
    assert worker_capacity(_nodes(a=2, b=3), EngineSettings(worker_cpus=2), ["gone"], Counter()) == {"a": 1, "b": 1}


def test_a_learner_that_lost_its_node_goes_where_it_displaces_no_worker():
    nodes = _nodes(a=1, b=2, c=1)
    assert worker_capacity(nodes, EngineSettings(), ["gone"], Counter(a=1, b=1, c=1)) == {"a": 1, "b": 1, "c": 1}
    assert worker_capacity(nodes, EngineSettings(), ["gone"], Counter(b=2, c=1)) == {"a": 0, "b": 2, "c": 1}


def test_the_scarcest_resource_counts():
    nodes = {"gpu": {"CPU": 8.0, "GPU": 1.0}, "plain": {"CPU": 8.0}}
    run = EngineSettings(rollout_gpus=0.25, learner_gpus=0.5)
    assert worker_capacity(nodes, run, ["gpu"], Counter()) == {"gpu": 2, "plain": 0}
    assert worker_capacity(nodes, run, [], Counter()) == {"gpu": 2, "plain": 0}


def test_ten_workers_of_a_tenth_of_a_cpu_fit_on_one():
    run = EngineSettings(worker_cpus=0.1)
    assert worker_capacity(_nodes(a=2), run, ["a"], Counter()) == {"a": 10}


def test_an_excluded_node_has_room_for_no_worker_but_for_a_learner():
    assert worker_capacity(_nodes(a=2, b=2), EngineSettings(), [], Counter(), excluded={"a"}) == {"a": 0, "b": 2}


def test_a_learner_that_no_node_can_hold_is_refused_though_the_cluster_has_enough_cpus():
    nodes, run = _nodes(a=2, b=2, c=2), EngineSettings(workers=2, learner_cpus=4)
    assert learners_that_fit(nodes, run) == 0
    assert learners_that_fit(nodes, EngineSettings(learner_cpus=0.5)) == 12
    with pytest.raises(RunError, match="a learner of 4 CPUs and 0 GPUs, do not fit on the nodes of this Ray"):
        check_resources(nodes, run, shards=2)
    check_resources(nodes, EngineSettings(workers=2, learner_cpus=2), shards=2)


def test_too_few_cpus_in_all_are_named_with_what_is_needed():
    with pytest.raises(RunError, match=r"4 CPUs are needed \(3 rollout workers and a learner\) and this Ray has 3"):
        check_resources(_nodes(a=3), EngineSettings(workers=3), shards=4)


def test_spread_goes_to_the_emptiest_and_pack_to_the_fullest_node():
    room, taken = {"a": 1, "b": 2, "c": 2}, Counter({"b": 1})
    assert choose_node(room, taken, "spread", ["a"]) == "c"
    assert choose_node(room, taken, "pack", ["a"]) == "a"
    assert choose_node(room, Counter({"a": 1, "b": 1}), "pack", ["a"]) == "b"
    assert choose_node(room, Counter({"a": 1, "b": 2, "c": 2}), "pack", ["a"]) is None
