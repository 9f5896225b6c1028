import math
import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs import (
    DiscriminatorReward,
    DiscriminatorRewardVector,
    TextGenerationEnv,
    TextGenerationVectorEnv,
)


class TinyNet:
    """A random recurrent net; its log-odds depend on the order of all tokens so far, and on their number."""

    def __init__(self, vocab_size=5, width=4):
        rng = np.random.default_rng(7)
        self.embedding = rng.normal(size=(vocab_size, width)).astype(np.float32)
        self.recurrent = rng.normal(size=(width, width)).astype(np.float32)
        self.readout = rng.normal(size=width).astype(np.float32)
        self.batches = []

    def start(self, count):
        return np.full((count, len(self.readout)), 0.5, np.float32), np.zeros(count, np.int64)

    def score(self, state, tokens, /):
        assert tokens.dtype == np.int64
        assert ((tokens >= 0) & (tokens < len(self.embedding))).all()
        self.batches.append(len(tokens))
        hidden, seen = state
        hidden = np.tanh(hidden @ self.recurrent + self.embedding[tokens])
        return (hidden, seen + 1), (hidden @ self.readout + 0.1 * seen).astype(np.float32)


class Returns:
    """A scorer whose state and scores are as given."""

    def __init__(self, scores, state=(), later=None):
        self.scores = scores
        self.state = state
        self.later = state if later is None else later

    def start(self, _count):
        return self.state

    def score(self, _state, _tokens, /):
        return self.later, self.scores


def log_odds(tokens):
    """The log-odds of one text after each of its tokens, read from the beginning."""
    net = TinyNet()
    state = net.start(1)
    scores = []
    for token in tokens:
        state, score = net.score(state, np.array([token]))
        scores.append(score[0])
    return scores


def vector(count=3, mode="Disabled", rule="log_odds", **kwargs):
    env = TextGenerationVectorEnv(count, **({"vocab_size": 5, "max_length": 4} | kwargs), autoreset_mode=mode)
    return DiscriminatorRewardVector(env, TinyNet(), rule)


@pytest.mark.parametrize("prefix", [[], [2, 0]])
def test_the_token_ratio_compares_with_the_text_before(prefix):
    env = DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=6), TinyNet(), "token_ratio")
    for _ in range(2):  # a page that was full leaves nothing behind
        env.reset(options={"prefix": prefix})
        rewards = [env.step(token)[1] for token in (1, 4, 0)]
        scores = log_odds([*prefix, 1, 4, 0])
        before = [0.0, *scores][len(prefix) : -1]
        due = np.exp(np.subtract(scores[len(prefix) :], before)).clip(max=np.exp(2))
        np.testing.assert_allclose(rewards, due, rtol=1e-5)


def test_each_step_is_rewarded_by_the_text_so_far():
    env = DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=4), TinyNet())
    env.reset()
    rewards = [env.step(token)[1] for token in (1, 4, 0, 0)]
    np.testing.assert_allclose(rewards, [1 / (1 + math.exp(-x)) for x in log_odds([1, 4, 0, 0])], rtol=1e-5)
    assert {type(reward) for reward in rewards} == {float}


def test_the_reward_is_added_to_the_environments_own():
    env = gymnasium.wrappers.TransformReward(TextGenerationEnv(vocab_size=5, max_length=4), lambda reward: reward + 10)
    wrapped = DiscriminatorReward(env, TinyNet(), "log_odds")
    wrapped.reset()
    assert wrapped.step(3)[1] == pytest.approx(10 + log_odds([3])[0])


@pytest.mark.parametrize("stop_token", [None, 2])
def test_gymnasium_finds_no_fault_in_the_wrapped_environment(stop_token):
    env = gymnasium.make("envs:rlgan/TextGeneration-v0", vocab_size=5, max_length=4, stop_token=stop_token)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # It is wrapped, that is the point here.
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version")
        check_env(DiscriminatorReward(env, TinyNet()))


def test_the_spec_makes_the_wrapped_environment_again():
    net = TinyNet()
    made = gymnasium.make("envs:rlgan/TextGeneration-v0", vocab_size=5, max_length=4)
    again = DiscriminatorReward(made, net, "log_odds").spec.make()
    again.reset()
    assert again.step(3)[1] == pytest.approx(log_odds([3])[0])
    assert len(net.batches) == 1


