"""The errors that end in one line for the person who asked, and in an exit code."""

import re
import sys

# What torch raises as a RuntimeError where the CPU's memory does not suffice, and what numpy and torch wanted.
_CPU_ALLOCATOR = "can't allocate memory"
_WANTED = re.compile(r"allocate ([\d.]+) (\w+)")


class UsageError(ValueError):
    """What was asked for makes no sense; the message is one line for the person who asked. Exit code 2."""


class RunError(RuntimeError):
    """What was asked for can't be done here and now; the message is one line for the person who asked. Exit code 1."""


class LearnerLostError(RunError):
    """The learner, or what it gave out, died with its process or node: go on from a checkpoint with a new one."""


class DivergenceError(RunError):
    """A loss or a gradient is no longer finite; the message names the step and the term."""


class DataError(RunError):
    """Data that can't be used; the message is one line for the person who named it."""


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that this machine's memory does not suffice.

    Example:
        >>> is_lack_of_memory(MemoryError()), is_lack_of_memory(RuntimeError("you can't allocate memory"))
        (True, True)
        >>> is_lack_of_memory(RuntimeError("the shapes do not fit"))
        False
    """
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error))


def memory_in_use(error: BaseException) -> str:
    """What was asked for, as far as a lack of memory says it, and what this process had in use at most.

    Example:
        >>> memory_in_use(MemoryError("Unable to allocate 7.45 GiB for an array")).partition(", ")[0]
        '7.45 GiB were asked for'
    """
    import resource  # Windows has none, and this module is imported before that is said

    unit = 1 if sys.platform == "darwin" else 2**10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    in_use = f"{most / 2**30:.1f} GiB were in use at most"
    if (wanted := _WANTED.search(str(error))) is None:
        return in_use
    size = wanted[0].removeprefix("allocate ")
    if wanted[2] == "bytes":
        size = f"{int(wanted[1]) / 2**30:.2f} GiB"
    return f"{size} were asked for, {in_use}"
