import copy
import pickle

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from envs import (
    REWARD_RULES,
    DiscriminatorReward,
    DiscriminatorRewardVector,
    Pages,
    Readings,
    TextGenerationEnv,
    TextGenerationVectorEnv,
)

CPU = torch.zeros(0)
BLANK = 5


class Net:
    """A random recurrent net on numpy arrays; its log-odds depend on the order of all tokens so far."""

    def __init__(self, vocab_size=5, width=4):
        rng = np.random.default_rng(7)
        self.embedding = rng.normal(size=(vocab_size, width)).astype(np.float32)
        self.recurrent = rng.normal(size=(width, width)).astype(np.float32)
        self.readout = rng.normal(size=width).astype(np.float32)

    def start(self, count):
        return np.full((count, len(self.readout)), 0.5, np.float32), np.zeros(count, np.int64)

    def score(self, state, tokens, /):
        hidden, seen = state
        hidden = np.tanh(hidden @ self.recurrent + self.embedding[tokens])
        return (hidden, seen + 1), (hidden @ self.readout + 0.1 * seen).astype(np.float32)


class TorchNet:
    """The same net on tensors."""

    def __init__(self, device="cpu"):
        net = Net()
        self.device = device
        self.embedding, self.recurrent, self.readout = (
            torch.tensor(array.tolist(), device=device) for array in (net.embedding, net.recurrent, net.readout)
        )

    def start(self, count):
        hidden = torch.full((count, 4), 0.5, device=self.device)
        return hidden, torch.zeros(count, dtype=torch.int64, device=self.device)

    def score(self, state, tokens, /):
        hidden, seen = state
        hidden = torch.tanh(hidden @ self.recurrent + torch.embedding(self.embedding, tokens))
        return (hidden, seen + 1), hidden @ self.readout + 0.1 * seen


class HostNet(TorchNet):
    """Takes numpy's tokens and gives numpy's log-odds, and keeps its state in tensors."""

    def score(self, state, tokens, /):
        state, log_odds = super().score(state, torch.from_numpy(tokens))
        return state, log_odds.numpy()


@pytest.mark.parametrize("stop_token", [None, 2])
@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("rule", ["token_ratio", "probability"])
def test_an_episode_on_tensors_is_that_of_the_gymnasium_environment(mode, stop_token, rule):
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(6, 5, 4, stop_token, autoreset_mode=mode), Net(), rule)
    pages = Pages(6, 5, 4, stop_token, mode, like=CPU)
    readings = Readings(TorchNet(), rule, 6, mode, like=CPU)

    def restart(mask, prefix):
        due, _ = env.reset(options={"reset_mask": mask, "prefix": prefix})
        pages.clear(torch.from_numpy(mask), torch.as_tensor(prefix))
        readings.restart(torch.from_numpy(mask), torch.as_tensor(prefix))
        np.testing.assert_array_equal(pages.tokens, due)

    env.reset()
    restart(np.arange(6) % 2 == 0, [1, 3])
    rng = np.random.default_rng(0)
    endings = 0
    for _ in range(60):
        actions = rng.integers(5, size=6)
        due, due_rewards, due_ended, _, infos = env.step(actions)
        written, ended = pages.step(torch.from_numpy(actions))
        rewards = readings.step(torch.from_numpy(actions), ended)
        np.testing.assert_array_equal(pages.tokens, due)
        np.testing.assert_array_equal(ended, due_ended)
        np.testing.assert_allclose(rewards, due_rewards, atol=1e-5)
        for row in np.flatnonzero(infos.get("_final_obs", [])):
            np.testing.assert_array_equal(written[row], infos["final_obs"][row])
        endings += due_ended.sum()
        if mode is AutoresetMode.DISABLED and due_ended.any():
            restart(due_ended, rng.integers(2, size=(6, 2)))
    assert endings > 50


def test_reading_the_rows_that_go_on_is_what_the_wrapper_does():
    env = DiscriminatorRewardVector(TextGenerationVectorEnv(2, 5, 4, 2, autoreset_mode="Disabled"), Net(), "log_odds")
    env.reset()
    pages, readings = Pages(2, 5, 4, 2, like=CPU), Readings(TorchNet(), "log_odds", 2, like=CPU)
    for actions in ([1, 1], [2, 3], [0, 3], [4, 4]):
        alive = ~pages.ended
        pages.write(torch.tensor(actions))
        np.testing.assert_allclose(readings.read(torch.tensor(actions), alive), env.step(actions)[1], atol=1e-5)
    assert pages.ended.all()
    np.testing.assert_array_equal(pages.tokens, [[1, 2, BLANK, BLANK], [1, 3, 3, 4]])


class AllOn(TorchDispatchMode):
    """Refuses operations that read or give a tensor of another device: a copy of one number from the host waits too."""

    def __init__(self, device):
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, function, _types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = [value for value in tree_leaves((args, kwargs, result)) if isinstance(value, torch.Tensor)]
        assert {tensor.device.type for tensor in tensors} <= {self.device}, function
        return result


@pytest.mark.parametrize("rule", REWARD_RULES)
@pytest.mark.parametrize("mode", AutoresetMode)
def test_no_step_on_a_device_waits_for_it_or_leaves_it(mode, rule):
    # A fake tensor has no values: whatever asks for one raises, and so does an operation of two devices.
    with FakeTensorMode():
        net, like = TorchNet("cuda"), torch.zeros(0, device="cuda")
        with AllOn("cuda"):
            pages, readings = Pages(3, 5, 4, 2, mode, like), Readings(net, rule, 3, mode, like)
            rows = torch.ones(3, dtype=torch.bool, device="cuda")
            prefix, each = (torch.ones(shape, dtype=torch.int64, device="cuda") for shape in (2, (3, 2)))
            for begun in ((), prefix, each):
                pages.clear(rows, begun)
                readings.restart(rows, begun)
            for _ in range(5):
                actions = torch.ones(3, dtype=torch.int64, device="cuda")
                _, ended = pages.step(actions)
                readings.step(actions, ended)
            with pytest.raises(Exception, match="_local_scalar_dense"):
                bool(ended.any())


