"""How the learning signal reaches the generator: a batch -> the two losses."""

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
