"""Real Ray processes, started from the command line."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

# Ray then takes this machine's address to be 127.0.0.1, for a head node as for who joins it.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
LOOPBACK |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}


@pytest.fixture
def start(small_words):
    """Type `rlgan train ...` without waiting, read its lines until one matches; everything is ended afterwards.

    With two workers where the words say nothing else.
    """
    started = []

    def run(*words, until, environment=None, said=None):
        workers = [] if "--workers" in words else ["--workers", "2"]
        typed = [sys.executable, "-m", "rlgan", "train", *small_words, *workers, *map(str, words)]
        surroundings = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        process = subprocess.Popen(
            typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env=surroundings | (environment or {}),
            # A shell has what it starts in the background ignore it, and so all that the tests start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        started.append(process)
        said = [] if said is None else said
        for line in process.stdout:
            said.append(line)
            if re.match(until, line):
                return process
        raise AssertionError("".join(said))

    yield run
    for process in started:
        process.kill()
        process.stdout.close()
        process.wait()


def _family(process):
    return psutil.Process(process.pid).children(recursive=True)


def _gone(processes, seconds=15):
    _, alive = psutil.wait_procs([p for p in processes if p.is_running()], timeout=seconds)
    return not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


MIXTURE = [
    *("--estimator", "all-tokens", "--lambda", "0.5", "--monte-carlo-rollouts", "2", "--lag", "1"),
    *("--generator", "cnn", "--discriminator", "cnn", "--baseline", "learned", "--importance-limit", "2"),
    *("--generator-average", "0.9", "--discriminator-dropout", "0.5"),
]
STRUCTURED = [
    *("--discriminator-form", "structured", "--negatives", "both", "--reward", "log_odds", "--baseline", "expected"),
    *("--lag", "2", "--rollouts", "32", "-k", "2", "--discriminator-dropout", "0.5"),
]
BF16 = ["--precision", "bf16", "--lag", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [MIXTURE, STRUCTURED, BF16], ids=["mixture", "structured", "bf16"])
def test_the_bits_are_the_same_whatever_the_settings(rlgan, typed, small_words, tmp_path, digest, settings):
    straight = ["train", *small_words, *settings, "--workers", 0, "--run-dir", tmp_path / "straight", "--steps", 6]
    assert typed(*straight).returncode == 0
    parts = ["train", *small_words, *settings, "--workers", 2, "--run-dir", tmp_path / "parts"]
    assert rlgan(*parts, "--steps", 3).returncode == 0
    assert rlgan(*parts, "--steps", 6, "--resume").returncode == 0
    assert digest(tmp_path / "straight", 6) == digest(tmp_path / "parts", 6)


@pytest.fixture(scope="module")
def finished(rlgan, small_words, tmp_path_factory):
    """Train for 6 steps with so many workers, on Ray from one on; each once. Gives what was said, and the run."""
    folder, said = tmp_path_factory.mktemp("finished"), {}

    def run(workers):
        path = folder / str(workers)
        if workers not in said:
            words = ["train", *small_words, "--workers", workers, "--steps", 6, "-k", 2, "--run-dir", path]
            done = rlgan(*words, environment={"RAY_ADDRESS": ""})
            assert done.returncode == 0, done.stderr
            said[workers] = done.stdout
        return said[workers], path

    return run


def test_the_final_weights_are_the_same_bits_for_0_1_2_and_3_workers(finished, digest):
    due = digest(finished(0)[1], 6)
    for workers in (1, 2, 3):
        assert digest(finished(workers)[1], 6) == due
    line = json.loads((finished(2)[1] / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["shards_by_worker"] == {"worker_0": 12, "worker_1": 12}


def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(finished, rlgan, typed, small_words, tmp_path, digest):
    words = ["train", *small_words, "-k", 2, "--steps", 9, "--workers"]
    assert typed(*words, 0, "--run-dir", tmp_path / "straight").returncode == 0
    for workers, run in ((0, typed), (2, rlgan)):
        shutil.copytree(finished(workers)[1], tmp_path / str(workers))
        done = run(*words, workers, "--run-dir", tmp_path / str(workers), "--resume")
        assert done.returncode == 0, done.stderr
        assert "going on from step 6" in done.stdout
        assert digest(tmp_path / str(workers), 9) == digest(tmp_path / "straight", 9)


@pytest.mark.slow
def test_a_resumed_run_with_a_lag_has_the_bits_of_one_that_never_stopped(rlgan, typed, small_words, tmp_path, digest):
    for workers, name in [(0, "straight"), (0, "local"), (2, "ray")]:
        words = ["train", *small_words, "--lag", 1, "--workers", workers, "--run-dir", tmp_path / name]
        run = rlgan if workers else typed
        if name == "straight":
            done = run(*words, "--steps", 7)
        else:
            assert run(*words, "--steps", 3).returncode == 0
            done = run(*words, "--steps", 7, "--resume")
            assert "going on from step 3" in done.stdout
        assert done.returncode == 0, done.stderr
    assert digest(tmp_path / "straight", 7) == digest(tmp_path / "local", 7) == digest(tmp_path / "ray", 7)
    # What a resume needs beyond the learner's state: the weights of the last version.
    assert sum("-at-" in name for name in digest(tmp_path / "ray", 7)) == 2


def test_the_lag_is_real(typed, small_words, tmp_path, digest):
    for lag in (0, 1):
        done = typed(
            "train", *small_words, "--workers", 0, "--steps", 4, "--lag", lag, "--run-dir", tmp_path / str(lag)
        )
        assert done.returncode == 0, done.stderr
    assert digest(tmp_path / "0", 4)["generator.safetensors"] != digest(tmp_path / "1", 4)["generator.safetensors"]


def _has_anybody(path):
    """Whether a living process has a file in its memory."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            if path in maps.read_text():
                return True
    return False


