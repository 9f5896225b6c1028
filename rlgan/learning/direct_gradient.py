"""The learning signal that reaches the generator straight through the discriminator."""

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from rlgan.learning.adversarial import AdversarialLoss, cross_entropy, gradient_penalty, saturating
from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner, RealSource
from rlgan.learning.loss import Loss
from rlgan.learning.optimizers import make_optimizer
from rlgan.learning.settings import LossSettings, OptimizerSettings, PlayerSettings
from rlgan.learning.tables import ADVERSARIAL_LOSSES
from rlgan.rng import Purpose, torch_seed
from rlgan.settings import resolve
from rlgan.types import Float, RealBatch, Rollout, Weights


class DirectGradient:
    """The gradient reaches the generator through the discriminator, which reads its samples (Goodfellow et al. 2014).

    Args:
        generator: noise [B, Z] -> samples [B, ...].
        discriminator: samples [B, ...] -> log-odds [N]; N is B, or less where it reads several samples as one.
        noise: a random stream and B -> float32 [B, Z].
        loss: the losses of both players.
        r1: weight of the gradient penalty on real samples.
        r2: weight of that on generated ones.
        group: the learners that share every batch.

    Example:
        >>> from rlgan.learning.adversarial import NON_SATURATING
        >>> generator, discriminator = nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.Flatten(0))
        >>> _ = [nn.init.zeros_(each) for each in discriminator.parameters()]  # D = 1/2 everywhere
        >>> noise = lambda rng, count: rng.standard_normal((count, 1), dtype=np.float32)
        >>> signal = DirectGradient(generator, discriminator, noise=noise, loss=NON_SATURATING, r1=0.0, r2=0.0)
        >>> real, rng = RealBatch(np.ones((4, 1), np.float32)), np.random.default_rng(0)
        >>> signal.generator_loss(None, real, 0.0, rng).metrics["loss_generator"]  # log 2
        tensor(0.6931)
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        noise: Callable[[np.random.Generator, int], Float],
        loss: AdversarialLoss,
        r1: float,
        r2: float,
        group: Group = ALONE,
    ) -> None:
        self.group = group
        self.generator = generator
        self.discriminator = discriminator
        self.auxiliary_modules: dict[str, nn.Module] = {}
        self.noise = noise
        self.loss = loss
        self.r1 = r1
        self.r2 = r2
        # Once: to walk to the first parameter takes as long as a small layer does.
        self._device = next(generator.parameters()).device

    def begin(self, step: int) -> None:
        """Nothing: no loss depends on the networks of earlier steps."""

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, rng: np.random.Generator
    ) -> Loss:
        """The generator's loss on samples of its own, as many as the real batch has; there is no supervision.

        Raises:
            ValueError: rollouts or supervision, which this adapter can't use, or no real batch.
        """
        if fakes is not None or real is None or supervision:
            raise ValueError(
                f"a direct gradient got {'no ' if fakes is None else ''}rollouts, {'no' if real is None else 'a'} real "
                f"batch and supervision {supervision}: it needs a real batch, and no rollouts and no supervision; mend "
                "the plan"
            )
        fake = self.discriminator(self.generator(self._noise(real, rng)))
        # The generator changes no real sample, so that nothing has to flow back through these.
        with torch.no_grad():
            true = self.discriminator(self._tensor(real)) if self.loss.paired else fake
        value = self.loss.generator(true, fake)
        metrics = {
            "loss_generator": value.detach(),
            "value_generator": saturating(fake.detach()),
            "samples": torch.tensor(self.group.size * len(real.real)),
        }
        return Loss(value, metrics)

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, rng: np.random.Generator) -> Loss:
        """The discriminator's loss on a real batch and on as many samples made for it, with the penalties.

        The `value` metrics are what the paper draws (Yala & Song, figure 3): E log(1 - D(G(z))) of the generator's last
        update, which is log .5 = -.69 where D is .5, and E log D(x) + E log(1 - D(G(z))), there -1.386.

        Raises:
            ValueError: rollouts, which this adapter can't use.
        """
        if fakes is not None:
            raise ValueError("a direct gradient got rollouts, which it can't use; mend the plan")
        # Penalties need gradients along the samples; without them the graph stops at the first layer, which is faster.
        real_samples = self._tensor(real).requires_grad_(self.r1 > 0)
        with torch.no_grad():
            fake_samples = self.generator(self._noise(real, rng))
        # A leaf, because it was made without gradient: of anything else torch refuses to turn the gradient off.
        fake_samples.requires_grad_(self.r2 > 0)
        # Each by itself: where the discriminator reads several samples as one, they must all be real or all generated.
        true, fake = self.discriminator(real_samples), self.discriminator(fake_samples)
        value = self.loss.discriminator(true, fake)
        metrics = {
            "loss_discriminator": value.detach(),
            "value_discriminator": -cross_entropy(true.detach(), fake.detach()),
            "discriminator_real": true.detach().sigmoid().mean(),
            "discriminator_generated": fake.detach().sigmoid().mean(),
        }
        penalised = (("r1", self.r1, true, real_samples), ("r2", self.r2, fake, fake_samples))
        for name, weight, log_odds, samples in penalised:
            if weight:
                penalty = gradient_penalty(log_odds, samples)
                value = value + weight * penalty
                metrics[f"penalty_{name}"] = penalty.detach()
        return Loss(value, metrics)

    def _noise(self, real: RealBatch, rng: np.random.Generator) -> Tensor:
        # Drawn for the whole group, of which each takes its rows: the batch does not depend on how many share it.
        whole = self.noise(rng, self.group.size * len(real.real))
        return torch.from_numpy(self.group.rows(whole)).to(self._device)

    def _tensor(self, batch: RealBatch) -> Tensor:
        return torch.tensor(batch.real, device=self._device)


class DirectGradientSettings(Protocol):
    """What a recipe has, whose learner has the direct gradient."""

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        ...

    @property
    def players(self) -> PlayerSettings:
        """How fast and how often both players learn."""
        ...

    @property
    def optimization(self) -> OptimizerSettings:
        """The optimiser of both."""
        ...

    @property
    def adversarial(self) -> LossSettings:
        """The losses of both."""
        ...


S = TypeVar("S", bound=DirectGradientSettings)


def direct_gradient_learner(
    source: RealSource,
    settings: S,
    make_networks: Callable[[S], tuple[nn.Module, nn.Module]],
    *,
    noise: Callable[[np.random.Generator, int], Float],
    device: torch.device,
    group: Group,
) -> Learner:
    """A learner with the direct gradient and fresh networks, the same for the same seed on every device.

    Args:
        source: of real batches.
        settings: the recipe.
        make_networks: gives the generator, noise [B, Z] -> samples [B, ...], and the discriminator, samples [B, ...] ->
            log-odds [N].
        noise: a random stream and B -> float32 [B, Z].
        device: where they learn.
        group: the learners that share every batch.
    """
    # torch initialises modules from its global generator alone. It does so on the CPU, before they are moved: a GPU's
    # generator would give other first weights for the same seed.
    torch.manual_seed(torch_seed(settings.seed, Purpose.INITIALISE))
    generator, discriminator = (network.to(device) for network in make_networks(settings))
    players, adversarial = settings.players, settings.adversarial
    loss = resolve(adversarial.loss, ADVERSARIAL_LOSSES)
    adapter = DirectGradient(
        generator, discriminator, noise=noise, loss=loss, r1=adversarial.r1, r2=adversarial.r2, group=group
    )
    return Learner(
        adapter,
        source,
        {
            "generator": make_optimizer(generator, players.generator_learning_rate, settings.optimization),
            "discriminator": make_optimizer(discriminator, players.discriminator_learning_rate, settings.optimization),
        },
        # An infinite bound clips nothing, and the norm is still measured.
        gradient_norm=math.inf,
        generator_ema_decay=players.generator_ema_decay,
        seed=settings.seed,
    )


class NoRollouts:
    """What a rollout worker holds where no step has rollouts."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> Rollout:
        """Never asked for: no plan has draws.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"shard {shard} of draw {draw} of step {step} of version {weights.version}")
