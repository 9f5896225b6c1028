"""The learning signal of text: policy gradients, mixed with maximum likelihood."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlgan.learning.group import ALONE, Group
from rlgan.learning.loss import Loss
from rlgan.learning.weights import sample_noise
from rlgan.text.advantages import Advantages, OwnReward
from rlgan.text.discrimination import Discrimination
from rlgan.text.estimators.estimator import Estimator, Judge, Policy, RolloutTensors
from rlgan.text.losses import negative_log_likelihood
from rlgan.text.models.generator import TextGenerator
from rlgan.text.models.next_token import chosen_log_probs
from rlgan.text.ngrams import distinct_sequences
from rlgan.text.settings import MemorySettings
from rlgan.types import RealBatch, Rollout, Tokens


class PolicyGradient:
    """w * MLE + (1 - w) * policy gradient for the generator, the usual loss at every token for the discriminator.

    Yala & Song, sections 4.1 and 4.2: their four methods are four schedules of w.

    Args:
        generator: the policy.
        discrimination: how the discriminator learns to tell real text from generated; the estimator may need one that
            scores all tokens.
        estimator: of the policy gradient.
        advantages: what sampled choices are weighed with.
        judge: makes, from the random numbers of an update, what scores every next token for the estimator.
        entropy_bonus: weight of the generator's entropy, in nats per token, in its objective.
        likelihood_dropout: of the generator's embeddings and states while it learns from real text.
        stop_token: what ends a sequence, or None.
        logits_mib: of logits that are held at once.
        group: the learners that share every batch.
    """

    def __init__(
        self,
        generator: TextGenerator,
        discrimination: Discrimination,
        *,
        estimator: Estimator,
        advantages: Advantages,
        judge: Callable[[np.random.Generator], Judge],
        entropy_bonus: float = 0.0,
        likelihood_dropout: float = 0.0,
        stop_token: int | None = None,
        logits_mib: float = MemorySettings().logits_mib,
        group: Group = ALONE,
    ) -> None:
        self.group = group
        self.generator = generator
        self.discrimination = discrimination
        self.discriminator = discrimination.discriminator
        self.estimator = estimator
        self.advantages = advantages
        self.judge = judge
        self.entropy_bonus = entropy_bonus
        self.likelihood_dropout = likelihood_dropout
        self.stop_token = stop_token
        self.logits_mib = logits_mib
        # What is in here is saved with the networks, and has an optimiser if it has parameters.
        self.auxiliary_modules: dict[str, nn.Module] = {}
        if isinstance(advantages.baseline, nn.Module):
            self.auxiliary_modules["baseline"] = advantages.baseline
        if discrimination.saved_writers is not None:
            self.auxiliary_modules["writers"] = discrimination.saved_writers

    def begin(self, step: int) -> None:
        """Keep the generator of before the step, where the discriminator's loss asks who wrote the rollouts."""
        self.discrimination.keep_writer(step)

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, rng: np.random.Generator
    ) -> Loss:
        """Mix the two losses as `supervision`, w, says; real tokens are read with a z of their own."""
        loss = Loss(torch.zeros((), device=self.generator.device), {})
        if fakes is not None:
            # Before the likelihood: the order of the two is that in which they draw from `rng`.
            policy = self._policy_loss(RolloutTensors.of(fakes, self.generator.device), rng)
            loss = Loss((1 - supervision) * policy.value, policy.metrics, policy.auxiliary_losses)
        if real is not None:
            likelihood = self._likelihood_loss(real, rng)
            value = loss.value + supervision * likelihood.value
            # Both count tokens; of the two counts that of the rollouts stays.
            loss = Loss(value, likelihood.metrics | loss.metrics, loss.auxiliary_losses)
        return loss

    def _likelihood_loss(self, real: RealBatch, rng: np.random.Generator) -> Loss:
        """The loss of MLE on real tokens."""
        tokens = self._tensor(real.real)
        # Drawn for the whole group, of which each takes its rows: the batch does not depend on how many share it.
        noise = self.group.rows(sample_noise(rng, self.group.size * len(tokens), self.generator.noise_size))
        mask = self._mask(tokens)
        states = self.generator.states(tokens, self._tensor(noise), self.likelihood_dropout)
        log_probs, _ = chosen_log_probs(states, self.generator.output, tokens, mib=self.logits_mib)
        value = negative_log_likelihood(log_probs, mask, self.group.masked_mean)
        return Loss(value, {"tokens": self.group.size * mask.sum(), "loss_mle": value.detach()})

    def _policy_loss(self, rollout: RolloutTensors, rng: np.random.Generator) -> Loss:
        """The policy gradient of a batch of rollouts."""
        policy = self._policy(rollout)
        # It waits for the device, which by now has the policy to compute, and has much to do afterwards.
        distinct = distinct_sequences(self.group.gather(rollout.tokens).cpu().numpy())
        loss = self.estimator.loss(policy, rollout, self.judge(rng))
        mean, mask = self.group.masked_mean, rollout.mask
        metrics = {
            "loss_policy_gradient": loss.value.detach(),
            # Metrics are averaged over the learners: times their number, the mean is the sum.
            "tokens": self.group.size * mask.sum(),
            "reward": mean(rollout.rewards, mask),
            "q_value": mean(rollout.q_values, mask),
            # By the tokens that were drawn, which costs nothing; the bonus below needs the gradient of the exact one.
            "entropy": -mean(rollout.log_probs, mask),
            "distinct": torch.tensor(distinct),
        }
        value = loss.value
        if self.entropy_bonus:
            value = value - self.entropy_bonus * mean(policy.entropies, mask)
        return Loss(value, metrics | loss.metrics, loss.auxiliary_losses)

    def _policy(self, rollout: RolloutTensors) -> Policy:
        """The generator as it is on a batch of rollouts."""
        # Read again, as whole sequences: the workers' pass was in other processes and left no graph.
        states = self.generator.states(rollout.tokens, rollout.noise)
        own = OwnReward(rollout.rewards, rollout.expected) if self.advantages.centres_own_reward else None

        def advantages(q_values: Tensor, log_probs: Tensor) -> tuple[Tensor, Tensor | None]:
            return self.advantages.weights(q_values, rollout.mask, states.detach(), log_probs, rollout.log_probs, own)

        return Policy(
            states,
            self.generator.output,
            rollout.tokens,
            advantages,
            self.group.masked_mean,
            reads_entropy=self.entropy_bonus > 0,
            logits_mib=self.logits_mib,
        )

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, rng: np.random.Generator) -> Loss:
        """The usual loss after every token that counts; without `fakes`, against random words."""
        if fakes is None:
            words = self._tensor(self.random_tokens(real.real.shape, rng))
            return self.discrimination.loss_against_random_words(self._tensor(real.real), words, rng)
        # As many as real rows, evenly from all shards: what the generator learns from may be a multiple of that.
        every = max(len(fakes.tokens) // len(real.real), 1)
        made = RolloutTensors.of(fakes[::every], self.generator.device)
        return self.discrimination.loss(self._tensor(real.real), made, fakes.version, rng)

    def random_tokens(self, shape: tuple[int, ...], rng: np.random.Generator) -> Tokens:
        """Rows of random words, int64 [B, T], V after the first stop token of each."""
        vocab_size = self.generator.vocab_size
        rows, length = shape
        # Drawn for the whole group, as noise is.
        tokens = self.group.rows(rng.integers(vocab_size, size=(self.group.size * rows, length)))
        if self.stop_token is not None:
            stops = tokens == self.stop_token
            # A stop token is not counted for its own place: it is written, as in a rollout.
            tokens[stops.cumsum(axis=1) - stops > 0] = vocab_size
        return tokens

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        # A copy: what came through the object store is read-only.
        return torch.tensor(values, device=self.generator.device)

    def _mask(self, tokens: Tensor) -> Tensor:
        return tokens < self.generator.vocab_size
