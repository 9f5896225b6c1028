"""The policy gradient with each estimator, baseline and control, against its definition."""

import numpy as np
import pytest
import torch

from rlgan.text.baselines import RunningMean
from rlgan.types import Rollout

CPU = torch.device("cpu")


def _adapter(task, **changes):
    """An adapter and a batch of rollouts of its networks."""
    task = task(**changes)
    learner, maker = task.learner(CPU), task.shard_maker(CPU)
    made = Rollout.join([maker.shard(learner.weights(), 0, 0, shard) for shard in range(2)])
    return learner.adapter, made


def _gradients(adapter, made, numbers=None):
    loss = adapter.generator_loss(made, None, 0.0, numbers or np.random.default_rng(0))
    return torch.autograd.grad(loss.value, list(adapter.generator.parameters()))


def _by_hand(adapter, made, weights, sampled):
    """-1/(B T) times the sum over counted places of sum_y weights(y) G(y) and of log G(y_t) sampled_t."""
    tokens, mask = torch.from_numpy(made.tokens), torch.from_numpy(made.mask)
    log_probs = adapter.generator(tokens, torch.from_numpy(made.noise))
    total = 0.0
    for b, t in np.argwhere(made.mask):
        total = total - (log_probs[b, t].exp() * weights[b, t]).sum()
        total = total - log_probs[b, t, tokens[b, t]] * float(sampled[b, t])
    return torch.autograd.grad(total / mask.numel(), list(adapter.generator.parameters()))


def _close(first, second):
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)


ALL_TOKENS = {"estimator": "all_tokens", "batch_size": 4, "length": 8}


@pytest.mark.parametrize(("discount", "rollouts"), [(0.0, 1), (0.5, 1), (0.5, 3)])
def test_all_tokens_sums_over_every_next_token_and_samples_what_comes_after(task, discount, rollouts):
    adapter, made = _adapter(task, **ALL_TOKENS, discount=discount, monte_carlo_rollouts=rollouts)
    # D(Y_0:t-1, y) for every y, each by a sequence of its own.
    vocab_size, rewards = adapter.generator.vocab_size, np.zeros((4, 8, 394), np.float32)
    for b, t in np.argwhere(made.mask):
        rows = torch.from_numpy(np.tile(made.tokens[b, : t + 1], (vocab_size, 1)))
        rows[:, t] = torch.arange(vocab_size)
        rewards[b, t] = adapter.discriminator(rows)[:, t].sigmoid().detach()
        assert rewards[b, t, made.tokens[b, t]] == pytest.approx(made.rewards[b, t], abs=1e-5)
    after = made.q_values - made.rewards  # lambda Q_t+1, the mean over the rollouts
    assert (np.abs(after).max() > 0.1) == (discount > 0)
    _close(_gradients(adapter, made), _by_hand(adapter, made, torch.from_numpy(rewards), after))


def test_forward_kl_steps_towards_the_generator_times_the_ratio(task):
    adapter, made = _adapter(task, **ALL_TOKENS, discount=0.0, weighting="forward_kl", reward="density_ratio")
    tokens = torch.from_numpy(made.tokens)
    with torch.no_grad():
        now = adapter.generator(tokens, torch.from_numpy(made.noise)).exp()
        towards = now * adapter.discriminator.every_next(tokens).clamp(max=5.0).exp()
        towards /= towards.sum(dim=-1, keepdim=True)
    # The gradient of sum_y w(y) log G(y) is that of sum_y (w / G)(y) G(y), w and the G below it held still.
    _close(_gradients(adapter, made), _by_hand(adapter, made, towards / now, np.zeros((4, 8))))


def test_the_judge_of_all_tokens_does_not_drop_out(task):
    adapter, made = _adapter(task, **ALL_TOKENS, discount=0.0, discriminator_dropout=0.5)
    assert adapter.discriminator.training
    _close(_gradients(adapter, made), _gradients(adapter, made))
    assert adapter.discriminator.training


@pytest.mark.parametrize("weighting", ["expected", "forward_kl"])
def test_a_constant_reward_teaches_all_tokens_nothing(task, weighting):
    adapter, made = _adapter(task, **ALL_TOKENS, discount=0.0, weighting=weighting, reward_control="constant")
    for gradient in _gradients(adapter, made):
        assert float(gradient.abs().max()) < 1e-7


def test_shuffled_rewards_of_all_tokens_go_to_other_tokens(task):
    plain, made = _adapter(task, **ALL_TOKENS)
    dealt, _ = _adapter(task, **ALL_TOKENS, reward_control="shuffled")
    tokens = torch.from_numpy(made.tokens)
    due, got = plain._rewards(tokens, np.random.default_rng(0)), dealt._rewards(tokens, np.random.default_rng(0))
    torch.testing.assert_close(due.sort(dim=-1).values, got.sort(dim=-1).values)
    assert float((due == got).float().mean()) < 0.05


def test_a_random_discriminators_judgement_of_all_tokens_is_not_the_one_that_learns(task):
    adapter, made = _adapter(task, **ALL_TOKENS, reward_control="random_discriminator")
    before = adapter._rewards(torch.from_numpy(made.tokens), np.random.default_rng(0))
    picked = before.gather(2, torch.from_numpy(made.tokens).clamp(max=393)[..., None])[..., 0].numpy()
    np.testing.assert_allclose(picked * made.mask, made.rewards, atol=1e-6)  # the workers' random D is the same
    with torch.no_grad():
        adapter.discriminator.output.bias += 1
    torch.testing.assert_close(adapter._rewards(torch.from_numpy(made.tokens), np.random.default_rng(0)), before)


