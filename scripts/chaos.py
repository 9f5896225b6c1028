"""Train on a cluster of three nodes on this machine, once in peace and once shot at, and compare the bits.

The last line is a JSON object; the exit code is 0 only when the tensors of both last checkpoints are identical. With
`--soak MINUTES`, train once for so long, shot at all the while, and look at the memory of those that live on, and at
what is left at the end; the exit code is 0 only when that is nothing. With `--straggler MINUTES`, train for so long
with two workers, and again with a third that is ten times as slow; the exit code is 0 when that does 85 % of the steps.
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
# A worker that raises and a NaN are not among them: they end a run for good, and are meant to.
SOAK_KINDS = ("worker", "all workers", "hang", "learner", "node")  # the driver and the head live on, to be looked at
SOAK_EVERY = 30  # seconds between harms
SAMPLE_EVERY = 5  # seconds between looks at the memory
SLICE = 0.2  # seconds of which a slowed worker runs a tenth
WARM = 36  # looks at a process before its memory counts
ROLES = ("gcs_server", "raylet", "rlgan train", "ray::LearnerHost", "ray::RolloutHost")
PEACE_PER_KILL = 10  # seconds of the run in peace
PATIENCE = 300  # seconds without a checkpoint after which the run counts as hung
RECIPE = ["--shards", "4", "--lag", "1"]
# Who dies loses the steps since the last checkpoint; to write one takes less than a step (.07 s, seen).
CHECKPOINT_EVERY = 10
RUN = ["--workers", "auto:1-3", "--checkpoint-every", str(CHECKPOINT_EVERY), "--keep-checkpoints", "3"]
RUN += ["--evaluate-every", "500"]


class Range:
    """A cluster, and a training on it."""

    def __init__(self, words: list[str], log: Path) -> None:
        self.words = words
        self.log = log.open("a")
        self.stopped: list[psutil.Process] = []
        self.start_cluster()

    def start_cluster(self) -> None:
        """A head of two CPUs and two nodes of one."""
        self.cluster = Cluster(True, head_node_args={"num_cpus": 2, "include_dashboard": False, "no_monitor": True})
        for _ in range(2):
            self.cluster.add_node(num_cpus=1)

    def start_driver(self, run: Path, *words: str) -> None:
        """Train, or go on, without waiting."""
        self.run = run
        self.begun = newest(run)
        typed = [sys.executable, "-m", "rlgan", "train", *self.words, "--run-dir", str(run), "--resume", *words]
        surroundings = os.environ | {"RAY_ADDRESS": self.cluster.address}
        self.driver = subprocess.Popen(typed, stdout=self.log, stderr=subprocess.STDOUT, env=surroundings)

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

    def shoot(self, kind: str, numbers: random.Random, go_on: Any) -> bool:
        """Do one kind of harm. False: there is nobody to do it to just now."""
        if kind in ("worker", "all workers", "hang", "learner"):
            targets = self.actors("LearnerHost" if kind == "learner" else "RolloutHost")
            if not targets:
                return False
            chosen = targets if kind == "all workers" else [numbers.choice(targets)]
            self.stopped += chosen if kind == "hang" else []
            for process in chosen:
                process.send_signal(signal.SIGSTOP if kind == "hang" else signal.SIGKILL)
        elif kind == "node":
            self.cluster.remove_node(numbers.choice(list(self.cluster.worker_nodes)), allow_graceful=False)
            self.cluster.add_node(num_cpus=1)
        else:
            # What is due of these is due of a run at work, with a checkpoint to fall back on.
            at_work = newest(self.run) > self.begun and len(checkpoints(self.run)) > 1
            if kind not in ("driver", "head") and not at_work:
                return False
            self.end_driver(kind)
            if kind == "head":
                self.stop_cluster()
                self.start_cluster()
            elif kind in ("flipped bits", "cut short"):
                spoil(numbers.choice(tensors(self.run)), kind)
            go_on()
        return True

    def end_driver(self, kind: str) -> None:
        """Kill it; or ask it to end, or let its disk be full, and see that it ends as is due."""
        due: tuple[int, ...] = (-signal.SIGKILL,)
        if kind == "terminate":
            self.driver.terminate()
            due = (0,)
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
        if self.driver.wait(PATIENCE) not in due:
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


def spoil(file: Path, kind: str) -> None:
    """Turn the bits of the byte in the middle of a file, or cut it short there."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 0xFF
    file.write_bytes(content if kind == "flipped bits" else content[:middle])


def digest(run: Path) -> str:
    """SHA-256 of the tensors of the newest checkpoint."""
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in tensors(run))).hexdigest()


def peace(field: Range, run: Path, seconds: float) -> float:
    """Train so long; give the wall time."""
    started = time.monotonic()
    field.start_driver(run, "--minutes", str(seconds / 60))
    if field.driver.wait():
        raise SystemExit(f"the run in peace failed: see {field.log.name}")
    return time.monotonic() - started


