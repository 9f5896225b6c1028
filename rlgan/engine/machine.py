"""What a Ray of our own needs of this machine: without it, Ray hangs, or ends with a traceback."""

import os
import resource
import shutil
import socket
from contextlib import suppress

import psutil

from rlgan.errors import RunError

# Threads of Ray's servers and of its part in this process, and of an actor: seen with one worker and with three, on 2
# CPUs. With more CPUs there are more of them, so that these are the fewest.
OF_SERVERS = 175
OF_ACTOR = 24


def check_machine(actors: int) -> None:
    """Check that Ray can be started here.

    Args:
        actors: how many will be.

    Raises:
        RunError: it can't.
    """
    _check_loopback()
    _check_process_limit(actors)


def small_shared_memory(store_bytes: float) -> str | None:
    """Say that Ray keeps its objects on a disk, because they would not fit into shared memory.

    Args:
        store_bytes: of Ray's object store.

    Example:
        >>> from unittest import mock
        >>> with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=64 * 2**20)):
        ...     small_shared_memory(2**30).partition(",")[0], small_shared_memory(2**20)
        ("/dev/shm has 64 MiB free and Ray's object store 1024 MiB", None)
    """
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        return None  # without it Ray does not start, and says so
    if free >= store_bytes:
        return None
    return (
        f"/dev/shm has {free / 2**20:.0f} MiB free and Ray's object store {store_bytes / 2**20:.0f} MiB, so that Ray "
        "keeps it on a disk, which is slower; a container gets more by --shm-size"
    )


def _check_loopback() -> None:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=10).close()
    except OSError as error:
        raise RunError(
            f"Ray's processes speak to each other by 127.0.0.1, which does not work here ({error}): bring the loopback "
            "interface up, as by `ip link set lo up`; --workers 0 trains without Ray"
        ) from error


def _check_process_limit(actors: int) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    # It does not hold for the superuser.
    if limit == resource.RLIM_INFINITY or os.getuid() == 0:
        return
    used, needed = _threads_of_user(), OF_SERVERS + actors * OF_ACTOR
    if used + needed > limit:
        raise RunError(
            f"This user may have {limit} processes and threads (ulimit -u) and has {used}; Ray with {actors} actors "
            f"takes {needed} more at least: raise the limit, or train with --workers 0, without Ray"
        )


def _threads_of_user() -> int:
    threads = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it may have ended meanwhile
            if process.uids().real == os.getuid():
                threads += process.num_threads()
    return threads
