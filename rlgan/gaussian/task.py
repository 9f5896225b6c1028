"""The Gaussian task: a perceptron pair on samples of N(0, 1), trained by direct gradients (Yala & Song, section 2).

Mixtures of Gaussians in the plane are learned by the same task; what differs is in `gaussian_targets`.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from rlgan.gaussian import measures
from rlgan.gaussian.batch_features import GroupOptions, MinibatchGroup
from rlgan.gaussian.networks import PerceptronDiscriminator, PerceptronGenerator
from rlgan.gaussian.settings import GaussianConfig
from rlgan.gaussian.tables import ACTIVATIONS, BATCH_FEATURES, NOISES, OUTPUTS, TARGETS
from rlgan.gaussian.targets import Target
from rlgan.learning.direct_gradient import DirectGradient
from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.learning.optimizers import DECAYS, NoShards, optimizer
from rlgan.learning.tables import ADVERSARIAL_LOSSES
from rlgan.learning.weights import load
from rlgan.rng import Purpose, stream, torch_seed
from rlgan.task import resolve
from rlgan.types import Evaluation, Float, Map, Metrics, Plan, RealBatch, Weights

HIDDEN = (6, 5)
# Samples that an evaluation generates, and real ones that it holds them against.
EVALUATION_SAMPLES = 10_000
FLOOR_SAMPLES = 21
CHUNK = 1_000


@dataclass(frozen=True)
class GaussianTask:
    """A recipe; its data has no end. Picklable."""

    config: GaussianConfig
    unit: ClassVar[str] = "samples"
    vocabulary: ClassVar[tuple[str, ...]] = ()
    shared: ClassVar[None] = None
    lag: ClassVar[int] = 0
    shards: ClassVar[int] = 0
    evaluate_every: ClassVar[int] = 500

    @property
    def identity(self) -> tuple[object, ...]:
        """The recipe, which says all."""
        return (dataclasses.asdict(self.config),)

    @property
    def parts(self) -> int:
        """Samples in a batch, or companies of them that are judged together."""
        return self.config.batch_size // (1 if self.config.batch_features == "none" else self.config.group)

    @property
    def target(self) -> Target:
        """What is to be learned."""
        return _target(self.config)

    @property
    def data(self) -> str:
        """What it is called."""
        return self.target.mixture.name

    @property
    def score(self) -> str:
        """The target's."""
        return self.target.selection_metric

    @property
    def about(self) -> list[str]:
        """Lines for people: what is trained, on what."""
        c = self.config
        return [
            f"gaussian, preset {c.preset}, seed {c.seed}",
            f"data: {self.data}, {c.batch_size} a batch; {c.iterations:,} iterations, "
            f"{c.pretraining:,} of D alone before",
        ]

    @property
    def shard_maker(self) -> Callable[[torch.device], NoShards]:
        """No step has rollouts, so rollout workers have nothing to do."""
        return NoShards

    def prepare(self, map_: Map, say: Callable[[str], None]) -> None:
        """Nothing: the data is there."""

    def plan(self, step: int) -> Plan:
        """What training step `step` computes: the discriminator alone at first, where it is pre-trained."""
        c = self.config
        iteration = step - c.pretraining
        if iteration < 0:
            return Plan(supervision=0.0, discriminator_steps=1, rollouts=False, generator_steps=0)
        return Plan(
            supervision=0.0,
            discriminator_steps=c.discriminator_steps,
            rollouts=False,
            generator_steps=c.generator_steps,
            learning_rate=DECAYS[c.decay](min(iteration / c.iterations, 1.0)),
        )

    def epoch(self, step: int) -> float:
        """The data has no end: an epoch is pre-training and all iterations."""
        return step / (self.config.pretraining + self.config.iterations)

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        return math.ceil(epochs * (self.config.pretraining + self.config.iterations))

    def real(self, step: int, update: int) -> RealBatch:
        """The real batch of an update: a pure function."""
        numbers = stream(self.config.seed, Purpose.REAL, step, update)
        return RealBatch(self.target.mixture.sample(numbers, self.config.batch_size))

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device and in every place of a group."""
        c = self.config
        torch.manual_seed(torch_seed(c.seed, Purpose.INITIALISE))
        generator, discriminator = networks(c)
        adapter = DirectGradient(
            generator.to(device),
            discriminator.to(device),
            noise=functools.partial(noise, c),
            loss=resolve(ADVERSARIAL_LOSSES[c.loss]),
            r1=c.r1,
            r2=c.r2,
            group=group,
        )
        return Learner(
            adapter,
            self,
            {
                "generator": optimizer(c, generator, c.generator_learning_rate),
                "discriminator": optimizer(c, discriminator, c.discriminator_learning_rate),
            },
            gradient_norm=math.inf,
            average=c.generator_average,
            seed=c.seed,
        )

    def evaluator(self, device: torch.device) -> "GaussianEvaluator":
        """What measures weights against fresh real samples."""
        return GaussianEvaluator(self.config, device)

    def collapse(self, metrics: Metrics) -> str | None:
        """What evaluations see of it."""
        return self.target.collapse(metrics) if metrics.get("collapsed") else None

    def brief(self, evaluation: Evaluation) -> str:
        """In the target's words."""
        return self.target.brief(evaluation.metrics)

    def summary(self, evaluation: Evaluation) -> list[str]:
        """A line for people."""
        return [self.target.summary(evaluation.metrics)]