@pytest.fixture
def nothing_left():
    """Check that of a process's session, which all that it started is of, nobody is there, nor shared memory.

    Shared memory that somebody alive has is of another test, beside this one.
    """
    before = set(os.listdir("/dev/shm"))

    def left_behind():
        return {name for name in set(os.listdir("/dev/shm")) - before if not _has_anybody(f"/dev/shm/{name}")}

    def check(process, seconds=15):
        limit = time.monotonic() + seconds
        while left := _session(process) or left_behind():
            assert time.monotonic() < limit, left
            time.sleep(0.1)

    return check


def _session(process):
    """What the processes of its session are called."""
    found = []
    for other in psutil.process_iter():
        try:
            if os.getsid(other.pid) == process.pid and other.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(other.cmdline()))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def _newest(run):
    return max(int(entry.name) for entry in (run / "checkpoints").iterdir() if entry.name.isdecimal())


@pytest.mark.parametrize(
    ("name", "whole_group"), [("SIGINT", True), pytest.param("SIGTERM", False, marks=pytest.mark.slow)]
)
def test_a_signal_saves_ends_cleanly_and_leaves_nothing_behind(start, nothing_left, typed, tmp_path, name, whole_group):
    """Ctrl-C in a terminal reaches the whole group; `kill` and a scheduler reach the process alone."""
    run = tmp_path / "run"
    words = ["--workers", 1, "--steps", 100_000, "--checkpoint-every", 100_000, "--run-dir", run]
    process = start(*words, until="step 0")
    assert len(_session(process)) > 4
    (os.killpg if whole_group else os.kill)(process.pid, getattr(signal, name))
    rest = process.stdout.read()
    assert process.wait(30) == 0, rest
    assert f"stopped by {name} and saved" in rest
    assert "Traceback" not in rest
    nothing_left(process)
    (step,) = [int(entry.name) for entry in (run / "checkpoints").iterdir()]
    done = typed("train", "--run-dir", run, "--resume", "--workers", 0, "--steps", step + 1)
    assert f"going on from step {step}" in done.stdout, done.stderr


