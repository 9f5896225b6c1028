"""Real processes on a cluster of three nodes, shot at while a run is at work."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import psutil
import pytest

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
LOOPBACK |= {"RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "RAY_raylet_start_wait_time_s": "120"}
PATIENCE = 300  # seconds for what takes ten on an idle machine
SMALL = ["--preset", "paper", "--length", "12", "--batch-size", "16", "--embedding-size", "16", "--hidden-size", "16"]
SMALL += ["--lag", "1", "--shards", "4"]


@dataclass
class Run:
    """A run at work, its lines, and the process that writes them."""

    process: subprocess.Popen
    lines: list[str] = field(default_factory=list)

    def __post_init__(self):
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self._reader.start()

    def said(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]

    def until(self, pattern, times=1):
        limit = time.monotonic() + PATIENCE
        while len(self.said(pattern)) < times:
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() < limit, f"no {pattern!r} in\n{''.join(self.lines)}"
            time.sleep(0.1)

    def end(self):
        code = self.process.wait(PATIENCE)
        self._reader.join()
        return code


def actors(kind):
    """The processes of our cluster's actors of a kind."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if f"ray::{kind}" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture(scope="module")
def cluster():
    """A head of 2 CPUs and two nodes of 1."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LOOPBACK.items():
            patch.setenv(name, value)
        from ray._raylet import AuthenticationTokenLoader, get_authentication_mode
        from ray.cluster_utils import Cluster

        # Ray keeps the first token that a process has read, and an earlier test may have had one of its own.
        AuthenticationTokenLoader.instance().reset_cache()
        # And the mode in which a process has first imported it: without tokens the cluster must do without them too.
        patch.setenv("RAY_AUTH_MODE", "token" if get_authentication_mode() else "disabled")
        cluster = Cluster(True, head_node_args={"num_cpus": 2, "include_dashboard": False, "no_monitor": True})
        cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()
        AuthenticationTokenLoader.instance().reset_cache()


@pytest.fixture(scope="module")
def start(cluster):
    """Type `rlgan train ...` on the cluster, without waiting."""
    started = []

    def run(path, *words):
        typed = [sys.executable, "-m", "rlgan", "train", *SMALL, "--run-dir", str(path)]
        process = subprocess.Popen(
            [*typed, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"RAY_ADDRESS": cluster.address},
        )  # fmt: skip
        started.append(Run(process))
        return started[-1]

    yield run
    for each in started:
        each.process.kill()
        each.end()


@pytest.fixture(scope="module")
def shot(start, cluster, tmp_path_factory):
    """A run that everything has happened to; gives it, its directory and its last step."""
    path = tmp_path_factory.mktemp("faults") / "shot"
    often = ["--checkpoint-every", 20, "--evaluate-every", 50, "--log-every", 1000]
    run = start(path, "--steps", 1_000_000, "--workers", "auto:2-3", *often)
    run.until("^step 0:")
    wait_for_workers(3)

    for _ in range(2):  # all at once, twice
        joined = len(run.said("joined"))
        for process in actors("RolloutHost"):
            process.kill()
        run.until("joined", joined + 3)

    hung, *_ = actors("RolloutHost")
    hung.send_signal(signal.SIGSTOP)
    run.until("has hung")
    gone(hung)

    joined = len(run.said("joined"))
    (learner,) = actors("LearnerHost")
    learner.kill()
    run.until("The learner goes on from step")
    wait_for_workers(3)

    node, *_ = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)
    run.until("room for 2 rollout workers")
    joined = len(run.said("joined"))
    cluster.add_node(num_cpus=1)
    run.until("room for 3 rollout workers")
    run.until("joined", joined + 1)

    os.kill(run.process.pid, signal.SIGKILL)  # the driver
    run.end()
    before = run.lines
    run = start(path, "--resume")
    run.until("going on from step")
    run.until("^step ")
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 0, "".join(run.lines)
    step = max(int(entry.name) for entry in (path / "checkpoints").iterdir() if entry.name.isdecimal())
    return before + run.lines, path, step


def wait_for_workers(count):
    limit = time.monotonic() + PATIENCE
    while len(actors("RolloutHost")) != count:
        assert time.monotonic() < limit
        time.sleep(0.1)


def gone(process):
    limit = time.monotonic() + PATIENCE
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < limit
        time.sleep(0.1)


@pytest.mark.slow
def test_what_comes_out_has_the_bits_of_a_run_in_peace(shot, typed, tmp_path, digest):
    _, path, step = shot
    calm = ["--workers", 0, "--steps", step, "--evaluate-every", 1000, "--run-dir", tmp_path / "calm"]
    assert typed("train", *SMALL, *calm).returncode == 0
    assert digest(path, step) == digest(tmp_path / "calm", step)


@pytest.mark.slow
def test_every_death_and_joining_is_a_line(shot):
    lines, _, _ = shot
    text = "".join(lines)
    assert len(re.findall(r"Rollout worker \d \(process \d+ on 127\.0\.0\.1\) died \(", text)) >= 6
    assert "Traceback" not in text
    assert len(re.findall(r"The learner \(process \d+ on 127\.0\.0\.1\) died: .*; a new one is started", text)) == 1


@pytest.mark.slow
def test_the_metrics_say_what_happened(shot):
    _, path, _ = shot
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})
    counted = re.compile("workers_|restarts_|shards_(re|ra)|memory_|seconds_in_|weights_bytes")
    names = {name for line in lines for name in line if counted.match(name)}
    most = {name: max(line.get(name, 0.0) for line in lines) for name in names}
    assert most["workers_alive"] == most["workers_wanted"] == 3
    assert most["restarts_died"] >= 6
    assert most["restarts_hung"] == most["restarts_learner"] == 1
    assert most["shards_remade"] >= 1
    assert most["shards_raced"] >= 1
    assert most["weights_bytes"] > 1e5
    for name in ("driver", "learner", "worker_0", "worker_2"):
        assert 5e7 < most[f"memory_{name}"] < 2e9
    spent = [most[f"seconds_in_{name}"] for name in ("rollout", "update", "transfer", "evaluation", "checkpoint")]
    assert all(seconds > 0 for seconds in spent)


@pytest.mark.slow
def test_two_learners_are_shot_at_and_come_to_what_two_in_peace_come_to(start, typed, tmp_path, digest):
    words = ["--learners", 2, "--workers", 2, "--checkpoint-every", 20, "--evaluate-every", 1000]
    run = start(tmp_path / "shot", *words, "--steps", 200)
    run.until("^step 0:")
    first, second = actors("LearnerHost")
    first.kill()
    run.until("The learner goes on from step")
    gone(second)
    hung, other = actors("LearnerHost")
    hung.send_signal(signal.SIGSTOP)
    run.until("The learner goes on from step", 2)
    gone(hung)
    gone(other)
    assert run.end() == 0, "".join(run.lines)
    assert "Traceback" not in "".join(run.lines)
    assert len(run.said("a new one is started")) == 2
    calm = start(tmp_path / "calm", *words, "--steps", 200)
    assert calm.end() == 0, "".join(calm.lines)
    assert digest(tmp_path / "shot", 200) == digest(tmp_path / "calm", 200)

    alone = ["--workers", 0, "--steps", 200, "--evaluate-every", 1000, "--run-dir", tmp_path / "one"]
    assert typed("train", *SMALL, *alone).returncode == 0
    two, one = (
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1]) for name in ("calm", "one")
    )
    assert two["test_perplexity"] == pytest.approx(one["test_perplexity"], rel=1e-3)


RAISES = """
from rlgan.engine.ray_engine import RayEngine
from rlgan.engine.settings import EngineSettings
from rlgan.settings import updated
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask
from rlgan.types import Weights