def _advantages(adapter, made):
    states = adapter.generator.states(torch.from_numpy(made.tokens), torch.from_numpy(made.noise)).detach()
    return adapter.advantages(made.q_values, made.mask, states), states


def test_without_a_baseline_the_advantage_is_q(task):
    adapter, made = _adapter(task)
    (advantages, losses), _ = _advantages(adapter, made)
    np.testing.assert_array_equal(advantages.numpy(), made.q_values)
    assert not losses


@pytest.mark.parametrize(("baseline", "axes"), [("moving_average", None), ("per_position", 0)])
def test_a_moving_baseline_is_the_weighed_mean_of_the_steps_before(task, baseline, axes):
    adapter, made = _adapter(task, layout="windows", baseline=baseline, baseline_decay=0.75)
    (first, _), _ = _advantages(adapter, made)
    np.testing.assert_array_equal(first.numpy(), made.q_values)  # nothing came before
    doubled = Rollout(**vars(made) | {"q_values": 2 * made.q_values})
    _advantages(adapter, doubled)
    (third, _), _ = _advantages(adapter, made)
    # Means m and 2 m with weights .25 * .75 and .25, which add up to .4375.
    mean = made.q_values.mean(axis=axes) * (0.25 * 0.75 + 2 * 0.25) / 0.4375
    np.testing.assert_allclose(third.numpy(), made.q_values - mean, atol=1e-4)


def test_a_position_where_nothing_counts_keeps_its_mean():
    keeper = RunningMean(2, decay=0.5)
    values = torch.tensor([[3.0, 5.0], [1.0, 9.0]])
    keeper.take(values, torch.ones(2, 2, dtype=torch.bool))
    keeper.take(2 * values, torch.tensor([[True, False], [False, False]]))
    # 2, then 6: (2 * .25 + 6 * .5) / .75; 7 and nothing.
    torch.testing.assert_close(keeper(), torch.tensor([3.5 / 0.75, 7.0]))


def test_the_learned_baseline_is_a_linear_function_of_the_state_that_nears_q(task):
    adapter, made = _adapter(task, baseline="learned")
    (advantages, losses), states = _advantages(adapter, made)
    critic = adapter.others["baseline"].output
    values = (states @ critic.weight[0] + critic.bias).detach().numpy()
    np.testing.assert_allclose(advantages.numpy(), (made.q_values - values) * made.mask, atol=1e-5)
    due = np.square(values - made.q_values)[made.mask].mean()
    assert losses["baseline"].item() == pytest.approx(due, rel=1e-4)
    gradient = torch.autograd.grad(losses["baseline"], list(adapter.others["baseline"].parameters()))
    assert all(float(g.abs().max()) > 0 for g in gradient)


def test_tokens_of_an_older_policy_are_weighed_under_lag_alone(task):
    changes = {"batch_size": 4, "layout": "windows", "importance_limit": 1.5}
    adapter, made = _adapter(task, **changes, lag=1)
    older = Rollout(**vars(made) | {"log_probs": made.log_probs - np.float32([0.2])})  # were less likely then
    with_weights = _gradients(adapter, older)
    for gradient, plain in zip(with_weights, _gradients(adapter, made), strict=True):
        torch.testing.assert_close(gradient, plain * float(np.exp(0.2)), atol=1e-6, rtol=1e-3)
    much = Rollout(**vars(made) | {"log_probs": made.log_probs - np.float32([2.0])})
    for gradient, plain in zip(_gradients(adapter, much), _gradients(adapter, made), strict=True):
        torch.testing.assert_close(gradient, plain * 1.5, atol=1e-6, rtol=1e-3)
    on_policy, _ = _adapter(task, **changes)
    _close(_gradients(on_policy, much), _gradients(on_policy, made))


def test_the_entropy_bonus_adds_the_mean_entropy_of_the_counted_places(task):
    plain, made = _adapter(task, batch_size=4)
    with_bonus, _ = _adapter(task, batch_size=4, entropy_bonus=0.3)
    log_probs = plain.generator(torch.from_numpy(made.tokens), torch.from_numpy(made.noise))
    total = sum(-(log_probs[b, t].exp() * log_probs[b, t]).sum() for b, t in np.argwhere(made.mask))
    due = torch.autograd.grad(total / made.mask.sum(), list(plain.generator.parameters()))
    for gained, before, entropy in zip(_gradients(with_bonus, made), _gradients(plain, made), due, strict=True):
        torch.testing.assert_close(before - gained, 0.3 * entropy, atol=1e-6, rtol=1e-3)


def test_the_token_ratio_of_every_token_is_against_what_was_read_before(task):
    adapter, made = _adapter(task, **ALL_TOKENS, reward="token_ratio", layout="windows")
    tokens = torch.from_numpy(made.tokens)
    rewards = adapter._rewards(tokens, np.random.default_rng(0))
    picked = rewards.gather(2, tokens[..., None])[..., 0]
    np.testing.assert_allclose(picked.numpy(), made.rewards, atol=1e-5)
