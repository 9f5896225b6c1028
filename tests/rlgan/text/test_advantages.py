"""From Q to what REINFORCE weighs each choice with."""

import numpy as np
import torch

from rlgan.text.advantages import Advantages, unit_variance
from rlgan.text.baselines.leave_one_out import leave_one_out_mean
from rlgan.text.baselines.none import NoBaseline


def test_unit_variance_makes_each_positions_mean_square_one():
    rng = np.random.default_rng(2)
    mask = rng.random((50, 4)) < 0.8
    advantages = (rng.standard_normal((50, 4)) * [1, 10, 100, 0] * mask).astype(np.float32)
    scaled = unit_variance(torch.from_numpy(advantages), torch.from_numpy(mask)).numpy()
    assert scaled.dtype == np.float32
    for t in range(3):
        np.testing.assert_allclose(np.mean(scaled[mask[:, t], t] ** 2), 1, rtol=1e-4)
    np.testing.assert_array_equal(scaled[:, 3], 0)


def test_equal_returns_leave_no_advantage_for_the_scaling_to_blow_up():
    q_values = torch.full((64, 3), 0.1) * 7
    mask = torch.ones(64, 3, dtype=torch.bool)
    assert (unit_variance(q_values - leave_one_out_mean(q_values, mask), mask) == 0).all()


def _weights(q_values, log_probs, behaviour, **changes):
    mask, states = torch.ones_like(q_values, dtype=torch.bool), torch.zeros(*q_values.shape, 2)
    baseline = NoBaseline(None, None, None)
    return Advantages(baseline, **changes).weights(q_values, mask, states, log_probs, behaviour)[0]


def test_choices_that_have_become_likelier_weigh_more_up_to_the_limit():
    q_values, now = torch.tensor([[2.0, 2.0, 2.0]]), torch.tensor([[0.5, 0.9, 0.1]]).log()
    before = torch.tensor([[0.25, 0.1, 0.2]]).log()
    torch.testing.assert_close(_weights(q_values, now, before), q_values)  # not asked for
    weighed = _weights(q_values, now, before, importance_limit=3.0)
    torch.testing.assert_close(weighed, torch.tensor([[4.0, 6.0, 1.0]]))


def test_normalised_advantages_are_corrected_for_the_lag_after_it():
    q_values, now = torch.tensor([[30.0], [-30.0]]), torch.tensor([[0.5], [0.5]]).log()
    weighed = _weights(q_values, now, torch.tensor([[0.25], [0.5]]).log(), normalise=True, importance_limit=3.0)
    torch.testing.assert_close(weighed, torch.tensor([[2.0], [-1.0]]))
