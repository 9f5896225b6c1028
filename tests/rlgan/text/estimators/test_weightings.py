"""The weightings of the estimator `all_tokens`."""

import pytest
import torch
from arms import three_arms

from rlgan.text.estimators.weightings import expected_reward, forward_kl
from rlgan.text.losses import policy_gradient


def test_the_sum_over_all_arms_has_the_gradient_that_reinforce_has_in_expectation():
    logits, worth, mask = three_arms()
    sampled = torch.zeros(3, dtype=torch.float64)
    for arm, probability in enumerate(logits.softmax(0).tolist()):
        loss = policy_gradient(logits.log_softmax(0)[arm].view(1, 1), worth[arm].view(1, 1), mask)
        sampled += probability * torch.autograd.grad(loss, logits)[0]
    loss = expected_reward(logits.log_softmax(0).view(1, 1, 3), worth.view(1, 1, 3), mask)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], sampled)


def test_with_true_ratios_a_step_of_forward_kl_is_one_towards_the_real_distribution():
    """The gradient of KL(p | G) is that of -sum_y p(y) log G(y), whatever all ratios are multiplied with."""
    logits, _, mask = three_arms()
    real = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    (due,) = torch.autograd.grad(-(real * logits.log_softmax(0)).sum(), logits)
    log_probs = logits.log_softmax(0)
    ratios = 7 * real / log_probs.exp().detach()
    loss = forward_kl(log_probs.view(1, 1, 3), ratios.view(1, 1, 3), mask)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], due)


@pytest.mark.parametrize("rule", [expected_reward, forward_kl])
def test_equal_rewards_for_all_tokens_teach_nothing(rule):
    logits, _, mask = three_arms()
    loss = rule(logits.log_softmax(0).view(1, 1, 3), torch.ones(1, 1, 3, dtype=torch.float64), mask)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("rule", [expected_reward, forward_kl])
def test_all_tokens_of_a_place_that_does_not_count_add_nothing(rule):
    log_probs = torch.randn(2, 3, 4).log_softmax(-1)
    rewards, mask = torch.rand(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])
    other = rewards.where(mask[..., None], rewards + 1)
    torch.testing.assert_close(rule(log_probs, rewards, mask), rule(log_probs, other, mask))
    one = rule(log_probs[:1, :1], rewards[:1, :1], mask[:1, :1])
    alone = torch.zeros(2, 3, dtype=torch.bool)
    alone[0, 0] = True
    torch.testing.assert_close(rule(log_probs, rewards, alone), one / 6)  # the mean is over all places
