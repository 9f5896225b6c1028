"""Train on a cluster of three nodes on this machine, once undisturbed and once under faults, and compare the bits.

The last line is a JSON object; the exit code is 0 only when the tensors of both last checkpoints are identical. With
`--soak MINUTES`, train once for so long under faults, and measure the memory of the processes that survive, and what is
left at the end; the exit code is 0 only when that is nothing. With `--straggler MINUTES`, train for so long with two
workers, and again with a third that is ten times as slow; the exit code is 0 when that does 85 % of the steps.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from scipy import stats

# Read by Ray when it is imported, and by every process that it starts. The nodes listen on loopback alone.
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
os.environ |= {"RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_raylet_start_wait_time_s": "120"}

from ray.cluster_utils import Cluster

KINDS = ("worker", "all workers", "hang", "learner", "node", "driver", "head", "terminate", "interrupt twice")
KINDS += ("full disk", "flipped bits", "cut short")
KINDS += ("terminate all", "hang up", "user signal", "full stdout", "closed reader", "no lock server")
# A worker that raises and a NaN are not among them: they end a run for good, and are meant to.
SIGNALS = {"terminate": signal.SIGTERM, "hang up": signal.SIGHUP, "user signal": signal.SIGUSR1}
SOAK_KINDS = ("worker", "all workers", "hang", "learner", "node")  # the driver and the head stay, to be measured
SOAK_EVERY = 30  # seconds between faults
SAMPLE_EVERY = 5  # seconds between measurements of the memory
SLICE = 0.2  # seconds of which a slowed worker runs a tenth
WARM = 36  # measurements of a process before its memory counts
ROLES = ("gcs_server", "raylet", "rlgan train", "ray::LearnerHost", "ray::RolloutHost")
UNDISTURBED_PER_KILL = 10  # seconds of the undisturbed run
PATIENCE = 300  # seconds without a checkpoint after which the run counts as hung
RECIPE = ["--shards", "4", "--lag", "1"]
# A learner that dies loses the steps since the last checkpoint; writing one takes less than a step (.07 s, measured).
CHECKPOINT_EVERY = 10
RUN = ["--workers", "auto:1-3", "--checkpoint-every", str(CHECKPOINT_EVERY), "--keep-checkpoints", "3"]
RUN += ["--evaluate-every", "500"]


# What a share says whose lock server is gone.
NO_LOCKS = """
import errno, fcntl, os

