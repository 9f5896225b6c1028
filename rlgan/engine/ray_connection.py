"""Starts a Ray of our own on this machine, or joins the one at RAY_ADDRESS; and leaves it again."""

import logging
import math
import os
import signal
import socket
import threading

from rlgan.engine.ray_environment import ATTACHED, ray, set_variables

from rlgan.engine.failures import RayError
from rlgan.engine.processes import family, kill
from rlgan.engine.settings import EngineSettings
from rlgan.errors import RunError


def connect(run: EngineSettings, shards: int) -> None:
    """Start or join a Ray.

    Args:
        run: what it must have room for, if it is started.
        shards: how many shards a batch of rollouts has.

    Raises:
        RunError: there is none at the address, or it refuses.
    """
    terminate = signal.getsignal(signal.SIGTERM)
    # Ray's own processes read them too, each time that they are started.
    set_variables()
    try:
        if ATTACHED:
            _check_listening(os.environ["RAY_ADDRESS"])
            ray.init(logging_level=logging.ERROR)
        else:
            # Never without an address: it would join whatever cluster it finds on this machine.
            ray.init(
                address="local",
                num_cpus=_local_cpus(run, shards),
                include_dashboard=False,
                logging_level=logging.ERROR,
            )
    # RuntimeError: the cluster has other versions of Ray or Python. RayError: it asks for a token, or for another one.
    except (OSError, ValueError, RuntimeError, RayError) as error:
        address = os.environ.get("RAY_ADDRESS", "local")
        raise RunError(
            f"Cannot join a Ray at {address}: {' '.join(str(error).split())} (if it asks for a token, set "
            "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH where the token is not in ~/.ray)"
        ) from error
    except SystemExit:
        # Ray's handler of SIGTERM, while it starts, leaves by SystemExit, without a word and with processes left
        # behind. Ours does that in order, and says so.
        signal.signal(signal.SIGTERM, terminate)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        # ray.init installs the same handler for good.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate)


def disconnect() -> None:
    """Leave an attached Ray, which ends our actors; end a Ray of our own with all its processes."""
    ours = [] if ATTACHED else family()
    try:
        ray.shutdown()
    finally:
        # Where Ray does not end in order, some of its processes would stay for a minute.
        kill(ours)


def _local_cpus(run: EngineSettings, shards: int) -> int:
    fewest, most = run.fleet(shards)
    workers = max(fewest, min(most, (os.cpu_count() or 1) - 1))
    return math.ceil(run.learners * run.learner_cpus + workers * run.worker_cpus)


def _check_listening(address: str) -> None:
    """Raise OSError within seconds if no process listens at an address; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()
