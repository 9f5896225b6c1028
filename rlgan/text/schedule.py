"""Which step of text computes what: the methods of Yala & Song, section 4.2, as schedules of the supervision w."""

import math
from dataclasses import dataclass

import numpy as np

from rlgan.text.settings import TextSettings
from rlgan.types import Plan

# Sequences that an evaluation generates, and real rows that it shows the discriminator.
EVALUATION_ROWS = 512


@dataclass(frozen=True)
class TextSchedule:
    """Batches of real rows, one after the other, and what each step does with them."""

    settings: TextSettings
    train_rows: int  # rows to learn from
    held_out_rows: int  # rows that an evaluation reads

    @property
    def evaluate_every(self) -> int:
        """So many that an evaluation, whose time goes by the rows it reads, takes some 4 % of the time.

        In between, training reads four times as many real rows as an evaluation reads rows; twelve times with `mle`,
        which neither generates nor judges, and so does a step in a third of the time.
        """
        times = 12 if self.settings.method == "mle" else 4
        read = self.held_out_rows + 2 * EVALUATION_ROWS
        return math.ceil(times * read / (self._batches_per_step * self.settings.batch_size))

    @property
    def batches_per_epoch(self) -> float:
        """Real batches in one pass over the training rows."""
        return self.train_rows / self.settings.batch_size

    @property
    def pretraining_steps(self) -> int:
        """Steps that pretraingan spends on MLE: one epoch of it."""
        return math.ceil(self.batches_per_epoch) if self.settings.method == "pretraingan" else 0

    def plan(self, step: int) -> Plan:
        """What training step `step` computes (Yala & Song, section 4.2)."""
        s, updates = self.settings, self.settings.players.discriminator_steps
        if step < self.pretraining_steps:
            return Plan(supervision=1.0, discriminator_steps=1, random_fakes=True)
        if s.method == "mle":
            return Plan(supervision=1.0, discriminator_steps=0)
        if s.method == "curriculum":
            epochs, supervision = zip(*s.mixing.curriculum, strict=True)
            return Plan(float(np.interp(self.epoch(step), epochs, supervision)), updates)
        return Plan(s.mixing.supervision if s.method == "mixedgan" else 0.0, updates)

    def epoch(self, step: int) -> float:
        """Passes over the training rows before `step`: through D, in MLE through G."""
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
        return 1 if self.settings.method == "mle" else self.settings.players.discriminator_steps
