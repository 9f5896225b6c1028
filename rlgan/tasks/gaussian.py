"""The Gaussian task: a perceptron pair on samples of N(0, 1), trained by direct gradients (Yala & Song, section 2)."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from rlgan.adapters import DirectGradient
from rlgan.config import GaussianConfig
from rlgan.data.gaussian import NOISE_LIMIT, gaussian, uniform
from rlgan.data.images import Map
from rlgan.evaluation import gaussian as measures
from rlgan.evaluation import gaussian_figures as figures
from rlgan.learner import Learner
from rlgan.networks.perceptron import (
    BatchFeature,
    MinibatchDeviation,
    MinibatchDiscrimination,
    PerceptronDiscriminator,
    PerceptronGenerator,
)
from rlgan.rollout import load
from rlgan.streams import Purpose, stream, torch_seed
from rlgan.tasks.direct import DECAYS, NoShards, optimizer
from rlgan.types import Evaluation, Float, Metrics, Plan, RealBatch, Weights

HIDDEN = (6, 5)
# Samples that an evaluation generates, and real ones that it holds them against.
EVALUATION_SAMPLES = 10_000
FLOOR_SAMPLES = 21
CHUNK = 1_000


@dataclass(frozen=True)
class GaussianTask:
    """A recipe; its data has no end. Picklable."""

    config: GaussianConfig
    score: ClassVar[str] = "w1"
    unit: ClassVar[str] = "samples"
    data: ClassVar[str] = "N(0, 1)"
    vocabulary: ClassVar[tuple[str, ...]] = ()
    lag: ClassVar[int] = 0
    shards: ClassVar[int] = 0
    evaluate_every: ClassVar[int] = 500

    @property
    def identity(self) -> tuple[object, ...]:
        """The recipe, which says all."""
        return (dataclasses.asdict(self.config),)

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
        return RealBatch(gaussian(stream(self.config.seed, Purpose.REAL, step, update), self.config.batch_size))

    def learner(self, device: torch.device) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device."""
        c = self.config
        torch.manual_seed(torch_seed(c.seed, Purpose.INITIALISE))
        generator, discriminator = networks(c)
        adapter = DirectGradient(
            generator.to(device), discriminator.to(device), noise=uniform, loss=c.loss, r1=c.r1, r2=c.r2
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
        """The Helvetica problem, which evaluations see: a spike where a Gaussian should be."""
        return f"the samples' standard deviation is {metrics['std']:.2f}" if metrics.get("collapsed") else None

    def brief(self, evaluation: Evaluation) -> str:
        """The distances beside their floors."""
        m = evaluation.metrics
        return f"W1 {m['w1']:.3f} (floor {m['w1_floor']:.3f}), KS {m['ks']:.3f} (floor {m['ks_floor']:.3f})"

    def summary(self, evaluation: Evaluation) -> list[str]:
        """A line for people."""
        m = evaluation.metrics
        state = ", collapsed" if m["collapsed"] else ""
        spread = f"standard deviation {m['std']:.2f} (data {m['std_floor']:.2f}){state}"
        return [f"{self.brief(evaluation)}, {spread}, D at most {m['discriminator_distance']:.2f} from .5"]


def networks(config: GaussianConfig) -> tuple[PerceptronGenerator, PerceptronDiscriminator]:
    """The pair of section 2.1: layers (1, 6), (6, 5), (5, 1), in width and depth as the recipe says."""
    hidden = [size * config.width for size in HIDDEN for _ in range(config.depth)]
    sizes = [1, *hidden, 1]
    feature: BatchFeature | None = None
    if config.batch_features == "discrimination":
        feature = MinibatchDiscrimination(hidden[-1], config.kernels, config.kernel_dimension)
    elif config.batch_features == "deviation":
        feature = MinibatchDeviation()
    group = 1 if config.batch_features == "none" else config.group
    packed = config.batch_features == "packing"
    return PerceptronGenerator(sizes, NOISE_LIMIT), PerceptronDiscriminator(sizes, group, feature, packed=packed)


@torch.inference_mode()
def generate(generator: PerceptronGenerator, count: int, numbers: np.random.Generator) -> Float:
    """Generate float32 [count] samples; the first n are the same however many are asked for."""
    device = generator.output.weight.device
    # A product of other rows may round otherwise: always so many.
    rounds = [torch.from_numpy(uniform(numbers, CHUNK)).to(device) for _ in range(math.ceil(count / CHUNK))]
    return np.concatenate([generator(noise)[:, 0].cpu().numpy() for noise in rounds])[:count]


def samples(config: GaussianConfig, weights: Weights, count: int, seed: int, device: torch.device) -> Float:
    """Samples [count] that weights generate."""
    generator = networks(config)[0].to(device)
    load(generator, weights.generator)
    return generate(generator, count, stream(seed, Purpose.EVALUATION, 0))


class GaussianEvaluator:
    """Evaluates weights: a pure function of them and of the seed."""

    def __init__(self, config: GaussianConfig, device: torch.device) -> None:
        self.seed = config.seed
        generator, discriminator = networks(config)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        streams = [stream(self.seed, Purpose.EVALUATION, 1, i) for i in range(FLOOR_SAMPLES)]
        samples = [gaussian(numbers, EVALUATION_SAMPLES)[:, 0] for numbers in streams]
        self.real = samples[0]
        self._constant = measures.floors(samples) | {"std_floor": float(self.real.std())}

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`."""
        load(self.generator, weights.generator)
        made = generate(self.generator, EVALUATION_SAMPLES, stream(self.seed, Purpose.EVALUATION, 0))
        curve = self.curve(weights)
        metrics: Metrics = measures.distances(made, self.real) | self._constant
        metrics |= {
            "std": float(made.std()),
            "mean": float(made.mean()),
            "collapsed": float(made.std() < measures.COLLAPSED),
            "discriminator_distance": float(np.abs(curve - 0.5)[measures.INNER].max()),
        }
        picture: dict[str, Any] = {"density": figures.pixels(figures.densities({"": (made, curve)}))}
        return Evaluation(metrics, series={}, texts=[], histograms={"generated": made}, pictures=picture)

    def curve(self, weights: Weights) -> Float:
        """D over measures.GRID."""
        load(self.discriminator, weights.discriminator)
        return measures.curve(self.discriminator, self.real[:, None])
