"""How the learning signal reaches the generator: a batch -> the two losses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from envs import REWARD_RULES
from rlgan import objectives
from rlgan.config import TextConfig
from rlgan.networks.baselines import Critic, RunningMean
from rlgan.networks.text import TextDiscriminator, TextGenerator
from rlgan.parallel import ALONE, Group
from rlgan.returns import mean_of_others, unit_variance
from rlgan.rollout import sample_noise
from rlgan.types import Float, Mask, RealBatch, Rollout, Tokens


@dataclass(frozen=True)
class Loss:
    """What an optimiser lowers, and what a person reads beside it."""

    value: Tensor  # [] with gradient
    metrics: dict[str, Tensor]  # each [] without
    others: dict[str, Tensor] = field(default_factory=dict)  # of the adapter's other modules that learn, by name


class Adapter(Protocol):
    """What the learner asks of a kind of learning signal. It holds the networks.

    Where several learners share every batch, fakes and real samples are this learner's rows, and so is the loss: the
    mean of the losses of all is that of the batch.
    """

    @property
    def group(self) -> Group:
        """The learners that share every batch."""
        ...

    @property
    def generator(self) -> nn.Module:
        """The network of the generator."""
        ...

    @property
    def discriminator(self) -> nn.Module:
        """The network of the discriminator."""
        ...

    @property
    def others(self) -> Mapping[str, nn.Module]:
        """Modules beside the two networks that learn or keep something from step to step, by name."""
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
    """w * MLE + (1 - w) * policy gradient for the generator, the usual loss at every token for the discriminator.

    Yala & Song, sections 4.1 and 4.2: their four methods are four schedules of w.

    Args:
        generator: the policy.
        discriminator: the judge; with `every_token` where the estimator is all_tokens.
        control: a discriminator whose judgement all_tokens takes in place of the other's, or None.
        settings: the recipe.
        stop_token: what ends a sequence, or None.
        group: the learners that share every batch.
    """

    def __init__(
        self,
        generator: TextGenerator,
        discriminator: TextDiscriminator,
        control: TextDiscriminator | None,
        settings: TextConfig,
        stop_token: int | None,
        group: Group = ALONE,
    ) -> None:
        self.group = group
        self.generator = generator
        self.discriminator = discriminator
        self.control = control
        self.settings = settings
        self.stop_token = stop_token
        self.others: dict[str, nn.Module] = {}
        s = settings
        if s.baseline == "learned":
            self.others["baseline"] = Critic(s.hidden_size)
        elif s.baseline in ("moving_average", "per_position"):
            self.others["baseline"] = RunningMean(1 if s.baseline == "moving_average" else s.length, s.baseline_decay)
        for module in self.others.values():
            module.to(self._device)

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, numbers: np.random.Generator
    ) -> Loss:
        """Mix the two gradients as `supervision`, w, says; real tokens are read with a z of their own."""
        loss = Loss(torch.zeros((), device=self._device), {})
        if fakes is not None:
            policy = self._policy(fakes, numbers)
            loss = Loss((1 - supervision) * policy.value, policy.metrics, policy.others)
        if real is not None:
            tokens = self._tensor(real.real)
            whole = sample_noise(numbers, self.group.size * len(tokens), self.generator.noise_size)
            noise = self.group.rows(whole)
            distribution = self.generator(tokens, self._tensor(noise))
            mask = self._mask(tokens)
            log_probs = objectives.chosen(distribution, tokens)
            likelihood = objectives.likelihood(log_probs, mask, self.group.masked_mean)
            metrics = {"tokens": self.group.size * mask.sum()} | loss.metrics | {"loss_mle": likelihood.detach()}
            loss = Loss(loss.value + supervision * likelihood, metrics, loss.others)
        return loss

    def _policy(self, fakes: Rollout, numbers: np.random.Generator) -> Loss:
        """The policy gradient of a batch of rollouts."""
        tokens, mask = self._tensor(fakes.tokens), self._tensor(fakes.mask)
        states = self.generator.states(tokens, self._tensor(fakes.noise))
        distribution = self.generator.distribution(states)
        log_probs = objectives.chosen(distribution, tokens)
        s = self.settings
        q_values, value = fakes.q_values, torch.zeros((), device=self._device)
        if s.estimator == "all_tokens":
            rewards = self._rewards(tokens, numbers)
            rule = objectives.expected_reward if s.weighting == "expected" else objectives.forward_kl
            value = rule(distribution, rewards, mask)
            # The reward of this token is in the sum; what the sample still tells is what comes after it.
            q_values = fakes.q_values - fakes.rewards
        others: dict[str, Tensor] = {}
        if s.estimator == "reinforce" or s.discount:
            advantages, others = self.advantages(q_values, fakes.mask, states.detach())
            if s.lag and s.importance_limit:
                behaviour = self._tensor(fakes.log_probs)
                advantages = advantages * objectives.importance(log_probs, behaviour, s.importance_limit)
            value = value + objectives.policy_gradient(log_probs, advantages, mask)
        sequences = self.group.gather(tokens).cpu().numpy()
        metrics = {
            "loss_policy_gradient": value.detach(),
            "tokens": self.group.size * mask.sum(),
            "reward": self.group.masked_mean(self._tensor(fakes.rewards), mask),
            "q_value": self.group.masked_mean(self._tensor(fakes.q_values), mask),
            "entropy": -self.group.masked_mean(self._tensor(fakes.log_probs), mask),
            "distinct": torch.tensor(len(np.unique(sequences, axis=0)) / len(sequences)),
        }
        if s.entropy_bonus:
            value = value - s.entropy_bonus * self.group.masked_mean(objectives.entropy(distribution), mask)
        return Loss(value, metrics, others)

    def advantages(self, q_values: Float, mask: Mask, states: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What each choice is weighed with, [B, T], 0 where not mask, and the loss of a baseline that learns.

        Args:
            q_values: float32 [B, T], 0 where not mask.
            mask: bool [B, T].
            states: [B, T, H], the generator's, without gradient.
        """
        targets, counted = self._tensor(q_values), self._tensor(mask)
        baseline, losses = torch.zeros_like(targets), dict[str, Tensor]()
        keeper = self.others.get("baseline")
        if self.settings.baseline == "others":
            whole = mean_of_others(self._whole(targets), self._whole(counted))
            baseline = self._tensor(self.group.rows(whole))
        elif isinstance(keeper, RunningMean):
            baseline = keeper().expand_as(targets)
            keeper.take(self.group.gather(targets), self.group.gather(counted))
        elif keeper is not None:
            values = keeper(states)
            baseline, losses["baseline"] = (
                values.detach(),
                objectives.squared_error(values, targets, counted, self.group.masked_mean),
            )
        advantages = (targets - baseline) * counted
        if self.settings.normalise_advantages:
            whole = unit_variance(self._whole(advantages), self._whole(counted))
            advantages = self._tensor(self.group.rows(whole))
        return advantages, losses

    @torch.no_grad()
    def _rewards(self, tokens: Tensor, numbers: np.random.Generator) -> Tensor:
        """The reward [B, T, V] of every token at each place of tokens [B, T], by D as it is or by the control."""
        if self.settings.reward_control == "constant":
            return torch.ones(*tokens.shape, self.generator.vocab_size, device=self._device)
        judge = self.control or self.discriminator
        judge.eval()
        log_odds = judge.every_next(tokens)
        judge.train()
        before = functional.pad(objectives.chosen(log_odds, tokens)[:, :-1], (1, 0))
        if self.settings.reward_control == "shuffled":
            # Dealt to other tokens: dealt to other sequences alone, they would still tell which words real text has.
            log_odds = log_odds[..., self._tensor(numbers.permutation(log_odds.shape[-1]))]
        rule = REWARD_RULES[self.settings.reward]
        return torch.from_numpy(rule(log_odds.cpu().numpy(), before[..., None].cpu().numpy())).to(self._device)

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, numbers: np.random.Generator) -> Loss:
        """The usual loss after every counted token of both."""
        made = fakes.tokens if fakes is not None else self._random_tokens(real.real.shape, numbers)
        generated, genuine = self._tensor(made), self._tensor(real.real)
        generated_mask, genuine_mask = self._mask(generated), self._mask(genuine)
        fake, true = self.discriminator(generated), self.discriminator(genuine)
        value = objectives.discriminator(true, genuine_mask, fake, generated_mask, self.group.masked_mean)
        metrics = {
            "loss_discriminator": value.detach(),
            "discriminator_real": self.group.masked_mean(true.detach().sigmoid(), genuine_mask),
            "discriminator_generated": self.group.masked_mean(fake.detach().sigmoid(), generated_mask),
        }
        return Loss(value, metrics)

    @property
    def _device(self) -> torch.device:
        return self.generator.output.weight.device

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        # A copy: what came through the object store is read-only.
        return torch.tensor(values, device=self._device)

    def _whole(self, rows: Tensor) -> NDArray[Any]:
        return self.group.gather(rows).cpu().numpy()

    def _mask(self, tokens: Tensor) -> Tensor:
        return tokens < self.generator.vocab_size

    def _random_tokens(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Tokens:
        blank = self.generator.vocab_size
        rows, length = shape
        tokens = self.group.rows(numbers.integers(blank, size=(self.group.size * rows, length)))
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
        group: the learners that share every batch.
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
        group: Group = ALONE,
    ) -> None:
        self.group = group
        self.generator = generator
        self.discriminator = discriminator
        self.others: dict[str, nn.Module] = {}
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
            "samples": torch.tensor(self.group.size * len(real.real)),
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
        whole = self.noise(numbers, self.group.size * len(real.real))
        return torch.from_numpy(self.group.rows(whole)).to(self._device)

    def _tensor(self, batch: RealBatch) -> Tensor:
        return torch.tensor(batch.real, device=self._device)
