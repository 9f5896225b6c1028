"""Standard output and error: what can't be shown is escaped, and what nobody reads is no fault of a run."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def escaping_streams() -> Iterator[None]:
    """Let both streams escape what their encoding does not have; a stream that is closed becomes one to nowhere."""
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:  # closed by `>&-`
                setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 it stays open
            elif isinstance(stream, io.TextIOWrapper):
                stack.callback(_set_errors, stream, stream.errors)
                _set_errors(stream, "backslashreplace")
        yield


@contextmanager
def unread_is_no_fault(stream: IO[str]) -> Iterator[None]:
    """Go on where something can't be printed, and print nothing more to that stream.

    Its reader has gone, as `head` does; its terminal was closed; or its disk is full, which is said where it can be.
    """
    try:
        yield
    except OSError as error:
        silence(stream)
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            with unread_is_no_fault(sys.stderr):
                print(f"rlgan: what is printed can't be written ({error}); the run goes on without", file=sys.stderr)


def say(line: str) -> None:
    """Print a line, at once, if there is somebody to read it."""
    with unread_is_no_fault(sys.stdout):
        print(line, flush=True)


def silence(stream: IO[str]) -> None:
    """Let all that is still written to a stream, its buffer too, go nowhere."""
    with suppress(OSError, ValueError):  # a stream in memory has no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _set_errors(stream: io.TextIOWrapper, errors: str | None) -> None:
    with suppress(OSError, ValueError):  # it also flushes, and the stream may be closed
        stream.reconfigure(errors=errors)
