"""Attempts at a run whose learners are lost."""

import numpy as np
import pytest

from rlgan.errors import LearnerLostError, RunError
from rlgan.runs.checkpoints import Checkpoint, Checkpoints
from rlgan.runs.recovery import MAX_LEARNER_FAILURES, Recovery


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def _checkpoint(step, recipe_id="r"):
    tensors = {"a": np.full(2, step, np.float32)}
    return Checkpoint(step, {"generator": tensors, "discriminator": tensors}, recipe_id, 0.0)


class Attempt:
    """Gets to a step and then loses its learner, or ends where that step is None."""

    def __init__(self, start, reached):
        self.step, self.reached = start.step if start else 0, reached

    def run(self):
        if self.reached is not None:
            self.step = self.reached
            raise LearnerLostError(f"the learner died at step {self.step}")


@pytest.fixture
def recover(checkpoints):
    """Make attempts that get to these steps; gives from where each began, and what was said."""
    said = []

    def run(reached, restart=lambda: None):
        begun, left = [], list(reached)

        def begin(start):
            begun.append(start.step if start else None)
            return Attempt(start, left.pop(0))

        Recovery(restart, checkpoints, "r", said.append).run(begin, None)
        return begun

    run.said = said
    return run


def test_a_run_that_loses_no_learner_is_one_attempt(recover):
    assert recover([None]) == [None]
    assert recover.said == []


def test_without_a_checkpoint_a_new_learner_begins_anew_and_with_one_it_goes_on(recover, checkpoints):
    assert recover([3, None]) == [None, None]
    checkpoints.save(_checkpoint(2))
    assert recover([3, None]) == [None, 2]
    assert recover.said[-2:] == [
        "the learner died at step 3; a new one is started",
        "The learner goes on from step 2; the result will be the same",
    ]


def test_a_checkpoint_of_another_recipe_is_not_gone_on_from(recover, checkpoints):
    checkpoints.save(_checkpoint(2, "other"))
    assert recover([3, None]) == [None, None]


def test_learners_that_get_further_may_be_lost_without_end(recover):
    reached = range(1, 50)
    assert len(recover([*reached, None])) == 50


def test_learners_that_get_no_further_end_the_run(recover, checkpoints):
    checkpoints.save(_checkpoint(2))
    with pytest.raises(
        RunError,
        match=r"died at step 3\. The learner failed 5 times without passing step 4; the last whole .*/checkpoints/2",
    ):
        recover([4, *[3] * MAX_LEARNER_FAILURES])
    assert sum("a new one is started" in line for line in recover.said) == MAX_LEARNER_FAILURES


def test_a_new_learner_that_is_lost_at_its_start_is_replaced_too(recover):
    starts = iter([True, True, False])

    def restart():
        if next(starts):
            raise LearnerLostError("the new learner died")

    assert recover([3, None], restart) == [None, None]
    assert [line for line in recover.said if "started" in line] == [
        "the learner died at step 3; a new one is started", *["the new learner died; a new one is started"] * 2
    ]  # fmt: skip


def test_learners_that_never_start_end_the_run(recover):
    def restart():
        raise LearnerLostError("the new learner died")

    with pytest.raises(RunError, match="failed 5 times without passing step 3; no checkpoint exists yet"):
        recover([3], restart)
