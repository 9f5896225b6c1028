"""How many rollout workers there are where no number is typed."""

import pytest

from rlgan.engine.default_workers import default_workers
from rlgan.engine.settings import EngineSettings

HERE = {"shards": 2, "lag": 0, "cpus": 8, "on_cluster": False, "on_gpu": False}


@pytest.mark.parametrize(
    ("settings", "where", "due"),
    [
        ({}, {}, 0),
        ({}, {"cpus": 2}, 0),
        ({}, {"lag": 1}, 2),
        ({}, {"lag": 1, "cpus": 3}, 2),
        ({}, {"lag": 1, "shards": 1}, 1),
        ({}, {"lag": 1, "shards": 1, "cpus": 2}, 1),
        ({}, {"lag": 1, "shards": 1, "cpus": 1}, 0),
        ({}, {"lag": 1, "cpus": 2}, 0),  # three processes of one thread each
        ({}, {"lag": 1, "on_gpu": True}, 0),
        ({}, {"lag": 1, "shards": 0}, 0),
        ({}, {"on_cluster": True}, 2),
        ({}, {"on_cluster": True, "shards": 1}, 1),  # a second one would be idle
        ({}, {"on_cluster": True, "shards": 0}, 1),  # without rollouts, the learner is there
        ({"learners": 2}, {"cpus": 2}, 2),
        ({"learners": 2}, {"shards": 0}, 1),
        ({"rollout_gpus": 0.5}, {"on_gpu": True}, 2),
        ({"rollout_gpus": 0.0}, {}, 0),
        ({"device": "cuda:1"}, {"on_cluster": True, "on_gpu": True}, 0),
    ],
)
def test_workers_are_used_where_they_gain_something_or_are_needed(settings, where, due):
    workers, reason = default_workers(EngineSettings(**settings), **HERE | where)
    assert workers == due
    assert reason
    EngineSettings(**settings, workers=workers).check()
