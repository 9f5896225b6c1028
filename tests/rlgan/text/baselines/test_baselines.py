"""Each baseline against its definition."""

import numpy as np
import pytest
import torch
from torch import nn

from rlgan.learning.group import ALONE
from rlgan.settings import updated
from rlgan.text.baselines import BASELINES
from rlgan.text.baselines.baseline import make_baseline
from rlgan.text.baselines.leave_one_out import leave_one_out_mean
from rlgan.text.baselines.moving_average import MovingAverage
from rlgan.text.models.core import TextNetworks
from rlgan.text.settings import BaselineSettings

NETWORKS = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)


@pytest.fixture
def batch():
    """Q, mask and states of four sequences of three tokens, one of which ends early."""
    rng = np.random.default_rng(0)
    mask = torch.tensor([[True] * 3, [True, True, False], [True] * 3, [True] * 3])
    q_values = torch.from_numpy(rng.random((4, 3), dtype=np.float32)) * mask
    return q_values, mask, torch.from_numpy(rng.random((4, 3, 5), dtype=np.float32))


def _made(name, **changes):
    torch.manual_seed(0)
    return make_baseline(updated(BaselineSettings(), {"baseline": name} | changes), NETWORKS, ALONE)


@pytest.mark.parametrize("name", BASELINES)
def test_advantages_are_0_where_no_token_was_chosen_and_carry_no_gradient(batch, name):
    baseline = _made(name)
    for _ in range(2):
        advantages, loss = baseline.advantage(*batch)
        assert (advantages.shape, advantages.dtype) == ((4, 3), torch.float32)
        assert advantages[1, 2] == 0
        assert not advantages.requires_grad
        assert (loss is not None) == (isinstance(baseline, nn.Module) and any(True for _ in baseline.parameters()))


def test_without_a_baseline_the_advantage_is_q(batch):
    advantages, loss = _made("none").advantage(*batch)
    assert torch.equal(advantages, batch[0])
    assert loss is None


def test_leave_one_out_subtracts_the_mean_of_the_others(batch):
    q_values, mask, _ = batch
    advantages, _ = _made("leave_one_out").advantage(*batch)
    due = q_values[0, 2] - (q_values[2, 2] + q_values[3, 2]) / 2  # the second sequence has ended
    assert float(advantages[0, 2]) == pytest.approx(float(due), abs=1e-6)
    assert mask[:, 2].tolist() == [True, False, True, True]


@pytest.mark.parametrize(("name", "per_position"), [("moving_average", False), ("per_position", True)])
def test_a_moving_baseline_is_the_weighed_mean_of_the_steps_before(batch, name, per_position):
    q_values, mask, states = batch
    baseline = _made(name, baseline_decay=0.75)
    first, _ = baseline.advantage(q_values, mask, states)
    assert torch.equal(first, q_values)  # nothing came before
    baseline.advantage(2 * q_values, mask, states)
    third, _ = baseline.advantage(q_values, mask, states)
    mean = q_values.sum(dim=0) / mask.sum(dim=0) if per_position else q_values.sum() / mask.sum()
    # Means m and 2 m with weights .25 * .75 and .25, which add up to .4375.
    due = (q_values - mean * (0.25 * 0.75 + 2 * 0.25) / 0.4375) * mask
    torch.testing.assert_close(third, due, atol=1e-5, rtol=0)


def test_a_position_where_nothing_counts_keeps_its_mean():
    baseline = MovingAverage(2, 0.5, ALONE)
    values = torch.tensor([[3.0, 5.0], [1.0, 9.0]])
    baseline.update(values, torch.ones(2, 2, dtype=torch.bool))
    baseline.update(2 * values, torch.tensor([[True, False], [False, False]]))
    # 2, then 6: (2 * .25 + 6 * .5) / .75; 7 and nothing.
    torch.testing.assert_close(baseline(), torch.tensor([3.5 / 0.75, 7.0]))


def test_the_learned_baseline_is_a_linear_function_of_the_state_and_its_loss_the_squared_error(batch):
    q_values, mask, states = batch
    baseline = _made("learned")
    advantages, loss = baseline.advantage(q_values, mask, states)
    weight, bias = baseline.parameters()
    values = (states @ weight[0] + bias).detach()
    torch.testing.assert_close(advantages, (q_values - values) * mask)
    assert loss.item() == pytest.approx(float(((values - q_values)[mask] ** 2).mean()), rel=1e-5)
    assert all(float(gradient.abs().max()) > 0 for gradient in torch.autograd.grad(loss, [weight, bias]))


def test_the_baseline_is_the_mean_of_the_others_that_chose_a_token_there():
    rng = np.random.default_rng(1)
    mask = np.arange(6) < rng.integers(1, 7, size=(5, 1))
    q_values = (rng.random((5, 6), dtype=np.float32) * mask).astype(np.float32)
    baseline = leave_one_out_mean(torch.from_numpy(q_values), torch.from_numpy(mask)).numpy()
    assert baseline.dtype == np.float32
    for i in range(5):
        for t in range(6):
            others = [q_values[j, t] for j in range(5) if j != i and mask[j, t]]
            # Where it chose no token itself, nothing is taken off anything.
            if mask[i, t]:
                np.testing.assert_allclose(baseline[i, t], np.mean(others) if others else q_values[i, t], rtol=1e-5)


def test_the_baseline_adds_no_bias():
    """Its mean product with the score function is 0: of a two-armed choice, by enumeration of all pairs."""
    p, worth = np.array([0.3, 0.7]), np.array([2.0, 5.0], dtype=np.float32)
    gradient = np.eye(2) - p  # of log p(arm) by the logits
    plain, with_baseline = np.zeros(2), np.zeros(2)
    for a in range(2):
        for b in range(2):
            q_values = worth[[a, b]][:, None]
            mean = leave_one_out_mean(torch.from_numpy(q_values), torch.ones(2, 1, dtype=torch.bool))
            advantages = (q_values - mean.numpy())[:, 0]
            plain += p[a] * p[b] * (gradient[[a, b]] * q_values).mean(axis=0)
            with_baseline += p[a] * p[b] * (gradient[[a, b]] * advantages[:, None]).mean(axis=0)
    np.testing.assert_allclose(with_baseline, plain, atol=1e-6)