@pytest.mark.parametrize("between", [0.5, pytest.param(1.0, marks=pytest.mark.slow)])
def test_a_second_ctrl_c_ends_all_at_once_and_the_last_whole_checkpoint_is_there(
    start, nothing_left, typed, tmp_path, between
):
    """It finds the run at its saving, or at the ending of Ray's processes, which takes some seconds."""
    run = tmp_path / "run"
    words = ["--workers", 1, "--steps", 100_000, "--checkpoint-every", 10, "--run-dir", run]
    process = start(*words, until="step 0")
    while not _steps(run / "checkpoints"):
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(between)
    os.killpg(process.pid, signal.SIGINT)
    asked = time.monotonic()
    rest = process.stdout.read()
    assert process.wait(30) == -signal.SIGINT, rest
    nothing_left(process, seconds=5)
    assert time.monotonic() - asked < 5
    assert "Traceback" not in rest
    assert "error" not in rest
    step = _newest(run)
    done = typed("train", "--run-dir", run, "--resume", "--workers", 0, "--steps", step + 1)
    assert f"going on from step {step}" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "code", "due"),
    [("SIGINT", 130, "interrupted"), pytest.param("SIGTERM", 143, "terminated", marks=pytest.mark.slow)],
)
def test_who_stops_it_while_ray_starts_leaves_nothing_behind(start, nothing_left, tmp_path, name, code, due):
    process = start("--workers", 1, "--run-dir", tmp_path / "run", until="starting Ray")
    while not any("RolloutHost" in name for name in _session(process)):
        time.sleep(0.1)
    # A terminal interrupts all; who terminates means one.
    (os.killpg if name == "SIGINT" else os.kill)(process.pid, signal.Signals[name])
    rest = process.stdout.read()
    assert process.wait(30) == code, rest
    assert rest.splitlines()[-1] == f"rlgan: error: {due}"
    assert "Traceback" not in rest
    nothing_left(process)


@pytest.mark.slow
def test_who_kills_the_driver_finds_nothing_left_behind_after_a_minute(start, nothing_left, rlgan, tmp_path):
    """Two of Ray's agents call for its server for 60 s; all others end at once."""
    run = tmp_path / "run"
    process = start("--workers", 1, "--steps", 100_000, "--checkpoint-every", 10, "--run-dir", run, until="step 0")
    while not _steps(run / "checkpoints"):
        time.sleep(0.1)
    process.kill()
    process.wait(30)
    time.sleep(15)
    left = {name.rstrip() for name in _session(process)}
    assert left <= {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}
    step = _newest(run)
    done = rlgan("train", "--run-dir", run, "--resume", "--workers", 1, "--steps", step + 1)
    assert f"going on from step {step}" in done.stdout, done.stderr
    nothing_left(process, seconds=90)


def _addresses_of(process):
    """Where it and its children listen."""
    ours = {p.pid for p in [psutil.Process(process.pid), *_family(process)]}
    sockets = [c for c in psutil.net_connections() if c.status == psutil.CONN_LISTEN and c.pid in ours]
    assert len(sockets) > 5
    return {c.laddr.ip for c in sockets}


def test_an_empty_address_is_no_address(finished):
    """A bare `ray.init` would look for somebody's cluster."""
    assert "on a local Ray" in finished(1)[0]


def test_a_local_ray_listens_on_loopback_alone_and_a_killed_learner_is_replaced_by_one_that_goes_on(start, tmp_path):
    process = start("--steps", 100_000, "--checkpoint-every", 5, "--run-dir", tmp_path / "run", until="step 0")
    assert _addresses_of(process) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    while not _steps(tmp_path / "run" / "checkpoints"):
        time.sleep(0.1)
    (learner,) = [p for p in _family(process) if "LearnerHost" in " ".join(p.cmdline())]
    learner.kill()
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("The learner goes on from step"):
            break
    process.terminate()
    said.append(process.stdout.read())
    assert process.wait(60) == 0, "".join(said)
    # Whoever notices it first: the process that waits for the learner, or a worker that was to read its weights.
    assert f"The learner (process {learner.pid} on 127.0.0.1) died: its worker process" in "".join(said)
    assert "stopped by SIGTERM and saved" in said[-1]
    assert "Traceback" not in "".join(said)


