"""Starts a Ray of our own on this machine, or joins the one at RAY_ADDRESS; and leaves it again."""

import logging
import math
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rlgan.engine.ray_environment import ray, set_variables

import psutil

from rlgan.engine.failures import RayError
from rlgan.engine.machine import check_machine
from rlgan.engine.processes import STOP_SIGNALS, family, is_running, kill, pending, usable_cpus
from rlgan.engine.ray_address import ask_head, check_answers, check_token_file, token_hint
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError

# The names of Ray's sockets may have 107 characters, of which it needs 63 below this folder's name of 14.
LONGEST_TEMPORARY = 28
# Those of Ray's processes without which nothing works any more.
SERVERS = {"gcs_server", "raylet"}
# Questions, a second apart, that the head of a cluster refuses, after which it counts as gone for a run that is asked
# to stop. Another run waits, since the head may come back: until shortly before Ray itself would end this process.
REFUSALS = 3
WAITS = 0.75  # of Ray's own limit
RAYS_LIMIT = "RAY_gcs_rpc_server_reconnect_timeout_s"
RAYS_DEFAULT = 60.0


@dataclass
class Connection:
    """A Ray that is used, and what of it is ours to end."""

    joined_before: bool  # by this process, which keeps it
    folder: Path | None  # of a Ray of our own
    others: frozenset[psutil.Process]  # what this process had started before
    servers: tuple[psutil.Process, ...] = ()  # of a Ray of our own
    head: str = ""  # HOST:PORT of somebody else's cluster
    answered: float = 0.0  # when the head did last, by `time.monotonic`
    refused: int = 0  # times since then

    @property
    def ours(self) -> bool:
        """Whether it was started here."""
        return self.folder is not None

    def alive(self, *, asked_to_stop: bool) -> bool:
        """Whether the servers of this Ray are still there.

        Args:
            asked_to_stop: whether the run was, which then does not wait for a head that may come back.
        """
        if self.ours:
            return all(is_running(process) for process in self.servers)
        if not self.head:
            return True
        answer, now = ask_head(self.head), time.monotonic()
        if answer == "answers":
            self.answered, self.refused = now, 0
        self.refused += answer == "refuses"
        if asked_to_stop and self.refused >= REFUSALS:
            return False
        return now - self.answered < WAITS * _rays_limit()

    def watch_head(self) -> None:
        """Remember where the head of a cluster that was joined is."""
        self.head, self.answered = ray.get_runtime_context().gcs_address, time.monotonic()

    def close(self) -> None:
        """Leave the Ray, which ends our actors; end one of our own with all its processes."""
        if self.joined_before:
            return
        started = [process for process in family() if process not in self.others] if self.ours else []
        done = threading.Event()
        threading.Thread(target=_kill_asked, args=(started, done), daemon=True).start()
        try:
            # Where warnings are errors, each process that Ray has started and not waited for would be a traceback.
            with warnings.catch_warnings(action="ignore"):
                ray.shutdown()
        finally:
            done.set()
            # Where Ray does not end in order, some of its processes would stay for a minute.
            kill(started)
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)


def connect(run: EngineSettings, shards: int) -> Connection:
    """Start or join a Ray; one that this process has joined already is used as it is.

    Args:
        run: what it must have room for, if it is started.
        shards: how many shards a batch of rollouts has.

    Raises:
        RunError: there is none at the address, or it refuses.
    """
    others = frozenset(family())
    if ray.is_initialized():
        connection = Connection(joined_before=True, folder=None, others=others)
        connection.watch_head()
        return connection
    check_token_file()
    # Ray's own processes read them too, each time that they are started.
    set_variables()
    # Read at each call: a process that trains twice may have been given an address in between, or none any more.
    address = os.environ.get("RAY_ADDRESS")
    folder = temporary_folder() if address is None else None
    connection = Connection(joined_before=False, folder=folder, others=others)
    try:
        if address is not None:
            _join(address)
            connection.watch_head()
        elif folder is not None:
            workers = _local_workers(run, shards)
            check_machine(run.learners + workers)
            # As many as are reserved, also where the machine has fewer: Ray's CPUs are a count, and it would wait for
            # ever for more.
            _start(folder, math.ceil(run.learners * run.learner_cpus + workers * run.worker_cpus))
            connection.servers = tuple(
                process for process in family() if process not in others and process.name() in SERVERS
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _rays_limit() -> float:
    """Seconds that Ray waits for the head to come back, before it ends this process without a word of ours."""
    try:
        return float(os.environ.get(RAYS_LIMIT, RAYS_DEFAULT))
    except ValueError:
        return RAYS_DEFAULT


def _join(address: str) -> None:
    check_answers(address)
    try:
        with _handlers_kept(), _elsewhere(Path(tempfile.gettempdir())):
            ray.init(logging_level=logging.ERROR)
    # RuntimeError: the cluster has other versions of Ray or Python. RayError: it asks for a token, or for another one.
    except (OSError, ValueError, RuntimeError, RayError) as error:
        line = " ".join(str(error).split())
        raise RunError(f"Cannot join a Ray at {address}: {line}{token_hint(line)}") from error


def _start(folder: Path, cpus: int) -> None:
    if not _can_keep_a_token():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        with _handlers_kept(), _elsewhere(folder), _signals_blocked_for_children(), _without_python_warnings():
            # Never without an address: it would join whatever cluster it finds on this machine.
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                logging_level=logging.ERROR,
                _temp_dir=str(folder),
            )
    except Exception as error:
        # Bare: so Ray raises it where a server of its own does not start.
        if type(error) is not Exception and not isinstance(error, (OSError, ValueError, RuntimeError, RayError)):
            raise
        line = " ".join(str(error).split())
        raise RunError(f"Ray can't be started on this machine: {line}; --workers 0 trains without it") from error


