import numpy as np
import pytest
import torch

from rlgan.text.controls import CONTROLS
from rlgan.text.controls.control import CONSTANT, find_control
from rlgan.text.controls.shuffled import to_other_sequences


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5)])
def test_a_control_gives_rewards_of_the_same_shape_that_are_0_where_no_token_was_chosen(name, shape):
    rng = np.random.default_rng(0)
    mask = np.arange(3) < [[3], [1], [2], [3]]
    if len(shape) == 3:
        mask = mask[..., None]
    rewards = (rng.random(shape, dtype=np.float32) + 1) * mask
    given = find_control(name).apply(rewards, mask, rng)
    assert (given.shape, given.dtype) == (shape, np.float32)
    assert (given[~np.broadcast_to(mask, shape)] == 0).all()


def test_a_constant_reward_needs_no_rewards():
    assert not CONSTANT.reads_rewards
    given = CONSTANT.apply(np.zeros((1, 3), np.float32), np.array([[True, True, False]]), np.random.default_rng(0))
    assert given.tolist() == [[1, 1, 0]]


def test_shuffled_rewards_of_all_tokens_go_to_other_tokens_the_same_at_every_place():
    rewards = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    given = find_control("shuffled").apply(rewards, np.ones((2, 3, 1), np.bool_), np.random.default_rng(1))
    first = given[0, 0].astype(int)
    assert sorted(first) == [0, 1, 2, 3]
    np.testing.assert_array_equal(given, rewards[..., first])


def test_a_shuffled_reward_is_in_expectation_the_mean_of_the_others():
    rewards = np.float32([[1.0, 7.0], [10.0, 7.0], [100.0, 7.0], [1000.0, 7.0]])
    mask = np.array([[True, False], [True, True], [True, False], [False, False]])
    rng = np.random.default_rng(0)
    given = np.array([to_other_sequences(rewards, mask, rng) for _ in range(4000)])
    np.testing.assert_allclose(given[:, :, 0].mean(axis=0), [55, 50.5, 5.5, 0], rtol=0.06)
    np.testing.assert_array_equal(given[:, :, 1], 0)
    for row in range(3):
        assert not (given[:, row, 0] == rewards[row, 0]).any()


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_does_to_tensors_what_it_does_to_arrays(name):
    rewards, mask = np.random.default_rng(0).random((2, 3, 5), dtype=np.float32), np.ones((2, 3, 1), np.bool_)
    due = find_control(name).apply(rewards, mask, np.random.default_rng(1))
    given = find_control(name).apply(torch.from_numpy(rewards), torch.from_numpy(mask), np.random.default_rng(1))
    assert torch.equal(given, torch.from_numpy(due))