@pytest.mark.slow
def test_prometheus_finds_the_numbers_of_a_run_where_it_says(start, all_sinks, tmp_path):
    run, said = tmp_path / "run", []
    words = [*all_sinks, "--steps", 100_000, "--checkpoint-every", 100_000, "--run-dir", run]
    process = start(*words, until="step 0", said=said)
    (url,) = [line.split()[-1] for line in said if line.startswith("metrics for Prometheus")]
    assert url.startswith("http://127.0.0.1:")

    def scraped(until):
        limit = time.monotonic() + 60
        while True:
            with urllib.request.urlopen(url, timeout=10) as page:
                lines = re.findall(r'^ray_rlgan_(\w+)\{.*\brun="run".*\} (\S+)$', page.read().decode(), re.M)
            found = {name: float(value) for name, value in lines}
            if until(found):
                return found
            assert time.monotonic() < limit, found
            time.sleep(1)

    first = scraped(lambda found: found.get("step", 0) > 0)
    assert first["workers_alive"] == first["workers_wanted"] == 2
    assert (first["restarts_died"], first["lag"]) == (0, 0)
    assert 5e7 < first["memory_learner"] < 2e9
    assert 0 < first["seconds_in_update"] < first["seconds"] < 100
    assert first["weights_bytes"] >= first["step"] * 10_000
    worker, *_ = [p for p in _family(process) if "RolloutHost" in " ".join(p.cmdline())]
    worker.kill()
    then = scraped(lambda found: found["restarts_died"] == 1)
    assert then["step"] > first["step"]
    process.terminate()
    assert process.wait(60) == 0
    recorded = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    counted = re.compile("workers_|restarts_|shards_(re|ra|wa)|memory_|seconds_in_|weights_bytes|lag")
    assert {name for name in recorded if counted.match(name)} <= then.keys()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_bits_stay(start, typed, small_words, tmp_path, digest):
    steps = 400
    words = ["--steps", steps, "--run-dir"]
    process = start(*words, tmp_path / "shot", until="step 0")
    workers = [p for p in _family(process) if "RolloutHost" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    rest = process.stdout.read()
    assert process.wait(120) == 0, rest
    assert "Rollout worker" in rest
    assert "Other workers make its shards, with the same result" in rest
    assert typed("train", *small_words, "--workers", 0, *words, tmp_path / "calm").returncode == 0
    assert digest(tmp_path / "shot", steps) == digest(tmp_path / "calm", steps)


def test_more_workers_than_shards_and_than_cores_is_said_once(finished):
    said, _ = finished(3)
    assert said.count("3 workers and 2 shards: 1 will be idle") == 1
    if (os.cpu_count() or 1) < 4:
        assert said.count("4 actors of one thread each share") == 1


def test_gpus_that_ray_does_not_have_are_refused(rlgan, small_words, tmp_path):
    done = rlgan("train", *small_words, "--workers", 1, "--rollout-gpus", 64, "--run-dir", tmp_path / "run")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "rlgan: error" in line]
    assert "64 GPUs are needed" in line
    assert not (tmp_path / "run").exists()


