import math

import numpy as np
import torch
from arms import three_arms

from rlgan.text import losses


def test_reinforce_points_where_the_exact_gradient_of_a_three_armed_choice_does():
    logits, worth, mask = three_arms()
    (exact,) = torch.autograd.grad((logits.softmax(0) * worth).sum(), logits)
    # Every arm as often as it is drawn: the expectation without sampling.
    expected = torch.zeros(3, dtype=torch.float64)
    for arm, probability in enumerate(logits.softmax(0).tolist()):
        log_probs = logits.log_softmax(0)[arm].view(1, 1)
        loss = losses.policy_gradient(log_probs, worth[arm].view(1, 1), mask)
        (gradient,) = torch.autograd.grad(loss, logits)
        expected -= probability * gradient
    torch.testing.assert_close(expected, exact)


def test_what_is_masked_counts_for_nothing():
    log_probs = torch.tensor([[-1.0, -2.0, -100.0], [-3.0, -100.0, -100.0]])
    advantages = torch.tensor([[1.0, 2.0, 7.0], [3.0, 7.0, 7.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    np.testing.assert_allclose(float(losses.policy_gradient(log_probs, advantages, mask)), (1 + 4 + 9) / 6, rtol=1e-6)
    np.testing.assert_allclose(float(losses.negative_log_likelihood(log_probs, mask)), (1 + 2 + 3) / 3, rtol=1e-6)


def test_the_discriminators_loss_is_the_papers():
    real, fake = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, 3.0]])
    mask = torch.ones(1, 2, dtype=torch.bool)

    def d(log_odds):
        return 1 / (1 + math.exp(-log_odds))

    due = -np.mean([math.log(d(2.0)), math.log(d(-1.0))]) - np.mean([math.log(1 - d(0.5)), math.log(1 - d(3.0))])
    np.testing.assert_allclose(float(losses.discriminator_loss(real, mask, fake, mask)), due, rtol=1e-6)


def test_a_discriminator_that_knows_nothing_loses_two_bits():
    half = torch.zeros(3, 4)
    mask = torch.ones(3, 4, dtype=torch.bool)
    np.testing.assert_allclose(float(losses.discriminator_loss(half, mask, half, mask)), 2 * math.log(2), rtol=1e-6)


def test_the_discriminators_loss_stays_finite_where_a_sigmoid_would_be_one():
    sure, mask = torch.full((1, 1), 200.0), torch.ones(1, 1, dtype=torch.bool)
    assert float(losses.discriminator_loss(-sure, mask, sure, mask)) == 400.0


def test_the_log_probabilities_of_the_tokens_are_gathered_and_blanks_do_no_harm():
    distribution = torch.arange(12.0).view(1, 3, 4)
    assert losses.gather_log_probs(distribution, torch.tensor([[2, 3, 4]])).tolist() == [[2.0, 7.0, 8.0]]


def test_truncated_ratios_make_up_for_choices_of_another_policy():
    """The mean over what the old policy draws, weighed, is the mean over what the new one would draw."""
    logits, worth, mask = three_arms()
    old = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    new = logits.log_softmax(0)
    (due,) = torch.autograd.grad(-(new.exp() * worth).sum(), logits, retain_graph=True)
    weighed = torch.zeros(3, dtype=torch.float64)
    for arm in range(3):
        log_prob = new[arm].view(1, 1)
        weight = losses.truncated_ratio(log_prob, old[arm].log().view(1, 1), limit=100.0)
        assert not weight.requires_grad
        loss = losses.policy_gradient(log_prob, worth[arm] * weight, mask)
        weighed += old[arm] * torch.autograd.grad(loss, logits, retain_graph=True)[0]
    torch.testing.assert_close(weighed, due)
    limited = losses.truncated_ratio(torch.tensor([[0.0, -1.0]]), torch.tensor([[-3.0, -1.0]]), limit=2.0)
    assert limited.tolist() == [[2.0, 1.0]]
