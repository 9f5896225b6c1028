import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import NormalizeReward
from gymnasium.wrappers.vector import NormalizeReward as NormalizeRewardVector

from envs import (
    REWARD_RULES,
    DiscriminatorReward,
    DiscriminatorRewardVector,
    TerminalReward,
    TerminalRewardVector,
    TextGenerationEnv,
    TextGenerationVectorEnv,
    limited,
    potential,
)

LOG_ODDS = np.array([0.5, -1.0, 2.0, 0.25, -3.0], np.float32)


class ByPlace:
    """The log-odds of a text are those of its length."""

    def start(self, count):
        return (np.zeros(count, np.int64),)

    def score(self, state, _tokens, /):
        return (state[0] + 1,), LOG_ODDS[state[0]]


def single(rule, stop_token=None):
    return DiscriminatorReward(TextGenerationEnv(9, 5, stop_token), ByPlace(), rule)


def episode(env, actions, prefix=()):
    env.reset(options={"prefix": prefix})
    return [env.step(action)[1] for action in actions]


@pytest.mark.parametrize("rule", [*REWARD_RULES, limited("log_odds", 1.0)])
def test_the_sum_of_a_potential_telescopes(rule):
    rewards = episode(single(potential(rule)), [1, 2, 3, 4, 5])
    function = REWARD_RULES[rule] if isinstance(rule, str) else rule
    zero = np.zeros(1, np.float32)
    due = function(LOG_ODDS[-1:], zero) - function(zero, zero)
    assert sum(rewards) == pytest.approx(due[0], abs=1e-5)
    assert len(set(rewards)) == 5


def test_a_potential_begins_at_the_prefix():
    rewards = episode(single(potential("log_odds")), [1, 2], prefix=[1, 2])
    np.testing.assert_allclose(rewards, [2 - -1, 0.25 - 2])


@pytest.mark.parametrize("like", [np.asarray, torch.tensor])
def test_a_discounted_potential_telescopes_with_the_same_discount(like):
    after, before = like(LOG_ODDS.tolist()), like([0.0, *LOG_ODDS[:-1].tolist()])
    rewards = np.asarray(potential("centred", 0.9)(after, before))
    discounted = sum(0.9**place * reward for place, reward in enumerate(rewards))
    assert discounted == pytest.approx(0.9**5 * np.tanh(-1.5), abs=1e-6)


@pytest.mark.parametrize("discount", [-0.1, 1.1])
def test_a_discount_is_in_its_range(discount):
    with pytest.raises(ValueError, match=r"discount .* is not in"):
        potential("log_odds", discount)


def test_a_terminal_reward_is_that_of_the_last_token():
    env = TerminalReward(single("log_odds", stop_token=0))
    assert episode(env, [1, 2, 3, 4, 5]) == [0, 0, 0, 0, -3]
    assert episode(env, [1, 0]) == [0, -1]
    assert env.step(1)[1] == 0
    assert {type(reward) for reward in episode(env, [1, 0])} == {float}


@pytest.mark.parametrize("mode", AutoresetMode)
def test_terminal_rewards_of_vectors_equal_a_loop_of_singles(mode):
    theirs = SyncVectorEnv([lambda: TerminalReward(single("log_odds", 0))] * 3, autoreset_mode=mode)
    plain = TextGenerationVectorEnv(3, 9, 5, 0, autoreset_mode=mode)
    ours = TerminalRewardVector(DiscriminatorRewardVector(plain, ByPlace(), "log_odds"))
    for env in (ours, theirs):
        env.reset()
    rng = np.random.default_rng(0)
    paid = 0
    for _ in range(30):
        actions = rng.integers(3, size=3)
        our, their = ours.step(actions), theirs.step(actions)
        np.testing.assert_allclose(our[1], their[1], atol=1e-6)
        assert (our[1][~our[2]] == 0).all()
        paid += (our[1] != 0).sum()
        if mode is AutoresetMode.DISABLED and our[2].any():
            for env in (ours, theirs):
                env.reset(options={"reset_mask": our[2].copy()})
    assert paid > 10


def test_rewards_are_normalised_by_gymnasiums_own_wrapper():
    plain = single("log_odds")
    env = NormalizeReward(single("log_odds"), gamma=0.9)
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        for wrapped in (plain, env):
            wrapped.reset()
        ratios.extend(env.step(action)[1] / plain.step(action)[1] for action in rng.integers(9, size=5))
    # A running standard deviation of the discounted returns, which settles.
    assert all(ratio > 0 for ratio in ratios)
    assert np.ptp(ratios[-20:]) < 0.01 < np.ptp(ratios)


def test_rewards_of_vectors_are_normalised_by_gymnasiums_own_wrapper():
    plain = TextGenerationVectorEnv(3, 9, 5, 0)
    env = NormalizeRewardVector(DiscriminatorRewardVector(plain, ByPlace(), "log_odds"), gamma=0.9)
    env.reset()
    rng = np.random.default_rng(0)
    rewards = np.array([env.step(rng.integers(9, size=3))[1] for _ in range(200)])
    assert np.isfinite(rewards).all()
    assert 0.2 < rewards[100:].std() < 2
