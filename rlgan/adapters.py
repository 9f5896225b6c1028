"""How the learning signal reaches the generator: a batch -> the two losses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlgan import objectives
from rlgan.networks.gru import GRUDiscriminator, GRUGenerator
from rlgan.returns import mean_of_others, unit_variance
from rlgan.rollout import sample_noise
from rlgan.types import Float, RealBatch, Rollout, Tokens


@dataclass(frozen=True)
class Loss:
    """What an optimiser lowers, and what a person reads beside it."""

    value: Tensor  # [] with gradient
    metrics: dict[str, Tensor]  # each [] without


class Adapter(Protocol):
    """What the learner asks of a kind of learning signal. It holds the networks."""

    @property
    def generator(self) -> nn.Module:
        """The network of the generator."""
        ...

    @property
    def discriminator(self) -> nn.Module:
        """The network of the discriminator."""
        ...

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, numbers: np.random.Generator
    ) -> Loss:
        """The generator's loss; `fakes` or `real` is None where the supervision leaves it no weight."""
        ...

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, numbers: np.random.Generator) -> Loss:
        """The discriminator's loss of one update; without `fakes`, against random samples."""
        ...


class PolicyGradient:
    """w * MLE + (1 - w) * REINFORCE for the generator, the usual loss at every token for the discriminator.

    Yala & Song, sections 4.1 and 4.2: their four methods are four schedules of w.
    """

    def __init__(
        self,
        generator: GRUGenerator,
        discriminator: GRUDiscriminator,
        *,
        stop_token: int | None,
        baseline: str,
        normalise_advantages: bool,
        entropy_bonus: float,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.stop_token = stop_token
        self.baseline = baseline
        self.normalise_advantages = normalise_advantages
        self.entropy_bonus = entropy_bonus

    def advantages(self, fakes: Rollout) -> Float:
        """What each choice is weighed with, float32 [B, T], 0 where not mask."""
        advantages = fakes.q_values
        if self.baseline == "others":
            advantages = (advantages - mean_of_others(fakes.q_values, fakes.mask)) * fakes.mask
        if self.normalise_advantages:
            advantages = unit_variance(advantages, fakes.mask)
        return advantages

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, numbers: np.random.Generator
    ) -> Loss:
        """Mix the two gradients as `supervision`, w, says; real tokens are read with a z of their own."""
        value = torch.zeros((), device=self._device)
        metrics: dict[str, Tensor] = {}
        if fakes is not None:
            tokens, mask = self._tensor(fakes.tokens), self._tensor(fakes.mask)
            distribution = self.generator(tokens, self._tensor(fakes.noise))
            policy = objectives.policy_gradient(
                objectives.chosen(distribution, tokens), self._tensor(self.advantages(fakes)), mask
            )
            value = value + (1 - supervision) * policy
            metrics["loss_policy_gradient"] = policy.detach()
            metrics["tokens"] = mask.sum()
            metrics["reward"] = objectives.masked_mean(self._tensor(fakes.rewards), mask)
            metrics["q_value"] = objectives.masked_mean(self._tensor(fakes.q_values), mask)
            metrics["entropy"] = -objectives.masked_mean(self._tensor(fakes.log_probs), mask)
            if self.entropy_bonus:
                entropy = objectives.masked_mean(objectives.entropy(distribution), mask)
                value = value - (1 - supervision) * self.entropy_bonus * entropy
        if real is not None:
            tokens = self._tensor(real.real)
            noise = sample_noise(numbers, len(tokens), self.generator.gru.hidden_size)
            distribution = self.generator(tokens, self._tensor(noise))
            likelihood = objectives.likelihood(objectives.chosen(distribution, tokens), self._mask(tokens))
            value = value + supervision * likelihood
            metrics["loss_mle"] = likelihood.detach()
            metrics.setdefault("tokens", self._mask(tokens).sum())
        return Loss(value, metrics)

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, numbers: np.random.Generator) -> Loss:
        """The usual loss after every counted token of both."""
        made = fakes.tokens if fakes is not None else self._random_tokens(real.real.shape, numbers)
        generated, genuine = self._tensor(made), self._tensor(real.real)
        generated_mask, genuine_mask = self._mask(generated), self._mask(genuine)
        fake, true = self.discriminator(generated), self.discriminator(genuine)
        value = objectives.discriminator(true, genuine_mask, fake, generated_mask)
        metrics = {
            "loss_discriminator": value.detach(),
            "discriminator_real": objectives.masked_mean(true.detach().sigmoid(), genuine_mask),
            "discriminator_generated": objectives.masked_mean(fake.detach().sigmoid(), generated_mask),
        }
        return Loss(value, metrics)

    @property
    def _device(self) -> torch.device:
        return self.generator.output.weight.device

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        # A copy: what came through the object store is read-only.
        return torch.tensor(values, device=self._device)

    def _mask(self, tokens: Tensor) -> Tensor:
        return tokens < self.generator.vocab_size

    def _random_tokens(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Tokens:
        blank = self.generator.vocab_size
        tokens = numbers.integers(blank, size=shape)
        if self.stop_token is not None:
            stops = tokens == self.stop_token
            tokens[stops.cumsum(axis=1) - stops > 0] = blank
        return tokens


class DirectGradient:
    """The gradient reaches the generator through the discriminator, which reads its samples (Goodfellow et al. 2014).

    Args:
        generator: noise [B, Z] -> samples [B, ...].
        discriminator: samples [B, ...] -> log-odds [N]; N is B, or less where it reads several samples as one.
        noise: a stream and B -> float32 [B, Z].
        loss: a name in `objectives.ADVERSARIAL`.
        r1: weight of the gradient penalty on real samples.
        r2: weight of that on generated ones.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        noise: Callable[[np.random.Generator, int], Float],
        loss: str,
        r1: float,
        r2: float,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.noise = noise
        self.loss = objectives.ADVERSARIAL[loss]
        self.r1 = r1
        self.r2 = r2

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, numbers: np.random.Generator
    ) -> Loss:
        """The generator's loss on samples of its own, as many as the real batch has; there is no supervision.

        Raises:
            ValueError: rollouts or supervision, which this adapter can't use, or no real batch.
        """
        if fakes is not None or real is None or supervision:
            raise ValueError("a direct gradient needs a real batch, and no rollouts and no supervision: mend the plan")
        fake = self.discriminator(self.generator(self._noise(real, numbers)))
        with torch.no_grad():
            true = self.discriminator(self._tensor(real)) if self.loss.paired else fake
        value = self.loss.generator(true, fake)
        metrics = {
            "loss_generator": value.detach(),
            "value_generator": objectives.saturating(fake.detach()),
            "samples": torch.tensor(len(real.real)),
        }
        return Loss(value, metrics)

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, numbers: np.random.Generator) -> Loss:
        """The discriminator's loss on a real batch and on as many samples made for it, with the penalties.

        The `value` metrics are what the paper draws: E log(1 - D(G(z))) of the generator's last update, which is
        log .5 = -.69 where D is .5, and E log D(x) + E log(1 - D(G(z))), there -1.386.
        """
        if fakes is not None:
            raise ValueError("a direct gradient can't use rollouts: mend the plan")
        genuine = self._tensor(real).requires_grad_(self.r1 > 0)
        with torch.no_grad():
            generated = self.generator(self._noise(real, numbers))
        generated.requires_grad_(self.r2 > 0)
        true, fake = self.discriminator(genuine), self.discriminator(generated)
        value = self.loss.discriminator(true, fake)
        metrics = {
            "loss_discriminator": value.detach(),
            "value_discriminator": -objectives.cross_entropy(true.detach(), fake.detach()),
            "discriminator_real": true.detach().sigmoid().mean(),
            "discriminator_generated": fake.detach().sigmoid().mean(),
        }
        for name, weight, odds, samples in (("r1", self.r1, true, genuine), ("r2", self.r2, fake, generated)):
            if weight:
                penalty = objectives.gradient_penalty(odds, samples)
                value = value + weight * penalty
                metrics[f"penalty_{name}"] = penalty.detach()
        return Loss(value, metrics)

    @property
    def _device(self) -> torch.device:
        return next(self.generator.parameters()).device

    def _noise(self, real: RealBatch, numbers: np.random.Generator) -> Tensor:
        return torch.from_numpy(self.noise(numbers, len(real.real))).to(self._device)

    def _tensor(self, batch: RealBatch) -> Tensor:
        return torch.tensor(batch.real, device=self._device)