def war(field: Range, run: Path, steps: int, harms: list[str], numbers: random.Random) -> tuple[float, Counter[str]]:
    """Train as many steps, and do harm on the way; give the wall time, and what was done."""

    def go_on() -> None:
        field.start_driver(run, "--steps", str(steps))

    started = changed = time.monotonic()
    due = sorted(numbers.uniform(0, 0.95) * steps for _ in harms)
    done: Counter[str] = Counter()
    reached = 0
    go_on()
    while field.driver.poll() is None:
        if newest(run) > reached:
            reached, changed = newest(run), time.monotonic()
        kills = done.total()
        # Before the first checkpoint too: what is due at step 0 and a little comes at once.
        if kills < len(harms) and reached + CHECKPOINT_EVERY > due[kills] and field.shoot(harms[kills], numbers, go_on):
            done[harms[kills]] += 1
            print(f"{time.monotonic() - started:7.1f} s, step {reached} of {steps}: {harms[kills]}", flush=True)
            time.sleep(1)
        if time.monotonic() - changed > PATIENCE:
            raise SystemExit(f"the run hangs: no checkpoint for {PATIENCE} s; see {field.log.name}")
        time.sleep(0.1)
    if field.driver.returncode:
        raise SystemExit(f"the run failed with {field.driver.returncode}: see {field.log.name}")
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


def soak(field: Range, run: Path, minutes: float, numbers: random.Random) -> dict[str, Any]:
    """Train so long, shot at all the while; say what became of the memory of who lived longest of every role."""
    started = time.monotonic()
    field.start_driver(run, "--minutes", str(minutes))
    seen: dict[tuple[str, int], list[tuple[float, float]]] = {}  # hours and MiB, by role and process
    done: Counter[str] = Counter()
    due = 2.0 * SOAK_EVERY
    while field.driver.poll() is None:
        now = time.monotonic() - started
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                size = process.memory_info().rss / 2**20
                seen.setdefault((role(process), process.pid), []).append((now / 3600, size))
        if now > due and newest(run):
            harm = numbers.choice(SOAK_KINDS)
            if field.shoot(harm, numbers, lambda: None):
                done[harm] += 1
                print(f"{now:7.1f} s, step {newest(run)}: {harm}", flush=True)
            due = now + SOAK_EVERY
        time.sleep(SAMPLE_EVERY)
    if field.driver.returncode:
        raise SystemExit(f"the run failed with {field.driver.returncode}: see {field.log.name}")
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


def straggler(field: Range, out: Path, minutes: float) -> dict[str, Any]:
    """Train so long with two workers, and with a third that may run for a tenth of the time; the steps of both."""
    steps = {}
    for workers in (2, 3):
        run = out / f"{workers} workers"
        field.start_driver(run, "--workers", str(workers), "--minutes", str(minutes))
        while field.driver.poll() is None:
            hosts = field.actors("RolloutHost")
            if newest(run) and len(hosts) == 3:
                with contextlib.suppress(psutil.NoSuchProcess):
                    hosts[-1].suspend()
                    time.sleep(0.9 * SLICE)
                    hosts[-1].resume()
            time.sleep(0.1 * SLICE)
        if field.driver.returncode:
            raise SystemExit(f"the run failed with {field.driver.returncode}: see {field.log.name}")
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
        return shoot(options, words)
    except SystemExit as error:
        print(json.dumps({"identical": False, "failed": str(error)}))
        return 1


def shoot(options: argparse.Namespace, words: list[str]) -> int:
    """Do what is asked; print it, and give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # and end the cluster on the way out
    numbers = random.Random(options.seed)
    harms = [KINDS[i % len(KINDS)] for i in range(options.kills)]
    numbers.shuffle(harms)
    out = options.out or Path(tempfile.mkdtemp(prefix="rlgan-chaos-"))
    out.mkdir(exist_ok=True)
    print(f"runs and log: {out}", flush=True)
    shared = shared_memory()
    field = Range([*RECIPE, *RUN, *words], out / "log.txt")
    if options.straggler:
        try:
            result = straggler(field, out, options.straggler)
        finally:
            field.close()
        print(json.dumps(result))
        return 0 if result["share"] >= 0.85 else 1
    if options.soak:
        try:
            result = soak(field, out / "soak", options.soak, numbers)
            actors = [kind for kind in ("LearnerHost", "RolloutHost") for _ in field.actors(kind)]
        finally:
            field.close()
        left = {
            "actors": actors,
            "processes": [role(process) for process in psutil.Process().children(recursive=True)],
            "shared_memory": sorted(shared_memory() - shared),
        }
        print(json.dumps(result | {"left": left}))
        return 1 if any(left.values()) else 0
    try:
        peaceful = peace(field, out / "peace", options.kills * PEACE_PER_KILL)
        steps = newest(out / "peace")
        print(f"{steps} steps in peace: {peaceful:.1f} s", flush=True)
        seconds, done = war(field, out / "war", steps, harms, numbers)
    finally:
        field.close()
    identical = (
        newest(out / "war") == steps and digest(out / "war") == digest(out / "peace") and done.total() == len(harms)
    )
    result = {
        "kills": done.total(), "identical": identical, "seconds": round(seconds, 1),
        "peaceful_seconds": round(peaceful, 1), "ratio": round(seconds / peaceful, 3), "steps": steps,
        "kinds": dict(sorted(done.items())), "sha256": digest(out / "war"),
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if identical else 1


if __name__ == "__main__":
    sys.exit(main())