def networks(config: GaussianConfig) -> tuple[PerceptronGenerator, PerceptronDiscriminator]:
    """The pair of section 2.1: layers (1, 6), (6, 5), (5, 1), in width and depth as the recipe says.

    Noise and samples have as many dimensions as the target.
    """
    hidden = [size * config.width for size in HIDDEN for _ in range(config.depth)]
    mixture, activation = _target(config).mixture, resolve(ACTIVATIONS[config.activation])
    options = GroupOptions(hidden[-1], config.group, config.kernels, config.kernel_dimension)
    group: MinibatchGroup = resolve(BATCH_FEATURES[config.batch_features])(options)
    dimensions, scale = mixture.dimensions, mixture.scale
    output = resolve(OUTPUTS[config.output])
    return (
        PerceptronGenerator([dimensions, *hidden, dimensions], scale=scale, output=output, activation=activation),
        PerceptronDiscriminator([dimensions, *hidden, 1], group, scale=scale, activation=activation),
    )


def _target(config: GaussianConfig) -> Target:
    target: Target = resolve(TARGETS[config.target])
    return target


def noise(config: GaussianConfig, numbers: np.random.Generator, count: int) -> Float:
    """What the generator is given: float32 [count, Z]; Z is the target's X."""
    made: Float = resolve(NOISES[config.noise])(numbers, count, _target(config).mixture.dimensions)
    return made


@torch.inference_mode()
def generate(config: GaussianConfig, generator: PerceptronGenerator, count: int, numbers: np.random.Generator) -> Float:
    """Generate float32 [count, X] samples; the first n are the same however many are asked for."""
    device = generator.output.weight.device
    # A product of other rows may round otherwise: always so many.
    rounds = [noise(config, numbers, CHUNK) for _ in range(math.ceil(count / CHUNK))]
    return np.concatenate([generator(torch.from_numpy(z).to(device)).cpu().numpy() for z in rounds])[:count]


def samples(config: GaussianConfig, weights: Weights, count: int, seed: int, device: torch.device) -> Float:
    """Samples [count, X] that weights generate."""
    generator = networks(config)[0].to(device)
    load(generator, weights.generator)
    return generate(config, generator, count, stream(seed, Purpose.EVALUATION, 0))


class GaussianEvaluator:
    """Evaluates weights: a pure function of them and of the seed."""

    def __init__(self, config: GaussianConfig, device: torch.device) -> None:
        self.config = config
        self.target = _target(config)
        generator, discriminator = networks(config)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        streams = [stream(config.seed, Purpose.EVALUATION, 1, i) for i in range(FLOOR_SAMPLES)]
        samples = [self.target.mixture.sample(numbers, EVALUATION_SAMPLES) for numbers in streams]
        self.real = samples[0]
        self._floors = self.target.floors(samples)

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`."""
        load(self.generator, weights.generator)
        load(self.discriminator, weights.discriminator)
        made = generate(
            self.config, self.generator, EVALUATION_SAMPLES, stream(self.config.seed, Purpose.EVALUATION, 0)
        )
        evaluation = self.target.evaluate(made, self.real, self.discriminator)
        return dataclasses.replace(evaluation, metrics=evaluation.metrics | self._floors)

    def curve(self, weights: Weights) -> Float:
        """D over measures.GRID, where the data has one dimension."""
        load(self.discriminator, weights.discriminator)
        return measures.curve(self.discriminator, self.real)
