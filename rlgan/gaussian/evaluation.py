"""Evaluation of the Gaussian task: generated samples beside fresh real ones."""

import dataclasses

import torch

from rlgan.gaussian import measures
from rlgan.gaussian.players import make_networks
from rlgan.gaussian.sampling import generate
from rlgan.gaussian.settings import GaussianSettings
from rlgan.gaussian.tables import TARGETS
from rlgan.gaussian.targets import Target
from rlgan.learning.weights import load
from rlgan.rng import Purpose, stream
from rlgan.settings import resolve
from rlgan.task import EvaluationTools, LoadedRun, NoOptions, Result
from rlgan.types import Evaluation, Float, Weights

# Samples that an evaluation generates, and real ones that it compares them with.
EVALUATION_SAMPLES = 10_000
# Real samples, each compared with the next: the floors are means of 20 distances.
FLOOR_SAMPLES = 21


class GaussianEvaluator:
    """Evaluates weights: a pure function of them and of the seed."""

    def __init__(self, settings: GaussianSettings, device: torch.device) -> None:
        self.settings = settings
        self.target: Target = resolve(settings.target, TARGETS)
        generator, discriminator = make_networks(settings)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        # Once: the floors depend on the seed alone. All evaluations compare with the same real samples.
        streams = [stream(settings.seed, Purpose.EVALUATION, 1, i) for i in range(FLOOR_SAMPLES)]
        samples = [self.target.mixture.sample(rng, EVALUATION_SAMPLES) for rng in streams]
        self.real = samples[0]
        self._floors = self.target.floors(samples)

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`."""
        load(self.generator, weights.generator)
        load(self.discriminator, weights.discriminator)
        # The same noise at every evaluation, so that a curve shows how the weights change and not the luck of a draw.
        rng = stream(self.settings.seed, Purpose.EVALUATION, 0)
        made = generate(self.settings, self.generator, EVALUATION_SAMPLES, rng)
        evaluation = self.target.evaluate(made, self.real, self.discriminator)
        return dataclasses.replace(evaluation, metrics=evaluation.metrics | self._floors)

    def curve(self, weights: Weights) -> Float:
        """D over measures.GRID, where the data has one dimension."""
        load(self.discriminator, weights.discriminator)
        return measures.curve(self.discriminator, self.real)


def evaluate_run(run: LoadedRun, _: NoOptions, tools: EvaluationTools) -> Result:
    """Measure a run for `rlgan evaluate RUN`: the same as during its training."""
    return tools.measure(run, tools.prepare(run))
