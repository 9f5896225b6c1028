"""How Ray's errors are read.

What `ray.get` raises tells three things apart. An exception in our own code arrives as RayTaskError, with the original
as its cause. If that cause is itself a RayError, the actor lives, but could not read an argument of the call. Any other
RayError means that the actor is gone, or what it made.
"""

from rlgan.engine.ray_environment import ray

from rlgan.engine.roster import Death
from rlgan.errors import LearnerLostError, RunError

RayError = ray.exceptions.RayError
ActorError = ray.exceptions.RayActorError
# ObjectLostError: a result was on a node that is gone, although the actor that is asked is fine.
ResultLostError = ray.exceptions.ObjectLostError
TaskError = ray.exceptions.RayTaskError
# Its node went before it started, and no other will do.
NodeLostError = ray.exceptions.ActorUnschedulableError

_PREFIX = "The actor is dead because "


def read_death(error: RayError) -> Death:
    """Return why an actor died, or could not start.

    Example:
        >>> read_death(ray.exceptions.OutOfMemoryError("the node was running low on memory"))
        Death(reason='the node was running low on memory', cannot_start=False)
    """
    return Death(death_reason(error), cannot_start(error))


def cannot_start(error: RayError) -> bool:
    """Return whether an actor died because it cannot start: its environment or its constructor failed.

    Example:
        >>> cannot_start(ray.exceptions.RuntimeEnvSetupError("numpy can't be installed"))
        True
        >>> cannot_start(ray.exceptions.OutOfMemoryError("the node was running low on memory"))  # another may
        False
    """
    if isinstance(error, ray.exceptions.RuntimeEnvSetupError):
        return True
    return isinstance(error, ActorError) and error.actor_init_failed


def death_reason(error: RayError) -> str:
    r"""Return what Ray says of a death, in some words. Ray's own message has many lines, of which one says why.

    Example:
        >>> message = "It died.\nThe actor is dead because its node has died. See the logs of the node."
        >>> death_reason(ray.exceptions.OutOfMemoryError(message))
        'its node has died'
    """
    lines = str(error).strip().splitlines()
    if cannot_start(error):
        return lines[-1]  # of a traceback: the exception
    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return "it cannot be reached"
    reason = next((line for line in lines if line.startswith(_PREFIX)), lines[0])
    return reason.removeprefix(_PREFIX).partition(". ")[0].removesuffix(".")


def is_death(error: BaseException | None) -> bool:
    """Return whether an error says that an actor is gone, and not that it raised an exception.

    Example:
        >>> is_death(ray.exceptions.OutOfMemoryError("the node was low on memory")), is_death(ValueError("a bug"))
        (True, False)
    """
    return isinstance(error, RayError) and not isinstance(error, TaskError)


def unread_argument(error: TaskError, worker: str, learner: str) -> RunError | None:
    """Return the error for a rollout worker that could not read an argument of its call; None if it was not that.

    Args:
        error: of the call.
        worker: whose call it was, for people.
        learner: whose weights it was to read, for people.
    """
    # The weights are a result of the learner's. If it died before it had made them, or its node went with them, the
    # learner's error arrives as that of the call which was to read them.
    if isinstance(error.cause, ResultLostError):
        return LearnerLostError(f"{learner} died: its weights are lost with its node")
    if isinstance(error.cause, ray.exceptions.ActorUnavailableError):
        return LearnerLostError(f"{learner} is lost: {death_reason(error.cause)}")
    if isinstance(error.cause, (ActorError, ray.exceptions.OutOfMemoryError)):
        return LearnerLostError(f"{learner} died: {death_reason(error.cause)}")
    if isinstance(error.cause, RayError):
        return RunError(f"{worker} failed: {death_reason(error.cause)}")
    return None
