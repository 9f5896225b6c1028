import numpy as np
import pytest
import torch
from torch import nn

from rlgan.learning.adversarial import NON_SATURATING, RELATIVISTIC, SATURATING
from rlgan.learning.direct_gradient import DirectGradient
from rlgan.types import RealBatch

A, B, W, C = 0.5, -0.2, 1.5, 0.3  # G(z) = A z + B; log-odds of D(x): W x + C
NOISE = np.array([[-1.0], [0.5], [2.0]], dtype=np.float32)
REAL = np.array([[0.1], [1.0], [-0.4]], dtype=np.float32)
RNG = np.random.default_rng(0)


class _Line(nn.Linear):
    def forward(self, x):
        return super().forward(x)


class _LogOdds(_Line):
    def forward(self, x):
        return super().forward(x)[:, 0]


def _line(kind, slope, offset):
    line = kind(1, 1)
    with torch.no_grad():
        line.weight.fill_(slope)
        line.bias.fill_(offset)
    return line


def _adapter(loss=NON_SATURATING, r1=0.0, r2=0.0):
    return DirectGradient(
        _line(_Line, A, B), _line(_LogOdds, W, C), noise=lambda _, count: NOISE[:count], loss=loss, r1=r1, r2=r2
    )


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


Z, X = NOISE[:, 0].astype(np.float64), REAL[:, 0].astype(np.float64)
MADE = A * Z + B
ODDS_FAKE, ODDS_REAL = W * MADE + C, W * X + C


@pytest.mark.parametrize(
    ("loss", "slopes"),  # of the loss along the log-odds of each generated sample, times 3
    [
        (SATURATING, -_sigmoid(ODDS_FAKE)),
        (NON_SATURATING, -_sigmoid(-ODDS_FAKE)),
        (RELATIVISTIC, -_sigmoid(ODDS_REAL - ODDS_FAKE)),
    ],
)
def test_the_gradient_reaches_the_generator_through_the_discriminator(loss, slopes):
    """d loss / d A = mean(slope * W * z), d loss / d B = mean(slope * W): the chain rule by hand."""
    adapter = _adapter(loss)
    value = adapter.generator_loss(None, RealBatch(REAL), 0.0, RNG).value
    along_a, along_b = torch.autograd.grad(value, list(adapter.generator.parameters()))
    np.testing.assert_allclose(float(along_a), (slopes * W * Z).mean(), rtol=1e-5)
    np.testing.assert_allclose(float(along_b), (slopes * W).mean(), rtol=1e-5)


def test_the_discriminators_gradient_by_hand():
    adapter = _adapter()
    value = adapter.discriminator_loss(None, RealBatch(REAL), RNG).value
    along_w, along_c = torch.autograd.grad(value, list(adapter.discriminator.parameters()))
    np.testing.assert_allclose(
        float(along_w), (-_sigmoid(-ODDS_REAL) * X).mean() + (_sigmoid(ODDS_FAKE) * MADE).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(float(along_c), -_sigmoid(-ODDS_REAL).mean() + _sigmoid(ODDS_FAKE).mean(), rtol=1e-5)
    # Nothing of it is left for the generator.
    assert torch.autograd.grad(value, list(adapter.generator.parameters()), allow_unused=True) == (None, None)


def test_the_penalties_are_those_of_a_line():
    """The slope is W everywhere, so each penalty is W^2 / 2."""
    plain = _adapter().discriminator_loss(None, RealBatch(REAL), RNG).value.item()
    loss = _adapter(r1=0.2, r2=3.0).discriminator_loss(None, RealBatch(REAL), RNG)
    np.testing.assert_allclose(loss.value.item(), plain + (0.2 + 3.0) * W**2 / 2, rtol=1e-6)
    np.testing.assert_allclose(float(loss.metrics["penalty_r1"]), W**2 / 2, rtol=1e-6)
    np.testing.assert_allclose(float(loss.metrics["penalty_r2"]), W**2 / 2, rtol=1e-6)


def test_the_values_are_log_half_and_twice_that_where_the_discriminator_can_t_tell():
    adapter = _adapter(RELATIVISTIC)
    nn.init.zeros_(adapter.discriminator.weight)
    nn.init.zeros_(adapter.discriminator.bias)
    generator = adapter.generator_loss(None, RealBatch(REAL), 0.0, RNG).metrics
    discriminator = adapter.discriminator_loss(None, RealBatch(REAL), RNG).metrics
    np.testing.assert_allclose(float(generator["value_generator"]), np.log(0.5), rtol=1e-6)
    np.testing.assert_allclose(float(discriminator["value_discriminator"]), 2 * np.log(0.5), rtol=1e-6)


def test_pictures_are_samples_too():
    """Samples of any shape: here [B, 3, 4, 4] from noise [B, 2]."""
    generator = nn.Sequential(nn.Linear(2, 48), nn.Unflatten(1, (3, 4, 4)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(48, 1), nn.Flatten(0))
    adapter = DirectGradient(
        generator, discriminator, noise=lambda _, n: np.ones((n, 2), np.float32), loss=RELATIVISTIC, r1=1.0, r2=1.0
    )
    real = RealBatch(np.zeros((5, 3, 4, 4), np.float32))
    for loss, network in (
        (adapter.generator_loss(None, real, 0.0, RNG), generator),
        (adapter.discriminator_loss(None, real, RNG), discriminator),
    ):
        gradients = torch.autograd.grad(loss.value, list(network.parameters()), allow_unused=True)
        assert gradients[0].abs().sum() > 0


def test_rollouts_and_supervision_are_refused():
    for real, supervision in ((None, 0.0), (RealBatch(REAL), 0.5)):
        with pytest.raises(ValueError, match="mend the plan"):
            _adapter().generator_loss(None, real, supervision, RNG)