@pytest.mark.parametrize("stop_token", [None, 2])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_vector_wrapper_equals_a_loop_of_wrapped_singles(mode, stop_token):
    kwargs = {"vocab_size": 5, "max_length": 4, "stop_token": stop_token}
    singles = [lambda: DiscriminatorReward(TextGenerationEnv(**kwargs), TinyNet())] * 6
    theirs = SyncVectorEnv(singles, autoreset_mode=mode)
    plain = SyncVectorEnv([lambda: TextGenerationEnv(**kwargs)] * 6, autoreset_mode=mode)
    ours = [vector(6, mode, "probability", stop_token=stop_token), DiscriminatorRewardVector(plain, TinyNet())]
    staggered = {"reset_mask": np.arange(6) % 2 == 0, "prefix": [1, 3]}
    for env in (theirs, *ours):
        env.reset(seed=3)
        env.reset(options=dict(staggered))
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(60):
        actions = rng.integers(5, size=6)
        due = theirs.step(actions)
        for env in ours:
            got = env.step(actions)
            np.testing.assert_array_equal(got[0], due[0])
            np.testing.assert_allclose(got[1], due[1], atol=1e-5)
            assert got[1].dtype == due[1].dtype
            np.testing.assert_array_equal(got[2], due[2])
            assert got[4].keys() == due[4].keys()
        endings += due[2].sum()
        if mode is AutoresetMode.DISABLED and due[2].any():
            for env in (theirs, *ours):
                env.reset(options={"reset_mask": due[2], "prefix": [4]})
    assert endings > 50


def test_a_reset_step_earns_nothing_and_the_next_text_starts_fresh():
    env = vector(2, "NextStep", stop_token=2)
    env.reset()
    steps = [env.step(actions)[1] for actions in ([2, 1], [4, 1], [3, 1])]
    first, second = log_odds([2]), log_odds([3])
    np.testing.assert_allclose([rewards[0] for rewards in steps], [first[0], 0, second[0]], atol=1e-5)
    np.testing.assert_allclose([rewards[1] for rewards in steps], log_odds([1, 1, 1]), atol=1e-5)
    assert steps[1][0] == 0


def test_a_final_token_is_rewarded_in_the_step_that_resets():
    env = vector(2, "SameStep", stop_token=2)
    env.reset()
    steps = [env.step(actions)[1] for actions in ([1, 1], [2, 1], [3, 1])]
    np.testing.assert_allclose([rewards[0] for rewards in steps], [*log_odds([1, 2]), *log_odds([3])], atol=1e-5)
    np.testing.assert_allclose([rewards[1] for rewards in steps], log_odds([1, 1, 1]), atol=1e-5)


def test_an_ended_page_earns_exactly_nothing():
    env = vector(2, stop_token=2)
    env.reset()
    env.step([2, 1])
    # What stands in an ended row is not read: the blank that a policy may put there least of all.
    rewards = env.step([5, 1])[1]
    assert rewards[0] == 0
    assert rewards[1] == pytest.approx(log_odds([1, 1])[1])


def test_an_ended_single_page_earns_exactly_nothing():
    env = DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=1), TinyNet())
    env.reset()
    assert env.step(1)[1] > 0
    assert env.step(1)[1] == 0
    env.reset()
    assert env.step(1)[1] > 0


def test_the_scorer_is_not_asked_when_no_page_takes_a_token():
    net = TinyNet()
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(2, 5, 1, autoreset_mode="Disabled"), net)
    env.reset()
    env.step([1, 1])
    env.step([1, 1])
    assert len(net.batches) == 1


def test_the_scorer_always_reads_all_rows_at_once():
    net = TinyNet()
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(3, 5, 4, stop_token=2, autoreset_mode="Disabled"), net)
    env.reset()
    env.step([2, 1, 1])
    env.step([0, 1, 1])
    env.reset(options={"reset_mask": np.array([True, False, False]), "prefix": [1]})
    assert net.batches == [3, 3, 3]


@pytest.mark.parametrize("mode", AutoresetMode)
def test_one_token_more_is_one_call_more(mode):
    net = TinyNet()
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(2, 5, 30, autoreset_mode=mode), net)
    env.reset()
    for _ in range(30):
        env.step([1, 1])
    assert len(net.batches) == 30


def test_the_scorer_reads_a_prefix_without_reward():
    env = DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=4), TinyNet(), "log_odds")
    env.reset(options={"prefix": [1, 3]})
    assert env.step(4)[1] == pytest.approx(log_odds([1, 3, 4])[2], abs=1e-6)
    env.reset()
    assert env.step(4)[1] == pytest.approx(log_odds([4])[0], abs=1e-6)


@pytest.mark.parametrize("prefix", [[1, 3], [[1, 3], [0, 0], [3, 1]], [[], [], []]])
def test_the_vector_scorer_reads_one_prefix_for_all_or_one_for_each(prefix):
    env = vector()
    env.reset(options={"prefix": prefix})
    due = [log_odds([*row, 4])[-1] for row in np.broadcast_to(prefix, (3, np.shape(prefix)[-1])).astype(int)]
    np.testing.assert_allclose(env.step([4, 4, 4])[1], due, atol=1e-5)


def test_a_masked_reset_leaves_the_other_readings_alone():
    env = vector(stop_token=2)
    env.reset()
    env.step([2, 1, 1])
    env.reset(options={"reset_mask": [True, True, False], "prefix": np.array([[3], [4], [5]])})
    due = [log_odds([3, 0])[1], log_odds([4, 0])[1], log_odds([1, 0])[1]]
    np.testing.assert_allclose(env.step([0, 0, 0])[1], due, atol=1e-5)


