"""The discriminator's loss of a batch: real tokens against its negative examples."""

import math
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from rlgan.learning.group import ALONE, Group
from rlgan.learning.loss import Loss
from rlgan.learning.weights import sample_noise, twin
from rlgan.text.estimators.estimator import RolloutTensors
from rlgan.text.forms.form import PLAIN, DiscriminatorForm
from rlgan.text.losses import (
    conditional_losses,
    discriminator_loss,
    expected_under,
    gather_log_probs,
    negative_log_likelihood,
)
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.models.next_token import chosen_log_probs, loss_over_words
from rlgan.text.negatives.negatives import CONDITIONAL, ROLLOUTS, Negatives
from rlgan.text.settings import MemorySettings


class Writers(nn.Module):
    """The generator of the last `lag` + 1 versions: one of them wrote the rollouts that a step learns from.

    Args:
        generator: whose versions are kept.
        lag: how many versions may lie between who wrote and who learns.
    """

    def __init__(self, generator: TextGenerator, lag: int) -> None:
        super().__init__()
        self.versions = nn.ModuleList(twin(generator).requires_grad_(False) for _ in range(lag + 1))

    def keep(self, generator: TextGenerator, version: int) -> None:
        """Take the generator in as a version, in the place of one that no rollout is of any more."""
        # With the buffers, which a core from outside may have.
        self.of(version).load_state_dict(generator.state_dict())

    def of(self, version: int) -> TextGenerator:
        """The generator of a version that has been kept."""
        return cast(TextGenerator, self.versions[version % len(self.versions)])


