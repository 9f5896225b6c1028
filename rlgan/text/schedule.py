"""The schedule of text: what each step computes, and how steps, epochs and real batches are related."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from rlgan.learning.tables import DECAYS
from rlgan.settings import resolve
from rlgan.text.methods.method import Method, find_method
from rlgan.text.settings import TextSettings
from rlgan.types import Plan

# Sequences that an evaluation generates, and real rows that it shows the discriminator.
EVALUATION_ROWS = 512
# Validation rows whose perplexity is measured often, for a curve, and how often between two evaluations. They cost a
# quarter of an evaluation's time in all.
SCORED_ROWS = 256
SCORES = 5


@dataclass(frozen=True)
class TextSchedule:
    """Batches of real rows, one after the other, and what each step does with them.

    Example:
        >>> schedule = TextSchedule(TextSettings(method="pretraingan"), train_rows=100, held_out_rows=10)
        >>> schedule.batches_per_epoch, schedule.pretraining_steps, schedule.steps(epochs=2.0)  # batches of 64
        (1.5625, 2, 4)
    """

    settings: TextSettings
    train_rows: int  # rows to learn from
    held_out_rows: int  # rows that an evaluation reads
    reads_rewards: bool = True  # whether the estimator reads what the workers make of the discriminator

    @property
    def method(self) -> Method:
        """How the generator learns."""
        return find_method(self.settings.method)

    @property
    def evaluate_every(self) -> int:
        """So many that an evaluation, whose time goes by the rows it reads, takes some 4 % of the time.

        In between, training reads four times as many real rows as an evaluation reads rows; twelve times with MLE,
        which neither generates nor judges, and so does a step in a third of the time.
        """
        times = 4 if self.method.adversarial else 12
        read = self.held_out_rows + 2 * EVALUATION_ROWS
        return math.ceil(times * read / (self._batches_per_step * self.settings.batch_size))

    @property
    def score_every(self) -> int:
        """Steps between two scores of a few validation rows."""
        return math.ceil(self.evaluate_every / SCORES)

    @property
    def batches_per_epoch(self) -> float:
        """Real batches in one pass over the training rows."""
        return self.train_rows / self.settings.batch_size

    @property
    def discriminator_steps(self) -> int:
        """Updates of the discriminator per step, k, where a method has any; 0 with a scorer in its place."""
        return 0 if self.settings.rewards.scorer else self.settings.players.discriminator_steps

    @property
    def pretraining_steps(self) -> int:
        """Steps at the beginning that read one real batch each."""
        return math.ceil(self.method.pretraining_epochs * self.batches_per_epoch)

    def plan(self, step: int) -> Plan:
        """What training step `step` computes."""
        plan = self.method.plan(self, step)
        # A method may plan updates of its own, as in pretraining.
        if self.settings.rewards.scorer:
            plan = replace(plan, discriminator_steps=0)
        # With w = 1 rollouts are made for the discriminator alone, which reads their tokens.
        return replace(plan, rewards=self.reads_rewards and plan.supervision < 1, learning_rate=self._rate(step))

    def _rate(self, step: int) -> float:
        """The share of the learning rates that is left before a step."""
        settings = self.settings.rate_decay
        decay: Callable[[float], float] = resolve(settings.decay, DECAYS)
        return max(settings.decay_floor, decay(min(self.epoch(step) / settings.decay_epochs, 1.0)))

    def epoch(self, step: int) -> float:
        """Passes over the training rows before `step`: through D, in MLE through G.

        Where a scorer stands in D's place a pass is as many rows that G wrote.
        """
        return self.batches(step) / self.batches_per_epoch

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        batches = math.ceil(epochs * self.batches_per_epoch)
        pretraining = min(batches, self.pretraining_steps)
        return pretraining + math.ceil((batches - pretraining) / self._batches_per_step)

    def batches(self, step: int) -> int:
        """Real batches that were read before `step`."""
        pretraining = min(step, self.pretraining_steps)
        return pretraining + (step - pretraining) * self._batches_per_step

    @property
    def _batches_per_step(self) -> int:
        return self.discriminator_steps or 1 if self.method.adversarial else 1
