"""The discriminator's loss of a batch: real tokens against its negative examples."""

import copy
import math

import numpy as np
import torch
from torch import Tensor

from rlgan.learning.group import ALONE, Group
from rlgan.learning.loss import Loss
from rlgan.learning.weights import sample_noise
from rlgan.text.forms.form import PLAIN, DiscriminatorForm
from rlgan.text.losses import conditional_loss, discriminator_loss, expected_under, gather_log_probs
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.negatives.negatives import CONDITIONAL, ROLLOUTS, Negatives


class Discrimination:
    """The usual loss at every token that counts, softplus on both sides.

    Where the form reads the policy, log G is on both sides that of the generator that wrote the rollouts: the one from
    before the generator's update of the same step. Real rows are given a fresh z.

    Args:
        generator: whose log-probabilities a structured form reads.
        discriminator: what learns.
        form: what its log-odds are made of.
        negatives: where its negative examples come from.
        group: the learners that share every batch.
    """

    def __init__(
        self,
        generator: TextGenerator,
        discriminator: TextDiscriminator,
        form: DiscriminatorForm = PLAIN,
        negatives: Negatives = ROLLOUTS,
        group: Group = ALONE,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.form = form
        self.negatives = negatives
        self.group = group
        # Conditional negatives alone belong to no rollout, and take the generator as it is.
        keeps_writer = form.reads_policy and negatives.rollouts > 0
        self.writer = copy.deepcopy(generator).requires_grad_(False) if keeps_writer else generator

    @torch.no_grad()
    def keep_writer(self) -> None:
        """Keep the generator as it is: it wrote the rollouts of this step, and is about to be updated."""
        if self.writer is not self.generator:
            for kept, now in zip(self.writer.parameters(), self.generator.parameters(), strict=True):
                kept.copy_(now)

    def loss(self, real: Tensor, fake: Tensor, fake_log_probs: Tensor | None, rng: np.random.Generator) -> Loss:
        """The loss of real tokens [B, T] against fake ones, int64 [B, T], V where a row has ended.

        Args:
            real: real rows.
            fake: what the generator wrote, or random words.
            fake_log_probs: float32 [B, T], log G of the fake tokens when they were chosen; None: they are random words.
            rng: the random numbers of this update.
        """
        if not self.form.reads_policy:
            return self._plain_loss(real, fake)
        if fake_log_probs is not None:
            return self._structured_loss(real, fake, fake_log_probs, self.negatives, rng)
        if self.negatives.conditional:
            # With conditional negatives alone nobody reads log G of the fakes: any number will do.
            return self._structured_loss(real, fake, fake.new_zeros(()), CONDITIONAL, rng)
        return self._loss_against_random_words(real, fake)

    def _plain_loss(self, real: Tensor, fake: Tensor) -> Loss:
        # The order of the two is that in which dropout draws.
        fake_odds, real_odds = self.discriminator(fake), self.discriminator(real)
        return self._loss(real_odds, self._mask(real), fake_odds, self._mask(fake))

    def _loss_against_random_words(self, real: Tensor, fake: Tensor) -> Loss:
        """What chose the words is the uniform distribution, and log G of each -log V."""
        log_probs = torch.full((), -math.log(self.generator.vocab_size), device=real.device)
        fake_odds, real_odds = (self.form.log_odds(self.discriminator(rows), log_probs) for rows in (fake, real))
        return self._loss(real_odds, self._mask(real), fake_odds, self._mask(fake))

    def _structured_loss(
        self, real: Tensor, fake: Tensor, fake_log_probs: Tensor, negatives: Negatives, rng: np.random.Generator
    ) -> Loss:
        mask, mean = self._mask(real), self.group.masked_mean
        distribution = self._next_log_probs(real, rng)
        real_log_probs = gather_log_probs(distribution, real)
        if not negatives.conditional:
            # Real rows first: the order is that in which dropout draws, here too.
            real_odds = self.form.log_odds(self.discriminator(real), real_log_probs)
            fake_odds = self.form.log_odds(self.discriminator(fake), fake_log_probs)
            return self._loss(real_odds, mask, fake_odds, self._mask(fake))
        all_odds = self.form.log_odds(self.discriminator.all_next_log_odds(real), distribution)
        # Picked out and not read again: another pass would draw another dropout.
        real_odds = gather_log_probs(all_odds, real)
        value = conditional_loss(all_odds, distribution, real, mask, negatives.conditional, mean)
        judged = negatives.conditional * mean(expected_under(distribution, all_odds.detach().sigmoid()), mask)
        if negatives.rollouts:
            fake_odds, fake_mask = self.form.log_odds(self.discriminator(fake), fake_log_probs), self._mask(fake)
            value = value + negatives.rollouts * mean(torch.nn.functional.softplus(fake_odds), fake_mask)
            judged = judged + negatives.rollouts * mean(fake_odds.detach().sigmoid(), fake_mask)
        return Loss(value, self._metrics(value, mean(real_odds.detach().sigmoid(), mask), judged))

    @torch.no_grad()
    def _next_log_probs(self, real: Tensor, rng: np.random.Generator) -> Tensor:
        """What the generator gives every next token of real rows, [B, T, V], with a fresh z."""
        # Drawn for the whole group, of which each takes its rows: the batch does not depend on how many share it.
        noise = self.group.rows(sample_noise(rng, self.group.size * len(real), self.generator.noise_size))
        log_probs: Tensor = self.writer(real, torch.tensor(noise, device=real.device))
        return log_probs

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