task = TextTask.load(updated(TextSettings(batch_size=16), dict(length=12, embedding_size=16, hidden_size=16)))
engine = RayEngine(task, EngineSettings(workers=2), print)
engine.rollouts.wait(engine.rollouts.request(engine.learner.put_weights(Weights(0, {}, {})), 0, task.schedule.plan(0)))
"""


@pytest.mark.slow
def test_a_worker_that_raises_stops_the_run_and_is_named(cluster):
    """At weights without a tensor, as a bug might make them."""
    done = subprocess.run(
        [sys.executable, "-c", RAISES], capture_output=True, text=True, timeout=PATIENCE,
        env=os.environ | {"RAY_ADDRESS": cluster.address},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].strip().startswith(("RuntimeError", "KeyError", "Missing")), done.stderr
    assert len(re.findall(r"^Rollout worker \d \(process \d+ on [\d.]+\) raised", done.stdout, re.M)) == 1
    assert "died" not in done.stdout


@pytest.mark.slow
def test_a_node_of_another_kind_makes_no_shard_unless_asked_for(start, cluster, typed, tmp_path, digest):
    """A processor without vector instructions, or what torch takes for one."""
    often = ["--checkpoint-every", 20, "--evaluate-every", 50]
    run = start(tmp_path / "run", "--steps", 1_000_000, "--workers", "auto:2-4", *often)
    run.until("^step 0:")
    other = cluster.add_node(num_cpus=1, env_vars={"ATEN_CPU_CAPABILITY": "default"})
    try:
        kinds = "is of another kind, CPU (.* DEFAULT, .*) than the first .*"
        run.until(f"{kinds} It is stopped, and its node is not used any more")
        time.sleep(10)
        run.process.send_signal(signal.SIGTERM)
        assert run.end() == 0, "".join(run.lines)
        assert len(run.said("another kind")) == 1
        step = max(int(entry.name) for entry in (tmp_path / "run" / "checkpoints").iterdir())
        calm = ["--workers", 0, "--steps", step, "--evaluate-every", 1000, "--run-dir", tmp_path / "calm"]
        assert typed("train", *SMALL, *calm).returncode == 0
        assert digest(tmp_path / "run", step) == digest(tmp_path / "calm", step)

        run = start(tmp_path / "refused", "--steps", 3, "--workers", 4)
        assert run.end() == 1
        assert "--mixed-fleet" in run.lines[-1]
        assert "DEFAULT" in run.lines[-1]
        assert "Traceback" not in "".join(run.lines)
        assert not (tmp_path / "refused").exists()

        run = start(tmp_path / "mixed", "--steps", 3, "--workers", 4, "--mixed-fleet")
        assert run.end() == 0, "".join(run.lines)
        assert len(run.said("The bits of the result depend on who makes which shard")) == 1
        kinds = json.loads((tmp_path / "mixed" / "config.json").read_text())["kinds"]["rollouts"]
        assert len(kinds.split(" and ")) == 2
    finally:
        cluster.remove_node(other)


@pytest.mark.slow
def test_a_learner_may_be_of_another_kind_and_is_said_to_have_moved(start, cluster, tmp_path):
    nodes = [cluster.add_node(num_cpus=3, env_vars={"ATEN_CPU_CAPABILITY": "default"})]
    try:
        often = ["--checkpoint-every", 5, "--evaluate-every", 50]
        run = start(tmp_path / "run", "--steps", 1_000_000, "--workers", 2, "--learner-cpus", 3, *often)
        run.until("^step 0:")
        kinds = json.loads((tmp_path / "run" / "config.json").read_text())["kinds"]
        assert ("DEFAULT" in kinds["learner"], "DEFAULT" in kinds["rollouts"]) == (True, False)
        assert not run.said("another kind")
        nodes.append(cluster.add_node(num_cpus=3))
        cluster.remove_node(nodes.pop(0), allow_graceful=False)
        run.until("The learner was on CPU .* DEFAULT, .* and is now on CPU .*: its bits may differ from here on")
        run.until("The learner goes on from step")
        run.process.send_signal(signal.SIGTERM)
        assert run.end() == 0, "".join(run.lines)
    finally:
        for node in nodes:
            cluster.remove_node(node)
