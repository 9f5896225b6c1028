"""Rollouts of step t are made with the weights after update max(t - lag, 0), and asked for `lag` steps ahead."""

import math
from itertools import chain

import numpy as np
import pytest

from rlgan.runs.lookahead import Lookahead
from rlgan.types import Plan, Weights

ADVERSARIAL, MLE = Plan(supervision=0.0, discriminator_steps=1), Plan(supervision=1.0, discriminator_steps=0)


def _weights(version):
    return Weights(version, {"a": np.full(2, version, np.float32)}, {})


class Learner:
    """A learner as `Lookahead` sees it: the references that it gives are named by their version."""

    def __init__(self):
        self.updates = self.copies = 0

    def weights(self):
        self.copies += 1
        return f"reference to {self.updates}"

    def put_weights(self, weights):
        return f"reference to {weights.version}"

    def get_weights(self, reference):
        return _weights(int(reference.removeprefix("reference to ")))


class Rollouts:
    """Notes what is asked for and what is waited for."""

    def __init__(self):
        self.requested, self.waited = [], []

    def request(self, weights, step, plan):
        assert (weights is None) == (plan.draws == 0)
        self.requested.append((step, weights))
        return f"rollouts of {step}"

    def wait(self, rollouts):
        self.waited.append(rollouts)


@pytest.fixture
def train():
    """Do steps as the training loop does, from `first` on; gives what was asked for before each update."""

    def run(lag, first, last, steps=math.inf, plan=lambda _: ADVERSARIAL, lagged=()):
        learner, rollouts = Learner(), Rollouts()
        lookahead = Lookahead(learner, rollouts, plan, lag, steps)
        lookahead.restore(lagged)
        learner.updates, asked = first, []
        for step in range(first, last):
            assert lookahead.rollouts(step) == f"rollouts of {step}" == rollouts.waited[-1]
            asked.append(rollouts.requested)
            rollouts.requested = []
            learner.updates += 1
        return asked, lookahead, learner

    return run


def test_without_lag_the_rollouts_of_a_step_are_by_the_weights_before_it(train):
    asked, lookahead, _ = train(0, 0, 3)
    assert asked == [[(step, f"reference to {step}")] for step in range(3)]
    assert lookahead.lagged(3) == []


def test_with_lag_the_first_steps_are_by_the_first_weights_and_each_update_asks_for_one_step_more(train):
    asked, lookahead, _ = train(2, 0, 4)
    zero = "reference to 0"
    assert asked == [[(0, zero), (1, zero), (2, zero)], [(3, "reference to 1")], [(4, "reference to 2")],
                     [(5, "reference to 3")]]  # fmt: skip
    assert [weights.version for weights in lookahead.lagged(4)] == [2, 3]


def test_a_resumed_run_asks_for_what_a_run_that_never_stopped_had_asked_for(train):
    straight, _, _ = train(2, 0, 6)
    asked, _, _ = train(2, 4, 6, lagged=[_weights(2), _weights(3)])
    assert [*chain(*asked)] == [
        (4, "reference to 2"),
        (5, "reference to 3"),
        (6, "reference to 4"),
        (7, "reference to 5"),
    ]
    assert {*chain(*asked)} <= {*chain(*straight)}


def test_nothing_is_asked_for_beyond_the_last_step(train):
    asked, _, _ = train(2, 0, 3, steps=3)
    assert [step for step, _ in [*chain(*asked)]] == [0, 1, 2]


def test_weights_that_make_no_rollout_are_not_copied(train):
    asked, _, learner = train(1, 0, 4, plan=lambda _: MLE)
    assert [*chain(*asked)] == [(step, None) for step in range(5)]
    assert learner.copies == 0
    # From step 4 on there are rollouts: with a lag of 1, those of step 4 are by the weights after update 3.
    _, lookahead, learner = train(1, 0, 5, plan=lambda step: MLE if step < 4 else ADVERSARIAL)
    assert learner.copies == 2
    assert [weights.version for weights in lookahead.lagged(5)] == [4]
