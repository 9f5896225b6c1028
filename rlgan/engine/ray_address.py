"""RAY_ADDRESS as people set it: which forms Ray takes, and whether anybody answers there."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Literal

from rlgan.engine.processes import installed
from rlgan.errors import RunError

# Seconds for a cluster to answer; Ray itself would try for minutes.
ANSWER_LIMIT = 30
_HOST_AND_PORT = re.compile(r"(?:ray://)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/\[\]]+)):(?P<port>\d+)")
_DUE = "give HOST:PORT of the cluster's head, as 10.0.0.5:6379"
# In what Ray says, in capitals or not, where it is about authentication.
_OF_AUTHENTICATION = ("token", "authenticat")
# Without it Ray takes 127.0.0.1 for this machine's address to others, where such a cluster does not listen.
_ON_LOOPBACK = "; one that listens on loopback alone is joined with RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0"


def check_answers(address: str) -> None:
    """Check that a Ray answers at an address.

    Raises:
        RunError: the address is of another form, or no Ray answers within 30 s; the message says which.
    """
    if address == "auto":
        # Ray takes the address from a file, which a cluster that was killed has left behind.
        _check_health(address)
        return
    if address.startswith(("http://", "https://")):
        raise RunError(
            f"RAY_ADDRESS {address} is that of a job server: {_DUE}, or submit the run there by rlgan submit"
        )
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None:
        raise RunError(f"RAY_ADDRESS {address!r} is no address of a Ray: {_DUE}")
    try:
        host = match["six"] or match["host"]
        socket.create_connection((host, int(match["port"])), timeout=10).close()
    # OverflowError is what a port of so many digits raises that C has no integer for it.
    except (OSError, OverflowError) as error:
        raise RunError(f"Cannot join a Ray at {address}: {error}; {_DUE}") from error
    # At ray:// a server for clients listens, and not the one that the health check asks.
    if not address.startswith("ray://"):
        _check_health(address)


def on_cluster() -> bool:
    """Whether there is a Ray to use: at RAY_ADDRESS, or one that this process has joined."""
    if os.environ.get("RAY_ADDRESS") not in (None, "", "local"):
        return True
    # Not imported for this: where it was not yet, this process has joined none.
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def token_hint(said: str) -> str:
    """What to do, in brackets, where what Ray said is about its token; else nothing.

    Example:
        >>> token_hint("no route to host")
        ''
    """
    if not any(word in said.lower() for word in _OF_AUTHENTICATION):
        return ""
    return (
        " (set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH where the cluster's token is not in "
        "~/.ray/auth_token)"
    )


def check_token_file() -> None:
    """Check that the file of the token can be read, where one is named: Ray itself would end this process.

    Raises:
        RunError: it can't, or is empty.
    """
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if not path or os.environ.get("RAY_AUTH_TOKEN"):
        return
    try:
        empty = not Path(path).read_bytes().strip()
    except OSError as error:
        raise RunError(f"RAY_AUTH_TOKEN_PATH {path} can't be read: {error.strerror}; name the token's file") from error
    if empty:
        raise RunError(f"RAY_AUTH_TOKEN_PATH {path} is empty: name the file of the token")


def ask_head(address: str) -> Literal["answers", "refuses", "silent"]:
    """Whether somebody listens at HOST:PORT; `silent` where that can't be told."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except ConnectionRefusedError:
        return "refuses"
    except OSError:
        return "silent"
    return "answers"


def _check_health(address: str) -> None:
    # Something listens there. In a process of its own, because what Ray waits in can't be interrupted.
    command = [str(installed("ray")), "health-check", "--address", address]
    try:
        # Its exit code does not count, only that there is an answer: most of what is wrong ray.init says better. A
        # token that is refused it would try for 30 s, with lines of its own on standard error.
        said = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_LIMIT, check=False).stderr
    except subprocess.TimeoutExpired:
        loopback = address.startswith(("127.", "localhost:", "[::1]:")) or address == "auto"
        hint = _ON_LOOPBACK if loopback and "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ else ""
        raise RunError(
            f"Cannot join a Ray at {address}: no Ray answered there within {ANSWER_LIMIT} s; {_DUE}{hint}"
        ) from None
    except OSError:
        return  # no `ray` beside this Python: then Ray says what is wrong
    if "InvalidAuthToken" in said:
        raise RunError(f"Cannot join a Ray at {address}: it refuses the token of this process{token_hint(said)}")
