import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit, TransformReward

from envs import (
    CheckError,
    DiscriminatorReward,
    DiscriminatorRewardVector,
    TextGenerationEnv,
    TextGenerationVectorEnv,
    check_scorer,
    check_text_env,
)

V, T = 4, 5


class Repeater(gymnasium.Env):
    """A stranger's environment: it pays for a token that equals the last one, and ends after two 3s in a row."""

    def __init__(self):
        self.action_space = Discrete(V)
        self.observation_space = Box(0, V, (T,), np.int32)
        self.metadata = {"render_modes": []}
        self.text = []

    def page(self):
        return np.array(self.text + [V] * (T - len(self.text)), np.int32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        prefix = [int(token) for token in (options or {}).get("prefix", ())]
        if len(prefix) >= T or any(not 0 <= token < V for token in prefix):
            raise ValueError("prefix")
        self.text = prefix
        return self.page(), {}

    def reward(self):
        return float(len(self.text) > 1 and self.text[-1] == self.text[-2])

    def ended(self):
        return len(self.text) == T or self.text[-2:] == [3, 3]

    def step(self, action):
        if not 0 <= action < V:
            raise ValueError("action")
        self.text.append(int(action))
        return self.page(), self.reward(), self.ended(), False, {}


def test_a_strangers_environment_goes_through():
    check_text_env(Repeater)


@pytest.mark.parametrize(
    ("vocab_size", "max_length", "stop_token"), [(1, 1, None), (5, 1, None), (3, 6, 2), (50, 9, None)]
)
@pytest.mark.parametrize("obs_dtype", ["int64", "float32"])
def test_our_environments_go_through(vocab_size, max_length, stop_token, obs_dtype):
    settings = vocab_size, max_length, stop_token, obs_dtype
    check_text_env(
        lambda: TextGenerationEnv(*settings), lambda count, mode: TextGenerationVectorEnv(count, *settings, mode)
    )


def test_our_environments_go_through_with_a_reward():
    net = Net()
    check_text_env(
        lambda: DiscriminatorReward(TextGenerationEnv(V, T, 2), net, "token_ratio"),
        lambda count, mode: DiscriminatorRewardVector(
            TextGenerationVectorEnv(count, V, T, 2, autoreset_mode=mode), net, "token_ratio"
        ),
    )


def test_a_time_limit_may_end_a_page_early():
    check_text_env(lambda: TimeLimit(Repeater(), 3))


class ManyActions(Repeater):
    def __init__(self):
        super().__init__()
        self.action_space = MultiDiscrete([V, V])


class TwoRows(Repeater):
    def __init__(self):
        super().__init__()
        self.observation_space = Box(0, V, (T, 2), np.int32)


class WrongDtype(Repeater):
    def page(self):
        return super().page().astype(np.float64)


class FromTheRight(Repeater):
    def page(self):
        return super().page()[::-1].copy()


class Endless(Repeater):
    def ended(self):
        return False

    def page(self):
        return super().page()[:T]


class NumpyReward(Repeater):
    def reward(self):
        return np.float32(super().reward())


class NanReward(Repeater):
    def reward(self):
        return float("nan")


class NumpyEnd(Repeater):
    def ended(self):
        return np.bool_(super().ended())


class NoInfo(Repeater):
    def step(self, action):
        return (*super().step(action)[:4], None)


class NoResetInfo(Repeater):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed, options=options)[0], None


class Remembers(Repeater):
    def __init__(self):
        super().__init__()
        self.last = 0

    def reward(self):
        reward = float(self.last == self.text[-1])
        self.last = self.text[-1]
        return reward


class Random(Repeater):
    def reward(self):
        return float(np.random.default_rng().random())


class KeepsCount(Repeater):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def ended(self):
        self.steps += 1
        return super().ended() or self.steps > 30


class NoPrefix(Repeater):
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.text = []
        return self.page(), {}


class PrefixWithoutReward(Repeater):
    def reset(self, *, seed=None, options=None):
        result = super().reset(seed=seed, options=options)
        self.begun = len(self.text)
        return result

    def reward(self):
        return float(len(self.text) - self.begun > 1 and self.text[-1] == self.text[-2])


