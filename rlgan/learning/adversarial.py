"""Adversarial losses of both players and the gradient penalty: log-odds -> scalar. No networks, no state.

Log-odds are float32 [N], before the sigmoid: D(x) = sigmoid(f(x)). A loss of your own is an `AdversarialLoss`; the
names that settings offer are in `rlgan.learning.tables`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


# Through softplus, because log(sigmoid(f)) is minus infinity in float32 where D is sure.
def saturating(fake: Tensor) -> Tensor:
    """The generator's side of the minimax game, E log(1 - D(G(z))) (Goodfellow et al. 2014, equation 1).

    Args:
        fake: log-odds [N] of generated samples.

    Example:
        >>> saturating(torch.tensor([0.0]))  # D = 1/2: -log 2
        tensor(-0.6931)
        >>> saturating(torch.tensor([100.0]))  # in float32 D = 1, and its log(1 - D) would be minus infinity
        tensor(-100.)
    """
    return -functional.softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E log D(G(z)): the same optimum, and a strong gradient where D is sure (Goodfellow et al. 2014, section 3).

    Example:
        >>> non_saturating(torch.tensor([0.0]))  # D = 1/2: log 2
        tensor(0.6931)

    Args:
        fake: log-odds [N] of generated samples.
    """
    return functional.softplus(-fake).mean()


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's usual loss, -E log D(x) - E log(1 - D(G(z))).

    Args:
        real: log-odds [N] of real samples.
        fake: log-odds [M] of generated samples.

    Example:
        >>> cross_entropy(real=torch.tensor([0.0]), fake=torch.tensor([0.0]))  # D = 1/2 on both: 2 log 2
        tensor(1.3863)
    """
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def relativistic(winner: Tensor, loser: Tensor) -> Tensor:
    """E softplus(-(f(winner) - f(loser))), pair by pair (R3GAN, Huang et al. 2024, equation 2).

    The discriminator wants real samples to win, the generator its own.

    Example:
        >>> relativistic(winner=torch.tensor([2.0]), loser=torch.tensor([2.0]))  # neither wins: log 2
        tensor(0.6931)

    Args:
        winner: log-odds [N] of the samples that should look more real.
        loser: log-odds [N] of the others.
    """
    return functional.softplus(loser - winner).mean()


def gradient_penalty(log_odds: Tensor, samples: Tensor) -> Tensor:
    """E |grad_x f(x)|^2 / 2: R1 on real samples, R2 on generated ones (Mescheder et al. 2018, section 4.1).

    Where f reads several samples at once, the gradient is that of the sum of all log-odds.

    Args:
        log_odds: [N], computed from `samples`.
        samples: [B, ...], which require a gradient.

    Example:
        >>> samples = torch.tensor([[1.0], [2.0]], requires_grad=True)
        >>> gradient_penalty(samples.square().sum(dim=1), samples).item()  # gradients 2 and 4: (4 + 16) / 2 / 2
        5.0
    """
    # The penalty is itself differentiated by the discriminator's parameters: hence create_graph.
    (gradient,) = torch.autograd.grad(log_odds.sum(), samples, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean() / 2


@dataclass(frozen=True)
class AdversarialLoss:
    """The losses of both players, functions of the log-odds of real and of generated samples, [N] each.

    Example:
        >>> hinge = AdversarialLoss(
        ...     generator=lambda real, fake: -fake.mean(),
        ...     discriminator=lambda real, fake: (1 - real).relu().mean() + (1 + fake).relu().mean(),
        ... )
        >>> hinge.discriminator(torch.tensor([2.0]), torch.tensor([0.0]))
        tensor(1.)
    """

    generator: Callable[[Tensor, Tensor], Tensor]
    discriminator: Callable[[Tensor, Tensor], Tensor]
    # Whether the generator's loss depends on the real log-odds; where it does not, they are not computed for it.
    paired: bool = False


SATURATING = AdversarialLoss(lambda _, fake: saturating(fake), cross_entropy)
NON_SATURATING = AdversarialLoss(lambda _, fake: non_saturating(fake), cross_entropy)
RELATIVISTIC = AdversarialLoss(lambda real, fake: relativistic(fake, real), relativistic, paired=True)