@pytest.fixture
def head(tmp_path):
    """Start a Ray of 3 CPUs as somebody else would, and wait until it answers; gives its address and kills it."""
    kills = []

    def run():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        typed = ["ray", "start", "--head", "--block", f"--port={port}", "--num-cpus=3", "--include-dashboard=false"]
        typed[0] = os.path.join(os.path.dirname(sys.executable), "ray")
        log = (tmp_path / "head.log").open("a")
        process = subprocess.Popen(
            [*typed, "--node-ip-address=127.0.0.1"],
            env=os.environ | LOOPBACK,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

        def kill():
            if process.poll() is None:
                family = _family(process)
                for p in [*family, psutil.Process(process.pid)]:
                    with contextlib.suppress(psutil.NoSuchProcess):  # some end by themselves where another one is gone
                        p.kill()
                process.wait()
                assert _gone(family)

        kills.append(kill)
        limit = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < limit, (tmp_path / "head.log").read_text()
            time.sleep(0.2)
        return f"127.0.0.1:{port}", kill

    yield run
    for kill in kills:
        kill()


@pytest.fixture
def cluster(head):
    """The address of a Ray of 3 CPUs that somebody else started."""
    address, _ = head()
    return address


@pytest.mark.slow
def test_an_attached_cluster_is_used_and_left_running(cluster, rlgan, typed, small_words, tmp_path, digest):
    there = {"RAY_ADDRESS": cluster} | LOOPBACK
    words = ["train", *small_words, "--steps", 3]
    done = _when_it_answers(lambda: rlgan(*words, "--workers", 2, "--run-dir", tmp_path / "there", environment=there))
    assert "on an attached Ray" in done.stdout
    assert typed(*words, "--workers", 0, "--run-dir", tmp_path / "here").returncode == 0
    assert digest(tmp_path / "there", 3) == digest(tmp_path / "here", 3)

    started = time.monotonic()
    short = rlgan(*words, "--workers", 3, "--shards", 4, "--run-dir", tmp_path / "short", environment=there)
    assert short.returncode == 1
    assert "4 CPUs are needed (3 rollout workers and a learner) and this Ray has 3" in short.stderr
    assert "Traceback" not in short.stderr
    assert time.monotonic() - started < 30
    assert not (tmp_path / "short").exists()


@pytest.mark.slow
def test_a_run_whose_head_node_is_killed_is_gone_on_with_on_another(
    head, start, rlgan, typed, small_words, tmp_path, digest
):
    address, kill = head()
    there = {"RAY_ADDRESS": address, "RAY_gcs_rpc_server_reconnect_timeout_s": "5"} | LOOPBACK
    words = ["--workers", 2, "--checkpoint-every", 5, "--run-dir", tmp_path / "run"]
    process = start(*words, "--steps", 100_000, environment=there, until="step 0")
    saved = tmp_path / "run" / "checkpoints"
    limit = time.monotonic() + 60
    while not _steps(saved):
        assert time.monotonic() < limit
        time.sleep(0.1)
    family = _family(process)
    kill()
    said = process.stdout.read()
    assert process.wait(60) == 1
    ends = "The Ray of this run has ended: the run ends without saving; the last whole checkpoint is"
    assert said.splitlines()[-1] == f"{ends} {saved}/{_steps(saved)[-1]}"
    assert "Traceback" not in said
    assert _gone(family)
    steps = _steps(saved)[-1] + 10
    address, _ = head()
    words = ["train", "--resume", *words, "--steps", steps]
    there |= {"RAY_ADDRESS": address}
    assert "going on" in _when_it_answers(lambda: rlgan(*words, environment=there, timeout=400)).stdout
    assert (
        typed("train", *small_words, "--workers", 0, "--steps", steps, "--run-dir", tmp_path / "calm").returncode == 0
    )
    assert digest(tmp_path / "run", steps) == digest(tmp_path / "calm", steps)


def _steps(checkpoints):
    return sorted(int(entry.name) for entry in checkpoints.glob("*") if entry.name.isdecimal())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "due"),
    [
        ("cache", r"The learner \(process \d+ on [\d.]+\) does not see {} as this process does. Give --cache"),
        ("pictures", r"{} has no \d+\.png on .*: --data must be the same on all nodes"),
    ],
)
def test_pictures_and_a_cache_that_only_the_driver_sees_are_said_at_the_start(cluster, tmp_path, hidden, due):
    """It has a disk of its own there, mounted for it alone."""
    place = tmp_path / hidden
    place.mkdir()
    draw = "from PIL import Image; import os; os.makedirs('pictures', exist_ok=True)\n"
    draw += "for i in range(30): Image.new('RGB', (32, 32), (i, 0, 0)).save(f'pictures/{i}.png')"
    (tmp_path / "draw.py").write_text(draw)
    train = f"{sys.executable} -m rlgan train image --size 16 --data pictures --cache {tmp_path / 'cache'} --width 4"
    train += f" --workers 1 --steps 1 --run-dir {tmp_path / 'run'}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs {place} && {sys.executable} draw.py && exec {train}"],
        cwd=tmp_path, env=os.environ | {"RAY_ADDRESS": cluster} | LOOPBACK, capture_output=True, text=True,
    )  # fmt: skip
    if "Operation not permitted" in done.stderr:
        pytest.skip("a disk can be mounted by root alone")
    assert done.returncode == 1, done.stdout
    (error,) = done.stderr.splitlines()
    assert re.match("rlgan: error: " + due.format(place), error), error
    assert "step 0" not in done.stdout


def test_an_address_where_nobody_answers_is_said(rlgan, small_words, tmp_path):
    words = ["train", *small_words, "--steps", 1, "--run-dir", tmp_path / "run"]
    done = rlgan(*words, environment={"RAY_ADDRESS": "127.0.0.1:1"})
    assert done.returncode == 1
    assert "Cannot join a Ray at 127.0.0.1:1" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def _when_it_answers(attempt, seconds=60):
    limit = time.monotonic() + seconds
    while True:
        done = attempt()
        if done.returncode == 0:
            return done
        assert time.monotonic() < limit, done.stderr