class StickyPrefix(Repeater):
    kept = ()

    def reset(self, *, seed=None, options=None):
        self.kept = (options or {}).get("prefix", self.kept)
        return super().reset(seed=seed, options={"prefix": self.kept})


class TakesAnyAction(Repeater):
    def step(self, action):
        return super().step(min(max(action, 0), V - 1))


class TakesAnyPrefix(Repeater):
    def reset(self, *, seed=None, options=None):
        prefix = [token for token in (options or {}).get("prefix", ()) if token < V]
        return super().reset(seed=seed, options={"prefix": prefix[: T - 1]})


class SharedObservation(Repeater):
    def __init__(self):
        super().__init__()
        self.shown = np.full(T, V, np.int32)

    def page(self):
        self.shown[:] = super().page()
        return self.shown


class TwoBuffers(Repeater):
    def __init__(self):
        super().__init__()
        self.shown = [np.full(T, V, np.int32) for _ in range(2)]

    def page(self):
        self.shown.reverse()
        self.shown[0][:] = super().page()
        return self.shown[0]


class SharedState(Repeater):
    """All of them write on one page, which a single one does not notice."""

    shared = {"text": []}  # noqa: RUF012 (the fault)
    text = property(lambda self: self.shared["text"], lambda self, text: self.shared.update(text=text))

    def page(self):
        return super().page()[:T]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (ManyActions, r"action space is MultiDiscrete.* not Discrete\(V\)"),
        (lambda: gymnasium.wrappers.TransformAction(Repeater(), lambda a: a, Discrete(V, start=1)), "not Discrete"),
        (TwoRows, r"not a Box of shape \(T,\)"),
        (WrongDtype, "not in the observation space"),
        (FromTheRight, r"After the actions \[.\] the page is"),
        (Endless, "page of 5 tokens is full, and the episode has not ended"),
        (NumpyReward, "A reward is a <class 'numpy.float32'>, not a float"),
        (NanReward, "A reward is nan, not a finite number"),
        (NumpyEnd, "terminated is a <class 'numpy.bool.*'>, not a bool"),
        (NoInfo, r"step\(\) returned a NoneType as info"),
        (NoResetInfo, r"reset\(\) returned a NoneType as info"),
        (Remembers, "gave the rewards .* in a new environment and .* that was played before"),
        (Random, "gave the rewards"),
        (KeepsCount, "ended after . and . tokens|gave the rewards"),
        (NoPrefix, r"After a reset with the prefix \[.\] the page is"),
        (PrefixWithoutReward, "as actions"),
        (StickyPrefix, "does not give a blank page"),
        (TakesAnyAction, "The action 4 raises no ValueError"),
        (TakesAnyPrefix, r"The prefix \[4\] raises no ValueError"),
        (SharedObservation, "An observation changes when the next step is taken"),
        (TwoBuffers, "share their memory"),
        (SharedState, "Other actions in one row changed the observations of another row"),
    ],
)
def test_a_faulty_environment_is_caught(make, message):
    with pytest.raises(CheckError, match=message):
        check_text_env(make)


class TwinFault(gymnasium.vector.VectorWrapper):
    """Ours with a change in what a step or a reset returns."""

    def __init__(self, env, change=None, reset_change=None):
        super().__init__(env)
        self.change, self.reset_change = change, reset_change

    def reset(self, *, seed=None, options=None):
        result = self.env.reset(seed=seed, options=options)
        return self.reset_change(*result, options or {}) if self.reset_change else result

    def step(self, actions):
        result = self.env.step(actions)
        return self.change(*result) if self.change else result


def without_final(observations, rewards, terminations, truncations, _infos):
    return observations, rewards, terminations, truncations, {}


