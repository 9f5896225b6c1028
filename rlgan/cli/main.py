"""`rlgan COMMAND ...`: finds the command, and turns every failure into one line and an exit code."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from rlgan import __version__
from rlgan.errors import RunError, UsageError
from rlgan.settings import printable, resolve
from rlgan.task import TASKS, find_task

COMMANDS = {
    "train": "rlgan.cli.train:train",
    "evaluate": "rlgan.cli.evaluate:evaluate",
    "sample": "rlgan.cli.sample:sample",
    "reproduce": "rlgan.cli.reproduce:reproduce",
}
SUMMARIES = {
    "evaluate RUN": "measure a run's checkpoint, or those of several seeds",
    "sample RUN": "print or draw what a run's generator makes",
    "reproduce FIGURE": "draw a figure of the paper",
}


def help_text() -> str:
    """What `rlgan --help` prints."""
    tasks = {f"train {name}": find_task(name).summary for name in TASKS}
    lines = [f"  rlgan {words + ' ...':22}  {summary}" for words, summary in (tasks | SUMMARIES).items()]
    return "\n".join(
        [
            f"rlgan {__version__}: GANs for text, by reinforcement learning with Ray, for pictures and a Gaussian",
            "",
            *lines,
            "",
            "`rlgan COMMAND --help` lists what a command takes. `train` without a task trains on text.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after `rlgan`; by default those of this process.

    Returns:
        The exit code: 0, 2 for what makes no sense, 1 for what failed, 130 or 143 when interrupted or terminated
        before training.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(help_text())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"rlgan {__version__}")
        return 0
    terminated: list[int] = []
    try:
        if words[0] not in COMMANDS:
            raise UsageError(f"unknown command {words[0]!r}: give one of {', '.join(COMMANDS)}")
        with _terminable(terminated):
            # Imported by its name, so that one command does not wait for what the others import.
            resolve(words[0], COMMANDS)(words[1:])
    except UsageError as error:
        return _fail(error, 2)
    except BrokenPipeError:  # who read our output has gone, as `head` does: no fault, and nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (RunError, OSError) as error:
        return _fail(error, 1)
    except MemoryError as error:
        return _fail(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        return _fail("terminated", 143) if terminated else _fail("interrupted", 130)
    return 0


@contextlib.contextmanager
def _terminable(terminated: list[int]) -> Iterator[None]:
    """Let SIGTERM end this process as Ctrl-C does, in order, and note that it came."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread; in another one Python refuses handlers
        return

    def end(number: int, _: object) -> None:
        terminated.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(error: object, code: int) -> int:
    # One line in any case: what a library says may have several.
    line = " ".join(str(error).split())
    print(f"rlgan: error: {printable(line)}", file=sys.stderr)
    return code