def _can_keep_a_token() -> bool:
    """Whether Ray has a token, or can write one into the home of this user, who may have none."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    home = os.path.expanduser("~")
    return bool(given) or os.access(home, os.W_OK) or os.access(os.path.join(home, ".ray", "auth_token"), os.R_OK)


def temporary_folder() -> Path:
    """Make a folder for a Ray of our own: with a short name, whatever TMPDIR says, and with no other user's Ray in it.

    Raises:
        RunError: there is no place for it.
    """
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if parent.isascii() and len(parent) <= LONGEST_TEMPORARY:
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="rlgan-", dir=parent))
    raise RunError("Ray needs a folder with a short name that can be written, and /tmp can't: set TMPDIR to one")


@contextmanager
def _elsewhere(folder: Path) -> Iterator[None]:
    """Start or join Ray from another directory: it puts the current one before all others on the workers' path.

    There, a folder `envs/` of somebody's project would be taken for ours. What was typed as `module:object` and is
    found in the current directory travels by value.
    """
    # By a descriptor, which leads back also where the directory was renamed meanwhile.
    here = os.open(".", os.O_RDONLY)
    path = os.environ.get("PYTHONPATH")
    if path is not None:
        # Entries that are relative would mean something else from there.
        os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in path.split(os.pathsep))
    os.chdir(folder)
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        if path is not None:
            os.environ["PYTHONPATH"] = path


@contextmanager
def _signals_blocked_for_children() -> Iterator[None]:
    """Let processes that are started meanwhile, and those that they start, have the signals that ask to stop blocked.

    A scheduler, systemd and a terminal that is closed signal all processes of a job. Ray's servers would end first, and
    this process could not save any more. It ends them itself, by SIGKILL.
    """
    done = threading.Event()
    # Started before the signals are blocked here: they still reach this process, through that thread, and Python runs
    # the handlers in the main thread.
    threading.Thread(target=done.wait, daemon=True).start()
    # Not SIGINT, which Ray blocks itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set(STOP_SIGNALS) - {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        done.set()


@contextmanager
def _without_python_warnings() -> Iterator[None]:
    """Start Ray's processes without PYTHONWARNINGS, where `error` would end some of them."""
    given = os.environ.pop("PYTHONWARNINGS", None)
    try:
        yield
    finally:
        if given is not None:
            os.environ["PYTHONWARNINGS"] = given


def _kill_asked(processes: list[psutil.Process], done: threading.Event) -> None:
    """Kill processes once Ray asks them to end, by SIGTERM, which they have blocked: it would wait for them."""
    while not done.wait(0.05):
        kill([process for process in processes if pending(process, signal.SIGTERM)])


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which ray.init replaces for good.

    Ray's own, while it starts, leaves by SystemExit, without a word and with processes left behind. Ours does that in
    order, and says so.
    """
    terminate = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    try:
        yield
    except SystemExit:
        if main:
            signal.signal(signal.SIGTERM, terminate)
            signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        if main:
            signal.signal(signal.SIGTERM, terminate)


def _local_workers(run: EngineSettings, shards: int) -> int:
    fewest, most = run.fleet(shards)
    # One CPU is left for the learner, which computes while rollouts are made.
    return max(fewest, min(most, usable_cpus() - 1))
