import numpy as np
import torch

from rlgan.learning.adversarial import gradient_penalty
from rlgan.learning.tables import ADVERSARIAL_LOSSES
from rlgan.task import resolve

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
    assert ADVERSARIAL_LOSSES.keys() == due.keys()
    for name, (generator, discriminator) in due.items():
        losses = resolve(name, ADVERSARIAL_LOSSES)
        np.testing.assert_allclose(float(losses.generator(REAL, FAKE)), generator, rtol=1e-6)
        np.testing.assert_allclose(float(losses.discriminator(REAL, FAKE)), discriminator, rtol=1e-6)


def test_the_gradient_penalty_is_half_the_mean_square_of_the_slope():
    """f(x, y) = x^2 + 3 y at (1, 0) and (2, 5): slopes (2, 3) and (4, 3), squares 13 and 25."""
    samples = torch.tensor([[1.0, 0.0], [2.0, 5.0]], requires_grad=True)
    weight = torch.tensor(1.0, requires_grad=True)
    penalty = gradient_penalty(weight * (samples[:, 0] ** 2 + 3 * samples[:, 1]), samples)
    assert penalty.item() == (13 + 25) / 2 / 2
    # It has a gradient of its own: with the weight squared, twice its value.
    assert torch.autograd.grad(penalty, weight)[0].item() == 2 * penalty.item()