class Discrimination:
    """The usual loss at every token that counts, softplus on both sides.

    Where the form reads the policy, log G is on both sides that of the generator that wrote the rollouts: without a lag
    the one from before the generator's update of the same step. Real rows are given a fresh z.

    Args:
        generator: whose log-probabilities a structured form reads.
        discriminator: what learns.
        form: what its log-odds are made of.
        negatives: where its negative examples come from.
        group: the learners that share every batch.
        lag: how many versions before the one that learns may have written the rollouts.
        logits_mib: of logits that are held at once.
    """

    def __init__(
        self,
        generator: TextGenerator,
        discriminator: TextDiscriminator,
        form: DiscriminatorForm = PLAIN,
        negatives: Negatives = ROLLOUTS,
        group: Group = ALONE,
        lag: int = 0,
        logits_mib: float = MemorySettings().logits_mib,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.form = form
        self.negatives = negatives
        self.group = group
        self.logits_mib = logits_mib
        # Conditional negatives alone belong to no rollout, and take the generator as it is.
        reads_writer = form.reads_policy and negatives.rollouts > 0 and not form.learns_mixture
        self.writers = Writers(generator, lag) if reads_writer else None

    @property
    def saved_writers(self) -> Writers | None:
        """The generators that the next step asks for, to be saved; without a lag it asks for none of before."""
        return self.writers if self.writers is not None and len(self.writers.versions) > 1 else None

    def keep_writer(self, version: int) -> None:
        """Keep the generator as it is: rollouts may be of this version, and it is about to be updated."""
        if self.writers is not None:
            self.writers.keep(self.generator, version)

    def loss(self, real: Tensor, fakes: RolloutTensors, version: int, rng: np.random.Generator) -> Loss:
        """The loss of real tokens, int64 [B, T], V where a row has ended, against what the generator wrote.

        Args:
            real: real rows.
            fakes: what the generator wrote.
            version: of the generator that wrote them.
            rng: the random numbers of this update.
        """
        if self.form.learns_mixture:
            return self._mixture_loss(real, fakes.tokens)
        if not self.form.reads_policy:
            return self._plain_loss(real, fakes.tokens)
        writer = self.generator if self.writers is None else self.writers.of(version)
        states = self._states(writer, real, rng)
        if self.negatives.conditional:
            return self._conditional_loss(real, writer, states, self.negatives, fakes)
        # Real rows first: the order is that in which dropout draws, here too.
        with torch.no_grad():
            log_probs, _ = chosen_log_probs(states, writer.output, real, mib=self.logits_mib)
        real_odds = self.form.log_odds(self.discriminator(real), log_probs)
        return self._loss(real_odds, self._mask(real), self._odds(fakes), fakes.mask)

    def loss_against_random_words(self, real: Tensor, words: Tensor, rng: np.random.Generator) -> Loss:
        """The loss of real tokens [B, T] where the generator wrote nothing: against random words [B, T].

        Where a structured form has conditional negatives, against those of the generator as it is.
        """
        if self.form.learns_mixture:
            return self._mixture_loss(real, words)
        if not self.form.reads_policy:
            return self._plain_loss(real, words)
        if self.negatives.conditional:
            states = self._states(self.generator, real, rng)
            return self._conditional_loss(real, self.generator, states, CONDITIONAL, None)
        # What chose the words is the uniform distribution, and log G of each -log V.
        log_probs = torch.full((), -math.log(self.generator.vocab_size), device=real.device)
        fake_odds, real_odds = (self.form.log_odds(self.discriminator(rows), log_probs) for rows in (words, real))
        return self._loss(real_odds, self._mask(real), fake_odds, self._mask(words))

    def _plain_loss(self, real: Tensor, fake: Tensor) -> Loss:
        # The order of the two is that in which dropout draws.
        fake_odds, real_odds = self.discriminator(fake), self.discriminator(real)
        return self._loss(real_odds, self._mask(real), fake_odds, self._mask(fake))

    def _mixture_loss(self, real: Tensor, fake: Tensor) -> Loss:
        """Minus the mean log-likelihood, by softmax of the scores, of rows that are real or written, half of each."""
        means = []
        for rows in (real, fake):
            states = self.discriminator.states_before(rows)
            log_probs, _ = chosen_log_probs(states, self.discriminator.output, rows, mib=self.logits_mib)
            means.append(negative_log_likelihood(log_probs, self._mask(rows), self.group.masked_mean))
        value = (means[0] + means[1]) / 2
        return Loss(value, {"loss_discriminator": value.detach()})

    def _conditional_loss(
        self, real: Tensor, writer: TextGenerator, states: Tensor, negatives: Negatives, fakes: RolloutTensors | None
    ) -> Loss:
        """Of real tokens against a writer's next-token distribution at each, and, by their weight, against rollouts.

        Its states are [B, T, H]. Without weight on rollouts `fakes` may be None.
        """
        mask, mean = self._mask(real), self.group.masked_mean
        # What each place counts in the mean: the means of some rows at a time would not tell.
        share = mask * (mean(torch.ones_like(mask, dtype=torch.float32), mask) / mask.sum())
        odds_of_real, judged_of_all = [], []

        def loss(scores: Tensor, rows: slice) -> Tensor:
            with torch.no_grad():
                log_probs = writer.distribution(states[rows])
            all_odds = self.form.log_odds(scores, log_probs)
            # Picked out and not read again: another pass would draw another dropout.
            odds_of_real.append(gather_log_probs(all_odds.detach(), real[rows]))
            judged_of_all.append(expected_under(log_probs, all_odds.detach().sigmoid()))
            values = conditional_losses(all_odds, log_probs, real[rows], negatives.conditional)
            return (values * share[rows]).sum()

        value = loss_over_words(
            self.discriminator.states_before(real), self.discriminator.output, loss, mib=self.logits_mib
        )
        judged = negatives.conditional * mean(torch.cat(judged_of_all), mask)
        if negatives.rollouts and fakes is not None:
            fake_odds = self._odds(fakes)
            value = value + negatives.rollouts * mean(torch.nn.functional.softplus(fake_odds), fakes.mask)
            judged = judged + negatives.rollouts * mean(fake_odds.detach().sigmoid(), fakes.mask)
        return Loss(value, self._metrics(value, mean(torch.cat(odds_of_real).sigmoid(), mask), judged))

    def _odds(self, fakes: RolloutTensors) -> Tensor:
        """Log-odds [B, T] of the tokens that the generator wrote, with log G of when they were chosen."""
        return self.form.log_odds(self.discriminator(fakes.tokens), fakes.log_probs)

    @torch.no_grad()
    def _states(self, writer: TextGenerator, real: Tensor, rng: np.random.Generator) -> Tensor:
        """What a generator knows when it would choose each token of real rows, [B, T, H], with a fresh z."""
        # Drawn for the whole group, of which each takes its rows: the batch does not depend on how many share it.
        noise = self.group.rows(sample_noise(rng, self.group.size * len(real), writer.noise_size))
        return writer.states(real, torch.tensor(noise, device=real.device))

    def _loss(self, real_odds: Tensor, real_mask: Tensor, fake_odds: Tensor, fake_mask: Tensor) -> Loss:
        mean = self.group.masked_mean
        value = discriminator_loss(real_odds, real_mask, fake_odds, fake_mask, mean)
        real = mean(real_odds.detach().sigmoid(), real_mask)
        return Loss(value, self._metrics(value, real, mean(fake_odds.detach().sigmoid(), fake_mask)))

    @staticmethod
    def _metrics(value: Tensor, real: Tensor, generated: Tensor) -> dict[str, Tensor]:
        return {
            "loss_discriminator": value.detach(),
            "discriminator_real": real,
            "discriminator_generated": generated,
        }

    def _mask(self, tokens: Tensor) -> Tensor:
        return tokens < self.generator.vocab_size
