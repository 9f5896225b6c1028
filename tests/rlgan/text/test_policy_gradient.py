"""The policy gradient with each estimator, baseline and control, against its definition."""

import numpy as np
import pytest
import torch

from rlgan.rng import Purpose, stream
from rlgan.text.estimators.estimator import RolloutTensors
from rlgan.types import RealBatch, Rollout

CPU = torch.device("cpu")


def _adapter(task, **changes):
    """An adapter and a batch of rollouts of its networks."""
    task = task(**changes)
    learner, maker = task.learner(CPU), task.rollout_maker(CPU)
    # With the rewards, whether the estimator reads them or not: what tests compare with.
    rng = [stream(0, Purpose.ROLLOUT, 0, 0, shard) for shard in range(2)]
    made = Rollout.join([maker.rollouts.generate(learner.weights(), each) for each in rng])
    return learner.adapter, made


def _gradients(adapter, made):
    loss = adapter.generator_loss(made, None, 0.0, np.random.default_rng(0))
    return torch.autograd.grad(loss.value, list(adapter.generator.parameters()))


def _rewards(adapter, made):
    """What the judge says of every next token."""
    read = adapter.judge(np.random.default_rng(0)).reading(RolloutTensors.of(made, CPU))
    # This form of the discriminator reads nothing of the policy.
    return read(torch.zeros(*made.tokens.shape, adapter.generator.vocab_size), slice(None))


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
        towards = now * adapter.discriminator.all_next_log_odds(tokens).clamp(max=5.0).exp()
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


def test_a_random_discriminators_judgement_of_all_tokens_is_not_the_one_that_learns(task):
    adapter, made = _adapter(task, **ALL_TOKENS, reward_control="random_discriminator")
    before = _rewards(adapter, made)
    picked = before.gather(2, torch.from_numpy(made.tokens).clamp(max=393)[..., None])[..., 0].numpy()
    np.testing.assert_allclose(picked * made.mask, made.rewards, atol=1e-6)  # the workers' random D is the same
    with torch.no_grad():
        adapter.discriminator.output.bias += 1
    torch.testing.assert_close(_rewards(adapter, made), before)


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
    rewards = _rewards(adapter, made)
    picked = rewards.gather(2, tokens[..., None])[..., 0]
    np.testing.assert_allclose(picked.numpy(), made.rewards, atol=1e-5)


def test_random_sequences_end_with_their_stop_token(task):
    adapter = task(method="pretraingan").learner(CPU).adapter
    tokens = adapter.random_tokens((4000, 12), np.random.default_rng(0))
    counted = tokens < 394
    assert (np.diff(counted.astype(int), axis=1) <= 0).all()  # once blank, always blank
    last = tokens[np.arange(4000), counted.sum(axis=1) - 1]
    assert (last[counted.sum(axis=1) < 12] == 1).all()
    assert 0 < (~counted).any(axis=1).mean() < 0.1


def test_the_generator_drops_out_by_likelihood_alone(task):
    dropping, made = _adapter(task, method="mixedgan", batch_size=4, generator_dropout=0.5)
    without, _ = _adapter(task, method="mixedgan", batch_size=4)
    _close(_gradients(dropping, made), _gradients(without, made))
    real = RealBatch(made.tokens)

    def likelihood(adapter):
        torch.manual_seed(5)
        return float(adapter.generator_loss(None, real, 1.0, np.random.default_rng(0)).value)

    assert likelihood(dropping) == likelihood(dropping)
    assert abs(likelihood(dropping) - likelihood(without)) > 1e-3
