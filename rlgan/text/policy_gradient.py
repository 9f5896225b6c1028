"""The learning signal of text: policy gradients, mixed with maximum likelihood."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from envs import REWARD_RULES
from rlgan.learning import losses as objectives
from rlgan.learning.group import ALONE, Group
from rlgan.learning.loss import Loss
from rlgan.learning.weights import sample_noise
from rlgan.text.baselines import Critic, RunningMean
from rlgan.text.networks import TextDiscriminator, TextGenerator
from rlgan.text.returns import mean_of_others, unit_variance
from rlgan.text.settings import TextSettings
from rlgan.types import Float, Mask, RealBatch, Rollout, Tokens


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
        settings: TextSettings,
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
        if s.baselines.baseline == "learned":
            self.others["baseline"] = Critic(s.networks.hidden_size)
        elif s.baselines.baseline in ("moving_average", "per_position"):
            self.others["baseline"] = RunningMean(
                1 if s.baselines.baseline == "moving_average" else s.corpus.length, s.baselines.baseline_decay
            )
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
        if s.policy.estimator == "all_tokens":
            rewards = self._rewards(tokens, numbers)
            rule = objectives.expected_reward if s.policy.weighting == "expected" else objectives.forward_kl
            value = rule(distribution, rewards, mask)
            # The reward of this token is in the sum; what the sample still tells is what comes after it.
            q_values = fakes.q_values - fakes.rewards
        others: dict[str, Tensor] = {}
        if s.policy.estimator == "reinforce" or s.rewards.discount:
            advantages, others = self.advantages(q_values, fakes.mask, states.detach())
            if s.lag and s.policy.importance_limit:
                behaviour = self._tensor(fakes.log_probs)
                advantages = advantages * objectives.importance(log_probs, behaviour, s.policy.importance_limit)
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
        if s.policy.entropy_bonus:
            value = value - s.policy.entropy_bonus * self.group.masked_mean(objectives.entropy(distribution), mask)
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
        if self.settings.baselines.baseline == "leave_one_out":
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
        if self.settings.policy.normalise_advantages:
            whole = unit_variance(self._whole(advantages), self._whole(counted))
            advantages = self._tensor(self.group.rows(whole))
        return advantages, losses

    @torch.no_grad()
    def _rewards(self, tokens: Tensor, numbers: np.random.Generator) -> Tensor:
        """The reward [B, T, V] of every token at each place of tokens [B, T], by D as it is or by the control."""
        if self.settings.rewards.reward_control == "constant":
            return torch.ones(*tokens.shape, self.generator.vocab_size, device=self._device)
        judge = self.control or self.discriminator
        judge.eval()
        log_odds = judge.every_next(tokens)
        judge.train()
        before = functional.pad(objectives.chosen(log_odds, tokens)[:, :-1], (1, 0))
        if self.settings.rewards.reward_control == "shuffled":
            # Dealt to other tokens: dealt to other sequences alone, they would still tell which words real text has.
            log_odds = log_odds[..., self._tensor(numbers.permutation(log_odds.shape[-1]))]
        rule = REWARD_RULES[self.settings.rewards.reward]
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