def flock(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

fcntl.flock = flock
"""


class Bench:
    """A cluster, and a training on it."""

    def __init__(self, words: list[str], log: Path) -> None:
        self.words = words
        self.log = log.open("a")
        self.no_locks = log.parent / "no-locks"
        self.no_locks.mkdir(exist_ok=True)
        (self.no_locks / "sitecustomize.py").write_text(NO_LOCKS)
        self.stopped: list[psutil.Process] = []
        self.start_cluster()

    def start_cluster(self) -> None:
        """A head of two CPUs and two nodes of one."""
        self.cluster = Cluster(True, head_node_args={"num_cpus": 2, "include_dashboard": False, "no_monitor": True})
        for _ in range(2):
            self.cluster.add_node(num_cpus=1)

    def start_driver(self, run: Path, *words: str, where: str = "") -> None:
        """Train, or go on, without waiting; where something refuses from now on, as the kind of fault says."""
        self.run = run
        self.begun = newest(run)
        typed = [sys.executable, "-m", "rlgan", "train", *self.words, "--run-dir", str(run), "--resume", "auto", *words]
        surroundings = os.environ | {"RAY_ADDRESS": self.cluster.address}
        if where == "no lock server":
            path = filter(None, (str(self.no_locks), os.environ.get("PYTHONPATH")))
            surroundings["PYTHONPATH"] = os.pathsep.join(path)
        with contextlib.ExitStack() as opened:
            out: Any = self.log
            if where == "full stdout":
                out = opened.enter_context(Path("/dev/full").open("w"))
            elif where == "closed reader":
                reader, writer = os.pipe()
                os.close(reader)
                out = opened.enter_context(os.fdopen(writer, "w"))
            self.driver = subprocess.Popen(typed, stdout=out, stderr=self.log, env=surroundings)

    def actors(self, kind: str) -> list[psutil.Process]:
        """The processes of the cluster's actors of a kind."""
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                if f"ray::{kind}" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_STOPPED:
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    def inject(self, kind: str, rng: random.Random, go_on: Any) -> bool:
        """Inject one kind of fault. False: there is no process for it at the moment."""
        if kind in ("worker", "all workers", "hang", "learner"):
            targets = self.actors("LearnerHost" if kind == "learner" else "RolloutHost")
            if not targets:
                return False
            chosen = targets if kind == "all workers" else [rng.choice(targets)]
            self.stopped += chosen if kind == "hang" else []
            for process in chosen:
                process.send_signal(signal.SIGSTOP if kind == "hang" else signal.SIGKILL)
        elif kind == "node":
            self.cluster.remove_node(rng.choice(list(self.cluster.worker_nodes)), allow_graceful=False)
            self.cluster.add_node(num_cpus=1)
        else:
            # What is due of these is due of a run at work, with a checkpoint to fall back on.
            at_work = newest(self.run) > self.begun and len(checkpoints(self.run)) > 1
            if kind not in ("driver", "head") and not at_work:
                return False
            self.end_driver(kind)
            if kind in ("head", "terminate all"):
                self.stop_cluster()
                self.start_cluster()
            elif kind in ("flipped bits", "cut short"):
                damage(rng.choice(tensors(self.run)), kind)
            go_on(kind)
        return True

    def end_driver(self, kind: str) -> None:
        """Kill it; or ask it to end, or let its disk be full, and see that it ends as is due."""
        due: tuple[int, ...] = (-signal.SIGKILL,)
        if kind in SIGNALS:
            self.driver.send_signal(SIGNALS[kind])
            due = (0,)
        elif kind == "terminate all":
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
            # 0 where it had saved before its cluster was gone; 1 where Ray ended it, as soon as its node was gone.
            due = (0, 1, 128 + signal.SIGTERM)
        elif kind == "interrupt twice":
            for _ in range(2):
                self.driver.send_signal(signal.SIGINT)
                time.sleep(0.2)
            due = (0, -signal.SIGINT)  # 0 where it had saved before the second
        elif kind == "full disk":  # as far as it can see: no file may grow so long as the largest of a checkpoint
            limit = max(file.stat().st_size for file in tensors(self.run)) - 1
            psutil.Process(self.driver.pid).rlimit(psutil.RLIMIT_FSIZE, (limit, limit))
            due = (1,)
        else:
            self.driver.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.driver.wait(PATIENCE)
        if self.driver.poll() is None:
            raise SystemExit(f"{kind}: the run did not end within {PATIENCE} s: see {self.log.name}")
        if self.driver.returncode not in due:
            raise SystemExit(f"{kind}: the run ended with {self.driver.returncode}, not {due}: see {self.log.name}")

    def stop_cluster(self) -> None:
        """Kill every node, the head last."""
        for node in [*self.cluster.worker_nodes, self.cluster.head_node]:
            self.cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        """End all that was started."""
        self.driver.kill()
        self.driver.wait()
        self.stop_cluster()
        for process in self.stopped:  # who lost its node while it was stopped can't notice
            if process.is_running():
                process.kill()


def checkpoints(run: Path) -> list[int]:
    """The steps of a run's checkpoints."""
    return [int(entry.name) for entry in (run / "checkpoints").glob("*") if entry.name.isdecimal()]


def newest(run: Path) -> int:
    """The step of the newest checkpoint, 0 where there is none."""
    return max(checkpoints(run), default=0)


def tensors(run: Path) -> list[Path]:
    """The files with the tensors of the newest checkpoint."""
    return sorted((run / "checkpoints" / str(newest(run))).glob("*.safetensors"))


def damage(file: Path, kind: str) -> None:
    """Turn the bits of the byte in the middle of a file, or cut it short there."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 0xFF
    file.write_bytes(content if kind == "flipped bits" else content[:middle])


def digest(run: Path) -> str:
    """SHA-256 of the tensors of the newest checkpoint."""
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in tensors(run))).hexdigest()


def train_undisturbed(bench: Bench, run: Path, seconds: float) -> float:
    """Train for so long without faults; give the wall time in seconds."""
    started = time.monotonic()
    bench.start_driver(run, "--minutes", str(seconds / 60))
    if bench.driver.wait():
        raise SystemExit(f"the undisturbed run failed: see {bench.log.name}")
    return time.monotonic() - started


def train_under_faults(
    bench: Bench, run: Path, steps: int, faults: list[str], rng: random.Random
) -> tuple[float, Counter[str]]:
    """Train as many steps, with faults on the way; give the wall time in seconds, and the number of faults by kind."""

    def go_on(where: str = "") -> None:
        bench.start_driver(run, "--steps", str(steps), where=where)

    started = changed = time.monotonic()
    due = sorted(rng.uniform(0, 0.95) * steps for _ in faults)
    done: Counter[str] = Counter()
    reached = 0
    go_on()
    while bench.driver.poll() is None:
        if newest(run) > reached:
            reached, changed = newest(run), time.monotonic()
        kills = done.total()
        # Before the first checkpoint too: what is due at step 0 and a little comes at once.
        if kills < len(faults) and reached + CHECKPOINT_EVERY > due[kills] and bench.inject(faults[kills], rng, go_on):
            done[faults[kills]] += 1
            print(f"{time.monotonic() - started:7.1f} s, step {reached} of {steps}: {faults[kills]}", flush=True)
            time.sleep(1)
        if time.monotonic() - changed > PATIENCE:
            raise SystemExit(f"the run hangs: no checkpoint for {PATIENCE} s; see {bench.log.name}")
        time.sleep(0.1)
    if bench.driver.returncode:
        raise SystemExit(f"the run failed with {bench.driver.returncode}: see {bench.log.name}")
    return time.monotonic() - started, done


def shared_memory() -> set[str]:
    """The names of what is in it."""
    return {entry.name for entry in Path("/dev/shm").iterdir()}


def role(process: psutil.Process) -> str:
    """What a process of the cluster is."""
    title = " ".join(process.cmdline())
    if title.split(" ", 1)[0].endswith("/raylet"):  # others are told where its socket is
        return "raylet"
    return next((name for name in ROLES if name != "raylet" and name in title), "other")


def soak(bench: Bench, run: Path, minutes: float, rng: random.Random) -> dict[str, Any]:
    """Train for so long under faults; give the memory of the longest-lived process of every role."""
    started = time.monotonic()
    bench.start_driver(run, "--minutes", str(minutes))
    seen: dict[tuple[str, int], list[tuple[float, float]]] = {}  # hours and MiB, by role and process
    done: Counter[str] = Counter()
    due = 2.0 * SOAK_EVERY
    while bench.driver.poll() is None:
        now = time.monotonic() - started
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                size = process.memory_info().rss / 2**20
                seen.setdefault((role(process), process.pid), []).append((now / 3600, size))
        if now > due and newest(run):
            fault = rng.choice(SOAK_KINDS)
            if bench.inject(fault, rng, lambda _: None):
                done[fault] += 1
                print(f"{now:7.1f} s, step {newest(run)}: {fault}", flush=True)
            due = now + SOAK_EVERY
        time.sleep(SAMPLE_EVERY)
    if bench.driver.returncode:
        raise SystemExit(f"the run failed with {bench.driver.returncode}: see {bench.log.name}")
    memory = {}
    for name in ROLES:
        lives = [series for (of, _), series in seen.items() if of == name]
        series = max(lives, key=len)
        grown = series[min(WARM, len(series) // 2) :]  # what it needs to begin with is no leak
        line = stats.linregress(*zip(*grown, strict=True))
        memory[name] = {
            "processes": len(lives), "minutes": round(60 * (series[-1][0] - series[0][0]), 1),
            "MiB": [round(grown[0][1]), round(grown[-1][1])], "MiB_per_hour": round(float(line.slope), 1),
        }  # fmt: skip
    return {"kills": done.total(), "kinds": dict(sorted(done.items())), "steps": newest(run), "memory": memory}


def straggler(bench: Bench, out: Path, minutes: float) -> dict[str, Any]:
    """Train so long with two workers, and with a third that may run for a tenth of the time; the steps of both."""
    steps = {}
    for workers in (2, 3):
        run = out / f"{workers} workers"
        bench.start_driver(run, "--workers", str(workers), "--minutes", str(minutes))
        while bench.driver.poll() is None:
            hosts = bench.actors("RolloutHost")
            if newest(run) and len(hosts) == 3:
                with contextlib.suppress(psutil.NoSuchProcess):
                    hosts[-1].suspend()
                    time.sleep(0.9 * SLICE)
                    hosts[-1].resume()
            time.sleep(0.1 * SLICE)
        if bench.driver.returncode:
            raise SystemExit(f"the run failed with {bench.driver.returncode}: see {bench.log.name}")
        steps[f"steps_of_{workers}"] = newest(run)
    return steps | {"share": round(steps["steps_of_3"] / steps["steps_of_2"], 3)}


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where both runs and their log go; by default a new directory")
    parser.add_argument("--straggler", type=float, metavar="MINUTES")
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    options, words = parser.parse_known_args()
    try:
        return compare(options, words)
    except SystemExit as error:
        print(json.dumps({"identical": False, "failed": str(error)}))
        return 1


def compare(options: argparse.Namespace, words: list[str]) -> int:
    """Do what is asked; print it, and give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # and end the cluster on the way out
    # Where this is ignored, as under nohup, so would it be by the runs, which are to save at it. A handler is not
    # handed on to a process that is started.
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    rng = random.Random(options.seed)
    faults = [KINDS[i % len(KINDS)] for i in range(options.kills)]
    rng.shuffle(faults)
    out = options.out or Path(tempfile.mkdtemp(prefix="rlgan-chaos-"))
    out.mkdir(exist_ok=True)
    print(f"runs and log: {out}", flush=True)
    shared = shared_memory()
    bench = Bench([*RECIPE, *RUN, *words], out / "log.txt")
    if options.straggler:
        try:
            result = straggler(bench, out, options.straggler)
        finally:
            bench.close()
        print(json.dumps(result))
        return 0 if result["share"] >= 0.85 else 1
    if options.soak:
        try:
            result = soak(bench, out / "soak", options.soak, rng)
            actors = [kind for kind in ("LearnerHost", "RolloutHost") for _ in bench.actors(kind)]
        finally:
            bench.close()
        left = {
            "actors": actors,
            "processes": [role(process) for process in psutil.Process().children(recursive=True)],
            "shared_memory": sorted(shared_memory() - shared),
        }
        print(json.dumps(result | {"left": left}))
        return 1 if any(left.values()) else 0
    try:
        undisturbed = train_undisturbed(bench, out / "undisturbed", options.kills * UNDISTURBED_PER_KILL)
        steps = newest(out / "undisturbed")
        print(f"{steps} steps undisturbed: {undisturbed:.1f} s", flush=True)
        seconds, done = train_under_faults(bench, out / "under-faults", steps, faults, rng)
    finally:
        bench.close()
    same_steps = newest(out / "under-faults") == steps
    same_bits = digest(out / "under-faults") == digest(out / "undisturbed")
    identical = same_steps and same_bits and done.total() == len(faults)
    result = {
        "kills": done.total(), "identical": identical, "seconds": round(seconds, 1),
        "peaceful_seconds": round(undisturbed, 1), "ratio": round(seconds / undisturbed, 3), "steps": steps,
        "kinds": dict(sorted(done.items())), "sha256": digest(out / "under-faults"),
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if identical else 1


if __name__ == "__main__":
    sys.exit(main())