@pytest.mark.parametrize("like", [np.zeros(0), CPU])
def test_a_step_changes_no_array_that_was_read_before(like):
    pages = Pages(2, 5, 3, like=like)
    first = pages.tokens
    pages.write([1, 2])
    second, ended = pages.tokens, pages.ended
    pages.clear(~ended, [4])
    np.testing.assert_array_equal(first, [[BLANK] * 3] * 2)
    np.testing.assert_array_equal(second, [[1, BLANK, BLANK], [2, BLANK, BLANK]])


def test_a_scorers_state_stays_where_the_scorer_keeps_it():
    expected = DiscriminatorRewardVector(TextGenerationVectorEnv(3, 5, 4, 2), Net())
    kept = DiscriminatorRewardVector(TextGenerationVectorEnv(3, 5, 4, 2), HostNet())
    for env in (expected, kept):
        env.reset(options={"prefix": [1]})
    for actions in ([1, 2, 3], [4, 0, 2], [1, 1, 1]):
        np.testing.assert_allclose(kept.step(actions)[1], expected.step(actions)[1], atol=1e-6)
    single = DiscriminatorReward(TextGenerationEnv(5, 4), HostNet())
    single.reset()
    assert type(single.step(1)[1]) is float


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_pages_and_readings_of_tensors_are_copied_in_mid_text(copied):
    pages, readings = Pages(2, 5, 4, like=CPU), Readings(TorchNet(), "log_odds", 2, like=CPU)
    pages.write(torch.tensor([1, 2]))
    readings.read(torch.tensor([1, 2]), ~pages.ended)
    again, read_again = copied(pages), copied(readings)
    actions = torch.tensor([3, 4])
    for each in (pages, again):
        each.write(actions)
    np.testing.assert_array_equal(again.tokens, pages.tokens)
    np.testing.assert_array_equal(read_again.read(actions, ~pages.ended), readings.read(actions, ~pages.ended))


def test_pages_of_tensors_take_lists_as_well():
    pages = Pages(2, 5, 4, like=CPU)
    pages.clear(~pages.ended, [[1], [2]])
    pages.write([3, 4])
    np.testing.assert_array_equal(pages.tokens, [[1, 3, BLANK, BLANK], [2, 4, BLANK, BLANK]])


ROWS = torch.ones(2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda pages: pages.write(torch.zeros(2)), "action holds torch.float32, not integers"),
        (lambda pages: pages.write(torch.zeros(3, dtype=torch.int64)), r"action has shape \(3,\), not \(2,\)"),
        (lambda pages: pages.write(np.zeros(2, np.int64)), "action is a ndarray on cpu, the rest are Tensors"),
        (lambda pages: pages.write(torch.zeros(2, dtype=torch.int64, device="meta")), "on meta, the rest .* on cpu"),
        (lambda pages: pages.clear(np.ones(2, np.bool_)), "rows is a ndarray"),
        (lambda pages: pages.clear(ROWS, torch.zeros((3, 1), dtype=torch.int64)), r"prefix has shape \(3, 1\)"),
        (lambda pages: pages.clear(ROWS, torch.zeros(4, dtype=torch.int64)), "leave room"),
        (lambda pages: pages.clear(ROWS, torch.zeros((), dtype=torch.int64)), r"prefix has shape \(\)"),
    ],
)
def test_tensors_of_a_wrong_shape_type_or_device_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(Pages(2, 5, 4, like=CPU))


class Wrong(Net):
    def __init__(self, log_odds=None, state=None):
        super().__init__()
        self.log_odds, self.state = log_odds, state

    def start(self, count):
        return super().start(count) if self.state is None else self.state

    def score(self, state, _tokens, /):
        return state, self.log_odds


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (Wrong([0.0, 0.0]), "scorer returned list, not"),
        (Wrong(np.zeros((2, 1))), r"scorer returned \(2, 1\), not \(2,\)"),
        (Wrong(np.array([0, np.nan])), "scorer returned NaN for sequence 1"),
        (Wrong(torch.zeros(2, device="meta")), "scorer returned log-odds on meta; the tokens are on cpu"),
        (Wrong(state=[np.zeros(2)]), "state is a list"),
        (Wrong(state=(np.zeros(3),)), r"state has shape \(3,\), not \(2, ...\)"),
    ],
)
def test_a_scorer_that_does_not_keep_the_contract_is_refused(scorer, message):
    with pytest.raises(ValueError, match=message):
        Readings(scorer, "log_odds", 2).read(np.zeros(2, np.int64), np.ones(2, np.bool_))


def test_nan_in_a_row_that_is_not_read_is_no_fault():
    readings = Readings(Wrong(np.array([0.5, np.nan])), "log_odds", 2)
    np.testing.assert_array_equal(readings.read(np.zeros(2, np.int64), np.array([True, False])), [0.5, 0])


def test_a_rule_that_returns_another_shape_is_refused():
    readings = Readings(Net(), lambda after, before: (after - before).mean(), 2)
    with pytest.raises(ValueError, match=r"reward rule returned shape \(\) for log-odds of \(2,\)"):
        readings.read(np.zeros(2, np.int64), np.ones(2, np.bool_))


def test_a_scorers_gradients_are_cut_off():
    net = TorchNet()
    net.readout.requires_grad_()
    rewards = Readings(net, "probability", 2, like=CPU).read(torch.tensor([1, 2]), ROWS)
    assert not rewards.requires_grad
