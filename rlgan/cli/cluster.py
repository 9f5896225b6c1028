"""`rlgan cluster N`: a Ray cluster on this machine, to try things on.

A head and more nodes, each a `ray start`, ended by process id. It listens on loopback alone
and asks for a token. Its files lie in a directory of its own, so that no other Ray on the machine finds it or is found
by it.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

from tyro.conf import Positional, arg

from rlgan.cli.help import Page
from rlgan.cli.parsing import parse
from rlgan.cli.paths import beside_python
from rlgan.cli.submit import AUTHENTICATION, shown
from rlgan.engine.processes import installed
from rlgan.errors import RunError, UsageError
from rlgan.runs.signals import handled_signals
from rlgan.settings import Metavar

# Ray gives a node 30 s to start, which a loaded machine does not keep to every time.
START_TRIES = 3
# Seconds for a node to end after SIGTERM, before SIGKILL.
STOP_LIMIT = 15
STORE_BYTES = 512 * 2**20  # of a node's object store
# Ray then takes this machine's address to be 127.0.0.1 and binds to that alone; set, it refuses to join a cluster,
# which is asked before anything else.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
JOIN = """
import os
from ray._private import services
from ray.scripts.scripts import main
services.get_node_ip_address = lambda address=None: "127.0.0.1"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
main()
"""


@dataclass(frozen=True)
class Options:
    """The nodes of the cluster."""

    nodes: Annotated[Positional[int], arg(metavar="N")]
    """How many nodes: a head and N - 1 more."""
    cpus: Annotated[tuple[int, ...], Metavar("N ...")] = (2,)
    """CPUs of each node, as Ray counts them: one number for all, or N."""
    gpus: Annotated[tuple[int, ...], Metavar("N ...")] = (0,)
    """GPUs of each node, as Ray counts them; they need not exist."""

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        if self.nodes < 1:
            raise UsageError(f"N is {self.nodes}: it must be 1 or more")
        for name in ("cpus", "gpus"):
            counts = getattr(self, name)
            if len(counts) not in (1, self.nodes) or min(counts) < 0:
                raise UsageError(f"--{name} {' '.join(map(str, counts))}: give one number, or {self.nodes}, 0 or more")


class LocalCluster:
    """The processes of a cluster, until `stop`.

    Args:
        options: how many nodes of what.

    Raises:
        RunError: a node did not start; the message has the last line that it said.
    """

    def __init__(self, options: Options) -> None:
        # Short, and in /tmp whatever TMPDIR says: the names of Ray's sockets may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self.nodes: list[subprocess.Popen[bytes]] = []
        port, job_port, client_port = _free_ports(3)
        self.address = f"127.0.0.1:{port}"
        self.job_address = f"http://127.0.0.1:{job_port}"
        ray = str(installed("ray"))
        head = [ray, "start", "--head", f"--port={port}", f"--dashboard-port={job_port}"]
        head += ["--dashboard-host=127.0.0.1", f"--ray-client-server-port={client_port}"]
        # One log monitor is enough: with more, what actors print would come several times.
        more = [sys.executable, "-c", JOIN, "start", f"--address={self.address}", "--include-log-monitor=false"]
        try:
            for index in range(options.nodes):
                cpus, gpus = (counts[index % len(counts)] for counts in (options.cpus, options.gpus))
                self._start([*(more if index else head), f"--num-cpus={cpus}", f"--num-gpus={gpus}"])
        # Also at Ctrl-C: nodes that are started have sessions of their own, and would outlive this process.
        except BaseException:
            self.stop()
            raise

    def _start(self, command: list[str]) -> None:
        words = [*command, "--block", "--node-ip-address=127.0.0.1", f"--temp-dir={self.folder}"]
        words += [f"--object-store-memory={STORE_BYTES}", "--log-color=false"]
        # Ports that the system chooses: nodes of one machine would fight for Ray's usual ones.
        words += ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
        environment = os.environ | AUTHENTICATION | {"RAY_USAGE_STATS_ENABLED": "0"}
        # On SIGTERM Ray would wait for 30 s for jobs to leave the node.
        environment["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] = "0"
        environment.pop("RAY_ADDRESS", None)
        # A job says `python`, and that shall be ours.
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"} if self.nodes else LOOPBACK
        log = self.folder / f"node-{len(self.nodes)}.log"
        for _ in range(START_TRIES):
            with log.open("wb") as said:
                # A session of its own: Ctrl-C in a terminal is for us, who end the nodes in order.
                node = subprocess.Popen(words, env=environment, stdout=said, stderr=said, start_new_session=True)
            self.nodes.append(node)
            while node.poll() is None:
                # With --block the process stays as long as its node, so that only its log tells when that takes work.
                if "Ray runtime started" in log.read_text(errors="replace"):
                    return
                time.sleep(0.1)
            _kill(self.nodes.pop())
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise RunError(f"node {len(self.nodes)} did not start; it said: {''.join(lines[-1:])}")

    def stop(self) -> None:
        """End every process of the cluster, the head last, and remove its files."""
        for process in reversed(self.nodes):
            process.terminate()
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _kill(process)
        shutil.rmtree(self.folder, ignore_errors=True)


PAGE = Page(
    program="rlgan cluster",
    arguments="N [--cpus N ...] [--gpus N ...]",
    summary="Start a Ray cluster on this machine, say how to use it, and end it on Ctrl-C or SIGTERM",
    examples=(
        "rlgan cluster 3                                    # three nodes of two CPUs each",
        "rlgan cluster 3 --cpus 2 1 1                       # two CPUs on the first, one on the others",
    ),
)


def cluster(words: list[str]) -> int:
    """`rlgan cluster N`; gives the exit code.

    Raises:
        UsageError: what was typed makes no sense.
        RunError: a node did not start, or the head has ended.
    """
    options = parse(Options, words, PAGE)
    for number in handled_signals():
        signal.signal(number, _end)
    options.check()
    _make_token()
    print(f"starting {_counted(options.nodes)} ...", flush=True)
    cluster = LocalCluster(options)
    try:
        _say_how_to_use(cluster)
        _watch(cluster)
    except KeyboardInterrupt:
        print("ending ...", flush=True)
        return 0
    finally:
        cluster.stop()


def _say_how_to_use(cluster: LocalCluster) -> None:
    rlgan = beside_python("rlgan")
    print(f"{_counted(len(cluster.nodes))}, the processes {' '.join(str(node.pid) for node in cluster.nodes)}")
    print(f"submit a job: {rlgan} submit --address {cluster.job_address} -- train --run-dir /tmp/run")
    print(f"or attach:    {shown(AUTHENTICATION | LOOPBACK)} RAY_ADDRESS={cluster.address} {rlgan} train")
    print("Ctrl-C ends it", flush=True)


def _counted(nodes: int) -> str:
    return "1 node" if nodes == 1 else f"{nodes} nodes"


def _watch(cluster: LocalCluster) -> NoReturn:
    """Say which nodes end, until the head does.

    Raises:
        RunError: the head has ended.
    """
    head, *others = cluster.nodes
    while head.poll() is None:
        for node in [node for node in others if node.poll() is not None]:
            others.remove(node)
            print(f"the node of process {node.pid} has ended", flush=True)
        time.sleep(0.5)
    raise RunError("the head has ended, and the cluster with it")


def _kill(node: subprocess.Popen[bytes]) -> None:
    """End what a node that has ended left behind: in a moment it would end by itself, and until then write files."""
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)


def _end(*_: object) -> None:
    # Once: to end takes seconds and must be whole.
    for number in handled_signals():
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _make_token() -> None:
    """Have Ray write a token into ~/.ray where there is none; it prints it, which is for nobody to see."""
    words = [str(installed("ray")), "get-auth-token", "--generate"]
    made = subprocess.run(words, env=os.environ | AUTHENTICATION, capture_output=True, text=True, check=False)
    if made.returncode:
        # Every long hexadecimal word is hidden, since what Ray says of a failure may hold the token.
        raise RunError(f"Ray can't make a token: {re.sub(r'[0-9a-f]{32,}', '...', made.stderr.strip())[-300:]}")


def _free_ports(count: int) -> list[int]:
    # All are open at the same time: the system might otherwise give one port twice.
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
