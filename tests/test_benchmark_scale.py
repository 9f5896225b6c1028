"""The simulation of many workers against cases that are worked out on paper."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
# A shard of 16 sequences takes .16 s, an update on 64 .36 s; a card takes 1 s for 1e9 bytes. Nothing else counts.
PROGRAM = """
import json, sys
from dataclasses import replace
from benchmark_scale import Cluster, Line, Parts, cpu_seconds, simulate
parts = Parts(
    rollout=Line(0, 0.01), update=Line(0, 0.36 / 64), load=0, weights_out=0, store=Line(0, 0), job=0,
    weights_bytes=0, shard_bytes=0, length=20,
)
found = []
for changes, cluster in json.loads(sys.argv[1]):
    changed, made = replace(parts, **changes), Cluster(**({"gigabits": 8.0} | cluster))
    speed = simulate(changed, made)
    found.append([speed.step, speed.tokens, speed.limit, cpu_seconds(changed, made)])
print(json.dumps(found))
"""
# Changes of the parts, the cluster, and the seconds of a step that they come to.
CASES = [
    ({}, {"workers": 1}, 4 * 0.16 + 0.36),  # they take turns
    ({}, {"workers": 2}, 2 * 0.16 + 0.36),
    ({}, {"workers": 4}, 0.16 + 0.36),
    ({}, {"workers": 100}, 0.16 + 0.36),  # no more than there are shards
    ({}, {"workers": 1, "lag": 1}, 4 * 0.16),  # the worker is never idle
    ({}, {"workers": 2, "lag": 1}, 0.36),  # the learner is never idle
    ({"load": 0.1}, {"workers": 2}, 0.1 + 2 * 0.16 + 0.36),  # each worker takes the weights once a step
    ({"weights_out": 0.2}, {"workers": 4}, 0.16 + 0.36 + 0.2),
    ({"shard_bytes": 1e8 / 16}, {"workers": 4}, 0.16 + 4 * 0.1 + 0.36),  # four messages of .1 s, one after the other
    ({"job": 0.05}, {"workers": 4}, 4 * 0.05 + 0.16 + 0.36),  # the last worker waits for four jobs to be sent
    # Two learners: half the rows each, and gradients of .1 s go half round and half back.
    ({"weights_bytes": 1e8}, {"workers": 4, "learners": 2}, 0.16 + 0.18 + 0.1),
    ({"weights_bytes": 1e8}, {"workers": 65, "cores": 16}, 0.16 + 0.36 + 3 * 0.1),  # 5 nodes: 1, 2, 4, then all
]


@pytest.fixture(scope="module")
def simulated():
    """All cases, in one process, as importing torch takes seconds."""
    cases = json.dumps([case[:2] for case in CASES])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, cases], capture_output=True, text=True, cwd=SCRIPTS, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("index", range(len(CASES)))
def test_a_step_takes_what_it_does_on_paper(simulated, index):
    seconds, tokens, _, _ = simulated[index]
    assert seconds == pytest.approx(CASES[index][2])
    assert tokens == pytest.approx(64 * 20 / CASES[index][2])


def test_what_is_busy_all_the_time_is_the_limit(simulated):
    limits = [limit for _, _, limit, _ in simulated]
    assert limits[4:6] == ["workers", "learner"]
    assert limits[2] == "turns (learner)"


def test_the_cpu_time_of_a_step_is_the_same_for_every_number_of_workers(simulated):
    assert [cpu for *_, cpu in simulated[:6]] == pytest.approx([4 * 0.16 + 0.36] * 6)
    assert simulated[6][3] == pytest.approx(1.0 + 2 * 0.1)
