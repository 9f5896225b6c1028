import numpy as np
import pytest

from rlgan.text.returns.discounted import discounted_q

EVERYWHERE = np.ones((5, 7), dtype=bool)


def test_a_reward_at_the_end_halves_on_the_way_back():
    rewards = np.array([[0, 0, 0, 8.0]], dtype=np.float32)
    np.testing.assert_array_equal(discounted_q(rewards, np.ones((1, 4), dtype=bool), discount=0.5), [[1, 2, 4, 8]])


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 1.0])
def test_q_is_the_papers_sum(discount):
    rewards = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    length = rewards.shape[1]
    due = [[sum(discount ** (j - t) * row[j] for j in range(t, length)) for t in range(length)] for row in rewards]
    np.testing.assert_allclose(discounted_q(rewards, EVERYWHERE, discount), due, rtol=1e-5)


def test_changing_one_sequences_rewards_changes_no_other_q():
    rewards = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    before = discounted_q(rewards, EVERYWHERE, 0.9)
    rewards[2] += 1
    after = discounted_q(rewards, EVERYWHERE, 0.9)
    np.testing.assert_array_equal(np.delete(before, 2, 0), np.delete(after, 2, 0))
    assert (after[2] > before[2]).all()