def other_rows_blank(observations, infos, options):
    if "reset_mask" in options:
        observations[~options["reset_mask"]] = V
    return observations, infos


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"change": lambda o, r, e, u, i: (o, r + 1, e, u, i)}, r"the rewards of the vector environment are"),
        ({"change": lambda o, r, e, u, i: (o, r.astype(np.float32), e, u, i)}, "the rewards of the vector environment"),
        (
            {"change": lambda o, r, e, u, i: (o[::-1].copy(), r, e, u, i)},
            "the observations of the vector environment",
        ),
        ({"change": lambda o, r, e, _, i: (o, r, e, e.copy(), i)}, "the truncations of the vector environment"),
        ({"change": without_final}, r"\(SameStep\) the infos of the vector environment"),
        ({"reset_change": other_rows_blank}, r"A reset of the rows \[.\] changed the page of another row"),
    ],
)
def test_a_vector_environment_that_is_no_twin_is_caught(fault, message):
    with pytest.raises(CheckError, match=message):
        check_text_env(
            lambda: TextGenerationEnv(V, T, 2),
            lambda count, mode: TwinFault(TextGenerationVectorEnv(count, V, T, 2, autoreset_mode=mode), **fault),
        )


@pytest.mark.parametrize(
    ("make_vec", "message"),
    [
        (lambda count, _: TextGenerationVectorEnv(count, V, T, autoreset_mode="Disabled"), "autoreset_mode.* is"),
        (lambda count, mode: TextGenerationVectorEnv(count, V + 1, T, autoreset_mode=mode), "single_observation_space"),
        (lambda count, mode: TextGenerationVectorEnv(count + 1, V, T, autoreset_mode=mode), "num_envs .* is 5"),
    ],
)
def test_a_vector_environment_of_another_kind_is_caught(make_vec, message):
    with pytest.raises(CheckError, match=message):
        check_text_env(lambda: TextGenerationEnv(V, T), make_vec)


def test_a_reward_that_only_the_single_environment_has_is_caught():
    with pytest.raises(CheckError, match="the rewards of the vector environment"):
        check_text_env(
            lambda: TransformReward(TextGenerationEnv(V, T), lambda reward: reward + 1),
            lambda count, mode: TextGenerationVectorEnv(count, V, T, autoreset_mode=mode),
        )


class Net:
    """A random recurrent net."""

    def __init__(self):
        rng = np.random.default_rng(7)
        self.embedding, self.recurrent = (rng.normal(size=(V, 3)), rng.normal(size=(3, 3)))

    def start(self, count):
        return np.full((count, 3), 0.5), np.zeros(count, np.int64)

    def score(self, state, tokens, /):
        hidden = np.tanh(state[0] @ self.recurrent + self.embedding[tokens])
        return (hidden, state[1] + 1), (hidden.sum(axis=1) + 0.1 * state[1]).astype(np.float32)


class TorchNet:
    def __init__(self):
        torch.manual_seed(0)
        self.cell, self.embedding = torch.nn.GRUCell(3, 3), torch.nn.Embedding(V, 3)

    def start(self, count):
        return (torch.zeros(count, 3),)

    @torch.no_grad()
    def score(self, state, tokens, /):
        hidden = self.cell(self.embedding(tokens), state[0])
        return (hidden,), hidden.sum(dim=1)


class Stateless:
    def start(self, _count):
        return ()

    def score(self, state, tokens, /):
        return state, tokens.astype(np.float32)


def test_a_sound_scorer_goes_through():
    check_scorer(Net(), vocab_size=V)
    check_scorer(Stateless(), vocab_size=1)
    check_scorer(TorchNet(), vocab_size=V, like=torch.zeros(0))


class InPlace(Net):
    def score(self, state, tokens, /):
        following, log_odds = super().score(state, tokens)
        state[1][:] += 1
        return following, log_odds


class TokensInPlace(Net):
    def score(self, state, tokens, /):
        result = super().score(state, tokens)
        tokens[:] = 0
        return result


class Dropout(Net):
    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)

    def score(self, state, tokens, /):
        state, log_odds = super().score(state, tokens)
        return state, log_odds * self.rng.integers(2, size=len(tokens)).astype(np.float32)


