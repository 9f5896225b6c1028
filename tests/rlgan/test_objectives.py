import math

import numpy as np
import torch

from rlgan import objectives


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


REAL, FAKE = torch.tensor([0.3, -1.2, 2.0]), torch.tensor([-0.7, 0.4, 1.1])


def _d(log_odds):
    return 1 / (1 + np.exp(-log_odds.numpy().astype(np.float64)))


def test_each_adversarial_loss_is_what_its_definition_says():
    d_real, d_fake = _d(REAL), _d(FAKE)
    usual = -np.log(d_real).mean() - np.log(1 - d_fake).mean()
    wins = -np.log(_d(REAL - FAKE)).mean()  # D(x beats G(z))
    due = {
        "saturating": (np.log(1 - d_fake).mean(), usual),
        "non_saturating": (-np.log(d_fake).mean(), usual),
        "relativistic": (-np.log(_d(FAKE - REAL)).mean(), wins),
    }
    assert objectives.ADVERSARIAL.keys() == due.keys()
    for name, (generator, discriminator) in due.items():
        losses = objectives.ADVERSARIAL[name]
        np.testing.assert_allclose(float(losses.generator(REAL, FAKE)), generator, rtol=1e-6)
        np.testing.assert_allclose(float(losses.discriminator(REAL, FAKE)), discriminator, rtol=1e-6)


def test_the_gradient_penalty_is_half_the_mean_square_of_the_slope():
    """f(x, y) = x^2 + 3 y at (1, 0) and (2, 5): slopes (2, 3) and (4, 3), squares 13 and 25."""
    samples = torch.tensor([[1.0, 0.0], [2.0, 5.0]], requires_grad=True)
    weight = torch.tensor(1.0, requires_grad=True)
    penalty = objectives.gradient_penalty(weight * (samples[:, 0] ** 2 + 3 * samples[:, 1]), samples)
    assert penalty.item() == (13 + 25) / 2 / 2
    # It has a gradient of its own: with the weight squared, twice its value.
    assert torch.autograd.grad(penalty, weight)[0].item() == 2 * penalty.item()
