"""`rlgan COMMAND ...`: finds the command, and turns every failure into one line and an exit code."""

import atexit
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rlgan import __version__
from rlgan.cli.parsing import meant
from rlgan.errors import RunError, UsageError, is_lack_of_memory, memory_in_use
from rlgan.runs.streams import escaping_streams, silence, unread_is_no_fault
from rlgan.settings import printable, resolve
from rlgan.task import TASKS, find_task

COMMANDS = {
    "train": "rlgan.cli.train:train",
    "evaluate": "rlgan.cli.evaluate:evaluate",
    "sample": "rlgan.cli.sample:sample",
    "reproduce": "rlgan.cli.reproduce:reproduce",
    "serve-env": "rlgan.cli.serve_env:serve_env",
    "submit": "rlgan.cli.submit:submit",
    "cluster": "rlgan.cli.cluster:cluster",
    "completion": "rlgan.cli.completion:completion",
}
SUMMARIES = {
    "evaluate RUN": "measure a run's checkpoint, or those of several seeds",
    "sample RUN": "print or draw what a run's generator makes",
    "reproduce NAME": "draw a figure of the paper, or make a table of many runs",
    "serve-env RUN": "serve a run's discriminator as an environment, over HTTP and WebSocket (OpenEnv)",
    "submit -- train": "train as a job on a Ray cluster",
    "cluster N": "start a Ray cluster on this machine, to try things on",
    "completion SHELL": "print what completes words of rlgan in bash, zsh or fish",
}

# How a process that a signal ended before training says so.
WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


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
            "`rlgan COMMAND --help` lists what a command takes, `rlgan --version` says which version this is.",
            "`train` without a task trains on text.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after `rlgan`; by default those of this process.

    Returns:
        The exit code: 0, 2 for what makes no sense, 1 for what failed, 128 and the signal's number when a signal came
        before training (130 for Ctrl-C, 143 for SIGTERM).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with escaping_streams(), _libraries_undisturbed():
        code = _guarded(partial(_run, words))
    # The last to be registered is the first to be called: who interrupts while the libraries clear up ends the process.
    # Python's own handler would raise in whichever of them is at it, which shows a traceback and ends nothing.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return code


def process_main(work: Callable[[], int | None]) -> int:
    """Do some work in a process of its own as a command does it: a failure is one line and an exit code."""
    with escaping_streams(), _libraries_undisturbed():
        return _guarded(partial(_terminably, work))


def _run(words: list[str], ended_by: list[int]) -> int:
    if words[:1] == ["help"]:  # as with git: `rlgan help train`
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help"):
        print(help_text(), flush=True)
        return 0 if words else 2
    if words[0] in ("-V", "--version", "version"):
        print(f"rlgan {__version__}", flush=True)
        return 0
    command = words[0].lower()
    if command not in COMMANDS:
        near = meant(words[0], [*COMMANDS, "--version", "--help"])
        raise UsageError(f"unknown command {words[0]!r}{near or '.'} Give one of {', '.join(COMMANDS)}")
    if not _has_locks():
        raise RunError("rlgan needs Linux or macOS, whose locks this Python does not have (fcntl): on Windows, use WSL")
    try:
        os.getcwd()
    except FileNotFoundError:  # torch's mathematics would end this process with words of its own
        raise RunError("the current directory has been removed: change to one that is there") from None
    # Imported by its name, so that one command does not wait for what the others import.
    return _terminably(lambda: resolve(command, COMMANDS)(words[1:]), ended_by)


def _has_locks() -> bool:
    try:
        import fcntl  # noqa: F401 - Windows has none
    except ImportError:
        return False
    return True


def _terminably(work: Callable[[], int | None], ended_by: list[int]) -> int:
    with _terminable(ended_by):
        code = work() or 0
        sys.stdout.flush()  # here, where it is told if that fails
        return code


def _guarded(work: Callable[[list[int]], int]) -> int:
    ended_by: list[int] = []
    try:
        return work(ended_by)
    except UsageError as error:
        return _fail(error, 2)
    except BrokenPipeError:  # who read our output has gone, as `head` does: no fault, and nobody to tell
        silence(sys.stdout)
    except (RunError, OSError) as error:
        if isinstance(error, OSError):
            silence(sys.stdout)  # it may be what failed, and would fail again when this process ends
        return _fail(error, 1)
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        return _fail(
            f"not enough memory: {memory_in_use(error)}; give a smaller --batch-size, smaller networks or less data", 1
        )
    except KeyboardInterrupt:
        number = next(iter(ended_by), signal.SIGINT)
        return _fail(WORDS.get(number, f"ended by {signal.Signals(number).name}"), 128 + number)
    return 0


@contextlib.contextmanager
def _libraries_undisturbed() -> Iterator[None]:
    """Take out of the environment what libraries read when they are loaded, and what is wrong for a command.

    MPLBACKEND: a notebook's window for figures, in every command that is typed there; matplotlib fails where this
    Python does not have it, and our figures go to files. OMP_DYNAMIC, OMP_THREAD_LIMIT: OpenMP may then give fewer
    threads than it is asked for, and oneDNN waits for the others for ever; the threads of a run are a setting of it.
    """
    names = ("MPLBACKEND", "OMP_DYNAMIC", "OMP_THREAD_LIMIT")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


@contextlib.contextmanager
def _terminable(ended_by: list[int]) -> Iterator[None]:
    """Let every signal that asks to stop end this process as Ctrl-C does, in order, and note which it was."""
    from rlgan.runs.signals import handled_signals, is_repetition, restored

    begun: list[float] = []

    def end(number: int, _: object) -> None:
        if begun and is_repetition(ended_by[0], number, time.monotonic() - begun[0]):
            return  # what is in progress, ending, must not be interrupted
        begun.append(time.monotonic())
        # Beside the exception, which is that of Ctrl-C whatever the signal was: the exit code has to name the signal.
        ended_by.append(number)
        raise KeyboardInterrupt

    with restored():
        for number in handled_signals():
            signal.signal(number, end)
        yield


def _fail(error: object, code: int) -> int:
    # One line in any case: what a library says may have several.
    line = " ".join(str(error).split())
    with unread_is_no_fault(sys.stderr):
        print(f"rlgan: error: {printable(line)}", file=sys.stderr, flush=True)
    return code
