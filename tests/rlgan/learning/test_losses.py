import math

import numpy as np
import pytest
import torch

from rlgan.learning import losses as objectives


def test_reinforce_points_where_the_exact_gradient_of_a_three_armed_choice_does():
    logits = torch.tensor([0.2, -0.5, 1.0], dtype=torch.float64, requires_grad=True)
    worth = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
    (exact,) = torch.autograd.grad((logits.softmax(0) * worth).sum(), logits)
    # Every arm as often as it is drawn: the expectation without sampling.
    expected = torch.zeros(3, dtype=torch.float64)
    for arm, probability in enumerate(logits.softmax(0).tolist()):
        log_probs = logits.log_softmax(0)[arm].view(1, 1)
        loss = objectives.policy_gradient(log_probs, worth[arm].view(1, 1), torch.ones(1, 1, dtype=torch.bool))
        (gradient,) = torch.autograd.grad(loss, logits)
        expected -= probability * gradient
    torch.testing.assert_close(expected, exact)


def test_what_is_masked_counts_for_nothing():
    log_probs = torch.tensor([[-1.0, -2.0, -100.0], [-3.0, -100.0, -100.0]])
    advantages = torch.tensor([[1.0, 2.0, 7.0], [3.0, 7.0, 7.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    np.testing.assert_allclose(
        float(objectives.policy_gradient(log_probs, advantages, mask)), (1 + 4 + 9) / 6, rtol=1e-6
    )
    np.testing.assert_allclose(float(objectives.likelihood(log_probs, mask)), (1 + 2 + 3) / 3, rtol=1e-6)


def test_the_discriminators_loss_is_the_papers():
    real, fake = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, 3.0]])
    mask = torch.ones(1, 2, dtype=torch.bool)

    def d(log_odds):
        return 1 / (1 + math.exp(-log_odds))

    due = -np.mean([math.log(d(2.0)), math.log(d(-1.0))]) - np.mean([math.log(1 - d(0.5)), math.log(1 - d(3.0))])
    np.testing.assert_allclose(float(objectives.discriminator(real, mask, fake, mask)), due, rtol=1e-6)


def test_a_discriminator_that_knows_nothing_loses_two_bits():
    half = torch.zeros(3, 4)
    mask = torch.ones(3, 4, dtype=torch.bool)
    np.testing.assert_allclose(float(objectives.discriminator(half, mask, half, mask)), 2 * math.log(2), rtol=1e-6)


def test_the_discriminators_loss_stays_finite_where_a_sigmoid_would_be_one():
    sure, mask = torch.full((1, 1), 200.0), torch.ones(1, 1, dtype=torch.bool)
    assert float(objectives.discriminator(-sure, mask, sure, mask)) == 400.0


def test_entropy_of_a_uniform_choice_is_its_logarithm():
    np.testing.assert_allclose(float(objectives.entropy(torch.full((8,), 1 / 8).log())), math.log(8), rtol=1e-6)


def test_chosen_picks_the_tokens_and_survives_blanks():
    distribution = torch.arange(12.0).view(1, 3, 4)
    assert objectives.chosen(distribution, torch.tensor([[2, 3, 4]])).tolist() == [[2.0, 7.0, 8.0]]


def _three_arms():
    logits = torch.tensor([0.2, -0.5, 1.0], dtype=torch.float64, requires_grad=True)
    return logits, torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)


def test_the_sum_over_all_arms_has_the_gradient_that_reinforce_has_in_expectation():
    logits, worth, mask = _three_arms()
    sampled = torch.zeros(3, dtype=torch.float64)
    for arm, probability in enumerate(logits.softmax(0).tolist()):
        loss = objectives.policy_gradient(logits.log_softmax(0)[arm].view(1, 1), worth[arm].view(1, 1), mask)
        sampled += probability * torch.autograd.grad(loss, logits)[0]
    loss = objectives.expected_reward(logits.log_softmax(0).view(1, 1, 3), worth.view(1, 1, 3), mask)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], sampled)


def test_with_true_ratios_a_step_of_forward_kl_is_one_towards_the_real_distribution():
    """The gradient of KL(p | G) is that of -sum_y p(y) log G(y), whatever all ratios are multiplied with."""
    logits, _, mask = _three_arms()
    real = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    (due,) = torch.autograd.grad(-(real * logits.log_softmax(0)).sum(), logits)
    log_probs = logits.log_softmax(0)
    ratios = 7 * real / log_probs.exp().detach()
    loss = objectives.forward_kl(log_probs.view(1, 1, 3), ratios.view(1, 1, 3), mask)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], due)


@pytest.mark.parametrize("rule", [objectives.expected_reward, objectives.forward_kl])
def test_equal_rewards_for_all_tokens_teach_nothing(rule):
    logits, _, mask = _three_arms()
    loss = rule(logits.log_softmax(0).view(1, 1, 3), torch.ones(1, 1, 3, dtype=torch.float64), mask)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("rule", [objectives.expected_reward, objectives.forward_kl])
def test_all_tokens_of_a_place_that_does_not_count_add_nothing(rule):
    log_probs = torch.randn(2, 3, 4).log_softmax(-1)
    rewards, mask = torch.rand(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])
    other = rewards.where(mask[..., None], rewards + 1)
    torch.testing.assert_close(rule(log_probs, rewards, mask), rule(log_probs, other, mask))
    one = rule(log_probs[:1, :1], rewards[:1, :1], mask[:1, :1])
    alone = torch.zeros(2, 3, dtype=torch.bool)
    alone[0, 0] = True
    torch.testing.assert_close(rule(log_probs, rewards, alone), one / 6)  # the mean is over all places


def test_importance_makes_up_for_choices_of_another_policy():
    """The mean over what the old policy draws, weighed, is the mean over what the new one would draw."""
    logits, worth, mask = _three_arms()
    old = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    new = logits.log_softmax(0)
    (due,) = torch.autograd.grad(-(new.exp() * worth).sum(), logits, retain_graph=True)
    weighed = torch.zeros(3, dtype=torch.float64)
    for arm in range(3):
        log_prob = new[arm].view(1, 1)
        weight = objectives.importance(log_prob, old[arm].log().view(1, 1), limit=100.0)
        assert not weight.requires_grad
        loss = objectives.policy_gradient(log_prob, worth[arm] * weight, mask)
        weighed += old[arm] * torch.autograd.grad(loss, logits, retain_graph=True)[0]
    torch.testing.assert_close(weighed, due)
    limited = objectives.importance(torch.tensor([[0.0, -1.0]]), torch.tensor([[-3.0, -1.0]]), limit=2.0)
    assert limited.tolist() == [[2.0, 1.0]]


def test_the_squared_error_is_over_counted_places():
    values, targets = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[3.0, 2.5, 0.0]])
    mask = torch.tensor([[True, True, False]])
    np.testing.assert_allclose(float(objectives.squared_error(values, targets, mask)), (4 + 0.25) / 2)
