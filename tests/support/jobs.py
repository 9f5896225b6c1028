"""What tests let processes of their own do: here, since those import it by its name."""

import os
import signal
import time
from pathlib import Path

from rlgan.errors import RunError
from rlgan.runs.signals import AGAIN, stopping


def say_and_end(code, send):
    send({"pid": os.getpid()})
    return code


def wait_for(file, deadline, send):
    send("waiting")
    while not Path(file).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return 0


def asked_twice(send):
    """Be asked to stop, and once more when a second request would have killed this process."""
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(AGAIN + 0.2)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)  # for the thread that would kill
    send(stop.reason)
    return 0


def half_of(item, tell):
    """Tell of the middle; what can't be halved fails, and more takes longer."""
    tell(0.5)
    if item is None:
        raise RunError("it has no half")
    time.sleep(item / 3)
    return item / 2
