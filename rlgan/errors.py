"""The errors that end in one line for the person who asked, and in an exit code."""


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
