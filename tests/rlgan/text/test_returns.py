import numpy as np
import pytest

from rlgan.text.returns import discounted_q, mean_of_others, unit_variance


def test_a_reward_at_the_end_halves_on_the_way_back():
    rewards = np.array([[0, 0, 0, 8.0]], dtype=np.float32)
    np.testing.assert_array_equal(discounted_q(rewards, discount=0.5), [[1, 2, 4, 8]])


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 1.0])
def test_q_is_the_papers_sum(discount):
    rewards = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    length = rewards.shape[1]
    due = [[sum(discount ** (j - t) * row[j] for j in range(t, length)) for t in range(length)] for row in rewards]
    np.testing.assert_allclose(discounted_q(rewards, discount), due, rtol=1e-5)


def test_changing_one_sequences_rewards_changes_no_other_q():
    rewards = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    before = discounted_q(rewards, 0.9)
    rewards[2] += 1
    after = discounted_q(rewards, 0.9)
    np.testing.assert_array_equal(np.delete(before, 2, 0), np.delete(after, 2, 0))
    assert (after[2] > before[2]).all()


def test_the_baseline_is_the_mean_of_the_others_that_chose_a_token_there():
    generator = np.random.default_rng(1)
    mask = np.arange(6) < generator.integers(1, 7, size=(5, 1))
    q_values = (generator.random((5, 6), dtype=np.float32) * mask).astype(np.float32)
    baseline = mean_of_others(q_values, mask)
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
            advantages = (q_values - mean_of_others(q_values, np.ones((2, 1), np.bool_)))[:, 0]
            plain += p[a] * p[b] * (gradient[[a, b]] * q_values).mean(axis=0)
            with_baseline += p[a] * p[b] * (gradient[[a, b]] * advantages[:, None]).mean(axis=0)
    np.testing.assert_allclose(with_baseline, plain, atol=1e-6)


def test_unit_variance_makes_each_positions_mean_square_one():
    generator = np.random.default_rng(2)
    mask = generator.random((50, 4)) < 0.8
    advantages = (generator.standard_normal((50, 4)) * [1, 10, 100, 0] * mask).astype(np.float32)
    scaled = unit_variance(advantages, mask)
    assert scaled.dtype == np.float32
    for t in range(3):
        np.testing.assert_allclose(np.mean(scaled[mask[:, t], t] ** 2), 1, rtol=1e-4)
    np.testing.assert_array_equal(scaled[:, 3], 0)


def test_equal_returns_leave_no_advantage_for_the_scaling_to_blow_up():
    q_values = np.full((64, 3), np.float32(0.1) * 7)
    mask = np.ones((64, 3), np.bool_)
    np.testing.assert_array_equal(unit_variance(q_values - mean_of_others(q_values, mask), mask), 0)