class HiddenState(Net):
    """Counts steps in itself: right as long as all rows start together."""

    def start(self, count):
        self.steps = 0
        return super().start(count)

    def score(self, state, tokens, /):
        self.steps += 1
        following, log_odds = super().score(state, tokens)
        return following, log_odds + np.float32(self.steps)


class BatchNorm(Net):
    def score(self, state, tokens, /):
        state, log_odds = super().score(state, tokens)
        return state, log_odds - log_odds.mean()


class RowNumber(Net):
    def score(self, state, tokens, /):
        state, log_odds = super().score(state, tokens)
        return state, log_odds + np.arange(len(tokens), dtype=np.float32)


class BatchSize(Net):
    def score(self, state, tokens, /):
        state, log_odds = super().score(state, tokens)
        return state, log_odds + np.float32(len(tokens))


class CountsInOneCell(Net):
    """The number of steps is in row 0 alone."""

    def score(self, state, tokens, /):
        following, log_odds = super().score(state, tokens)
        return following, log_odds + state[1][-1].astype(np.float32)


def changed(state=None, log_odds=None):
    class Changed(Net):
        def score(self, before, tokens, /):
            following, scores = super().score(before, tokens)
            return state(*following) if state else following, log_odds(scores) if log_odds else scores

    return Changed()


class ListState(Net):
    def start(self, count):
        return list(super().start(count))


class OneRow(Net):
    def start(self, _count):
        return super().start(1)


class SmallVocabulary(Net):
    def score(self, state, tokens, /):
        if len(tokens) == V:
            return super().score(state, tokens)[0], np.full(V, np.nan, np.float32)
        return super().score(state, tokens)


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (ListState(), "state is a list, not a tuple"),
        (OneRow(), r"state of 5 sequences has shape \(1, 3\)"),
        (changed(state=lambda h, n: [h, n]), "state is a list, not a tuple"),
        (changed(state=lambda h, n: (np.hstack([h, h]), n)), r"from float64 \(5, 3\) into float64 \(5, 6\)"),
        (changed(state=lambda h, n: (h.astype(np.float32), n)), "from float64 .* into float32"),
        (changed(state=lambda h, n: (h, n, n)), "a state of 2 arrays into 3"),
        (changed(log_odds=lambda x: x[:, None]), r"log-odds of shape \(5, 1\), not \(5,\)"),
        (changed(log_odds=list), r"log-odds of shape None"),
        (changed(log_odds=lambda x: x.astype(np.int64)), "log-odds of type int64: give float32"),
        (changed(log_odds=lambda x: x * np.nan), "log-odds that are not finite"),
        (changed(log_odds=torch.from_numpy), "returned a Tensor on cpu for tokens in a ndarray"),
        (InPlace(), "changes the state that it is given in place"),
        (TokensInPlace(), "changes the tokens that it is given in place"),
        (Dropout(), r"score\(\) must be a pure function"),
        (HiddenState(), "must be a pure function"),
        (BatchNorm(), "Other tokens in one row changed the log-odds of another row"),
        (RowNumber(), "depend on the row that it stands in"),
        (BatchSize(), "depend on the number of rows"),
        (CountsInOneCell(), "A row that was started anew in mid-text"),
        (SmallVocabulary(), "not finite"),
    ],
)
def test_a_faulty_scorer_is_caught(scorer, message):
    with pytest.raises(CheckError, match=message):
        check_scorer(scorer, vocab_size=V)


def test_a_scorer_of_another_device_is_caught():
    class Elsewhere(TorchNet):
        def score(self, state, tokens, /):
            state, log_odds = super().score(state, tokens)
            return state, log_odds.to("meta")

    with pytest.raises(CheckError, match="returned a Tensor on meta for tokens in a Tensor on cpu"):
        check_scorer(Elsewhere(), vocab_size=V, like=torch.zeros(0))


def test_a_check_error_is_a_value_error():
    assert issubclass(CheckError, ValueError)
    assert [mode.value for mode in AutoresetMode] == ["NextStep", "SameStep", "Disabled"]
