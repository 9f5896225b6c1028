"""Recovery from the loss of a learner with its process or node: a new one continues from a checkpoint."""

from collections.abc import Callable
from typing import Protocol

from rlgan.errors import LearnerLostError, RunError
from rlgan.runs.checkpoints import Checkpoint, Checkpoints

# Learners that may fail in a row, none of which gets further than those before: more is no accident.
MAX_LEARNER_FAILURES = 5


class Attempt(Protocol):
    """Training from a checkpoint on, with one learner."""

    step: int
    """The step that it has come to."""

    def run(self) -> None:
        """Train to the end.

        Raises:
            LearnerLostError: the learner was lost.
        """
        ...


class Recovery:
    """Repeats training from the newest whole checkpoint for as long as learners are lost.

    Because a step is a pure function of the state before it, the result is that of a run whose learner was never lost.

    Args:
        restart_learner: puts a new learner, with fresh networks, in the place of the lost one.
        checkpoints: of the run.
        recipe_id: that a checkpoint must be of.
        say: tells a person a line.
    """

    def __init__(
        self, restart_learner: Callable[[], None], checkpoints: Checkpoints, recipe_id: str, say: Callable[[str], None]
    ) -> None:
        self._restart_learner = restart_learner
        self._checkpoints = checkpoints
        self._recipe_id = recipe_id
        self._say = say
        self._furthest_step = 0
        self._learner_failures = 0  # since a learner got beyond that step

    def run(self, begin: Callable[[Checkpoint | None], Attempt], start: Checkpoint | None) -> None:
        """Train to the end.

        Args:
            begin: gives an attempt from a checkpoint on, or from the beginning.
            start: what the first attempt begins with.

        Raises:
            RunError: the learner failed again and again without getting any further.
        """
        while True:
            attempt = begin(start)
            try:
                attempt.run()
                return
            except LearnerLostError as error:
                # The text alone: the error's frames would keep alive what was lost, and its memory.
                failure, step = str(error), attempt.step
            del attempt  # so does this, with weights and rollouts that nobody needs any more
            start = self._replace_learner(failure, step)

    def _replace_learner(self, failure: str, step: int) -> Checkpoint | None:
        """Start a new learner; return the checkpoint that it goes on from, None for the beginning."""
        self._count(failure, step)
        while True:
            self._say(f"{failure}; a new one is started")
            try:
                self._restart_learner()
                break
            except LearnerLostError as error:  # the new one as well
                failure = str(error)
                self._count(failure, step)
        # From the disk, because the run may have saved since the attempt began; and
        # checked, since it may have died while saving.
        start = self._checkpoints.set_aside_broken(self._say, self._recipe_id)
        self._say(f"The learner goes on from step {start.step if start else 0}; the result will be the same")
        return start

    def _count(self, failure: str, step: int) -> None:
        # To get further counts as success, so that a run of days may lose any number of learners.
        self._learner_failures = 1 if step > self._furthest_step else self._learner_failures + 1
        self._furthest_step = max(self._furthest_step, step)
        if self._learner_failures > MAX_LEARNER_FAILURES:
            raise RunError(
                f"{failure}. The learner failed {MAX_LEARNER_FAILURES} times without passing step "
                f"{self._furthest_step}; {self._checkpoints.survivor()}"
            )