def test_a_refused_action_reads_nothing():
    env = vector()
    env.reset()
    with pytest.raises(ValueError, match="action"):
        env.step([9, 1, 1])
    np.testing.assert_allclose(env.step([1, 1, 1])[1], [log_odds([1])[0]] * 3, atol=1e-5)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_tokens_of_one_text_change_no_reward_of_another(mode):
    rng = np.random.default_rng(0)
    actions = rng.integers(5, size=(12, 4))
    changed = actions.copy()
    changed[:, 1] = rng.integers(5, size=12)
    played = []
    for tokens in (actions, changed):
        env = vector(4, mode, stop_token=2)
        env.reset()
        played.append(np.array([env.step(row)[1] for row in tokens]))
    np.testing.assert_array_equal(np.delete(played[0], 1, axis=1), np.delete(played[1], 1, axis=1))
    assert (played[0][:, 1] != played[1][:, 1]).any()


@pytest.mark.parametrize("scores", [np.zeros((3, 1), np.float32), np.zeros(1, np.float32), np.float32(0)])
def test_a_scorer_that_returns_another_shape_is_told_so(scores):
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(3, 5, 4), Returns(scores))
    env.reset()
    with pytest.raises(ValueError, match=r"scorer returned .*, not \(3,\): give one score for each sequence"):
        env.step([1, 1, 1])


def test_a_scorer_whose_state_has_no_row_for_each_text_is_told_so():
    with pytest.raises(ValueError, match=r"state has shape \(2, 4\), not \(3, ...\)"):
        DiscriminatorRewardVector(TextGenerationVectorEnv(3, 5, 4), Returns(np.zeros(3), (np.zeros((2, 4)),)))


def test_a_scorer_whose_state_grows_is_told_so():
    scorer = Returns(np.zeros(3), (np.zeros((3, 1)),), later=(np.zeros((3, 2)),))
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(3, 5, 4), scorer)
    env.reset()
    with pytest.raises(ValueError, match=r"state has shapes \[\(3, 2\)\], not \[\(3, 1\)\]"):
        env.step([1, 1, 1])


def test_a_scorer_whose_vocabulary_is_of_another_size_is_refused():
    scorer = TinyNet()
    scorer.vocabulary = ("a", "b", "c")
    message = "The scorer has a vocabulary of 3 words, the environment one of 5: make the environment with vocab_size"
    with pytest.raises(ValueError, match=message):
        DiscriminatorReward(TextGenerationEnv(5, 4), scorer)
    with pytest.raises(ValueError, match=message):
        DiscriminatorRewardVector(TextGenerationVectorEnv(2, 5, 4), scorer)
    DiscriminatorReward(TextGenerationEnv(3, 4), scorer)


def test_a_scorer_needs_no_state():
    env = DiscriminatorRewardVector(
        TextGenerationVectorEnv(3, 5, 4), Returns(np.array([1, 2, 3], np.float32)), "log_odds"
    )
    env.reset()
    np.testing.assert_array_equal(env.step([1, 1, 1])[1], [1, 2, 3])


def test_an_unknown_rule_is_refused_with_the_choices():
    for wrap, env in (
        (DiscriminatorReward, TextGenerationEnv(5, 4)),
        (DiscriminatorRewardVector, TextGenerationVectorEnv(3, 5, 4)),
    ):
        with pytest.raises(ValueError, match=r"rule 'odds' .*probability.*density_ratio"):
            wrap(env, TinyNet(), "odds")


def test_a_rule_may_be_a_function_of_the_callers():
    env = DiscriminatorReward(TextGenerationEnv(5, 4), TinyNet(), lambda after, before: 10 * after - before)
    env.reset()
    first, second = log_odds([1, 4])
    assert env.step(1)[1] == pytest.approx(10 * first, rel=1e-5)
    assert env.step(4)[1] == pytest.approx(10 * second - first, rel=1e-5)


def test_a_vector_environment_must_tell_its_autoreset_mode():
    env = TextGenerationVectorEnv(3, 5, 4)
    env.metadata = {}
    with pytest.raises(ValueError, match="autoreset_mode"):
        DiscriminatorRewardVector(env, TinyNet())


def test_the_vector_wrapper_shows_the_autoreset_mode_of_its_environment():
    env = vector(mode="SameStep")
    assert env.autoreset_mode is env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_the_wrappers_survive_pickling_in_mid_text():
    single = DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=4), TinyNet())
    single.reset(options={"prefix": [1, 3]})
    assert pickle.loads(pickle.dumps(single)).step(4)[1] == single.step(4)[1]
    several = vector()
    several.reset(options={"prefix": [1, 3]})
    again = pickle.loads(pickle.dumps(several))
    np.testing.assert_array_equal(again.step([4, 0, 1])[1], several.step([4, 0, 1])[1])
