"""The image task: a pair of networks on pictures, trained by direct gradients (Yala & Song, section 3)."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rlgan.errors import DataError
from rlgan.images import grids as figures
from rlgan.images import measures
from rlgan.images.features import Features
from rlgan.images.networks import (
    FIRST,
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    MaxoutDiscriminator,
    MaxoutGenerator,
)
from rlgan.images.pictures import Pictures, open_pictures
from rlgan.images.settings import ImageConfig
from rlgan.images.sources import Request
from rlgan.learning.direct_gradient import DirectGradient
from rlgan.learning.distances import Double
from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.learning.optimizers import DECAYS, NoShards, optimizer
from rlgan.learning.tables import ADVERSARIAL_LOSSES
from rlgan.learning.weights import load, sample_noise
from rlgan.rng import Purpose, stream, torch_seed
from rlgan.settings import absolute
from rlgan.task import resolve
from rlgan.types import Evaluation, Float, Map, Metrics, Plan, RealBatch, Weights

Pixels = NDArray[np.uint8]  # [N, S, S, 3]

# Pictures that an evaluation generates, and held-out ones that it holds them against: at most.
EVALUATION_SAMPLES = 2_000
# Of those to learn from and of those held out: one picture has no spread.
FEWEST = 2
# Pictures of a grid, and in its rows; samples whose nearest neighbours are shown; steps of an interpolation.
SHOWN = 64
COLUMNS = 8
NEIGHBOURED = 8
NEIGHBOURS = 5
# A product of other rows may round otherwise: always so many at once.
CHUNK = 50
# Below this share of the real pictures' spread of features, a generator counts as collapsed.
COLLAPSED = 0.1
# Of pictures that are nearly all there twice: less would be no number to divide by.
LEAST_SPREAD = 1e-6
# What the learning rates fall to, with a decay.
LEAST_RATE = 0.1


@dataclass(frozen=True)
class ImageTask:
    """A recipe and its pictures. Picklable: these lie in a cache on disk."""

    config: ImageConfig
    pictures: Pictures
    score: ClassVar[str] = "rfid"
    unit: ClassVar[str] = "samples"
    vocabulary: ClassVar[tuple[str, ...]] = ()
    lag: ClassVar[int] = 0
    shards: ClassVar[int] = 0

    @staticmethod
    def load(config: ImageConfig) -> "ImageTask":
        """Find the pictures that the recipe names; `prepare` decodes them.

        Raises:
            DataError: there are none.
        """
        if config.data != "faces":
            config = dataclasses.replace(config, data=str(absolute("--data", config.data)))
        pictures = open_pictures(
            Request(config.data, config.size, config.crop, config.filter, config.faces),
            cache=None if config.cache is None else absolute("--cache", config.cache),
            skip_bad=config.skip_bad,
        )
        return ImageTask(dataclasses.replace(config, crop=pictures.crop), pictures)

    @property
    def identity(self) -> tuple[object, ...]:
        """The recipe and the pictures; where these lie does not count."""
        return dataclasses.asdict(dataclasses.replace(self.config, data="", cache=None)), self.pictures.fingerprint

    @property
    def data(self) -> str:
        """Where the pictures lie."""
        return self.config.data

    @property
    def shared(self) -> Path:
        """Where caches lie."""
        return self.pictures.cache.parent

    @property
    def about(self) -> list[str]:
        """Lines for people: what is trained, on what."""
        c = self.config
        return [f"image, preset {c.preset}, seed {c.seed}, {c.size} x {c.size}", *self.pictures.about]

    @property
    def parts(self) -> int:
        """Pictures in a batch."""
        return self.config.batch_size

    @property
    def shard_maker(self) -> Callable[[torch.device], NoShards]:
        """No step has rollouts; rollout workers decode the pictures."""
        return NoShards

    def prepare(self, map_: Map, say: Callable[[str], None]) -> None:
        """Decode the pictures, unless a run before this one has.

        Raises:
            DataError: a picture can't be used, or there are too few.
        """
        self.pictures.prepare(map_, say)
        learn_from, held_out = len(self.pictures.train()), len(self.pictures.test())
        if min(learn_from, held_out) < FEWEST:
            raise DataError(
                f"{self.data} has {learn_from:,} to learn from and {held_out:,} held out: {FEWEST} of each are needed, "
                "as ten pictures give"
            )

    @property
    def evaluate_every(self) -> int:
        """Once an epoch."""
        return self.steps(1.0)

    def plan(self, step: int) -> Plan:
        """What training step `step` computes."""
        c = self.config
        done = min(self.epoch(step) / c.decay_epochs, 1.0)
        rate = LEAST_RATE + (1 - LEAST_RATE) * DECAYS[c.decay](done)
        return Plan(supervision=0.0, discriminator_steps=c.discriminator_steps, rollouts=False, learning_rate=rate)

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in one pass over the training pictures; those left over wait for a pass that has them."""
        return max(len(self.pictures.train()) // self.config.batch_size, 1)

    def epoch(self, step: int) -> float:
        """Passes over the training pictures before a step, by the discriminator."""
        return step * self.config.discriminator_steps / self.batches_per_epoch

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        return math.ceil(epochs * self.batches_per_epoch / self.config.discriminator_steps)

    def real(self, step: int, update: int) -> RealBatch:
        """The real batch of an update, float32 [B, 3, S, S] in [0, 1]: a pure function."""
        c, train = self.config, self.pictures.train()
        epoch, place = divmod(step * c.discriminator_steps + update, self.batches_per_epoch)
        order = stream(c.seed, Purpose.REAL, 0, epoch).permutation(len(train))
        # A set that is smaller than a batch comes more than once in it.
        rows = np.resize(order, max(len(order), c.batch_size))[place * c.batch_size : (place + 1) * c.batch_size]
        batch = train[rows]
        if c.flips:
            mirrored = stream(c.seed, Purpose.REAL, 1, step, update).random(len(batch)) < 0.5
            batch = np.where(mirrored[:, None, None, None], batch[:, :, ::-1], batch)
        return RealBatch(np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32) / 255)

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device and in every place of a group."""
        c = self.config
        torch.set_num_threads(c.threads)
        torch.manual_seed(torch_seed(c.seed, Purpose.INITIALISE))
        generator, discriminator = networks(c)
        noise = partial(sample_noise, size=c.noise_size)
        adapter = DirectGradient(
            generator.to(device),
            discriminator.to(device),
            noise=noise,
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

    def evaluator(self, device: torch.device) -> "ImageEvaluator":
        """What measures weights against the held-out pictures."""
        return ImageEvaluator(self.config, self.pictures, device)

    def collapse(self, metrics: Metrics) -> str | None:
        """All pictures alike, which evaluations see."""
        if not metrics.get("collapsed"):
            return None
        return f"generated pictures differ {metrics['feature_spread']:.3f} times as much as real ones"

    def brief(self, evaluation: Evaluation) -> str:
        """The distance beside its floor."""
        m = evaluation.metrics
        return f"rFID {m['rfid']:.1f} (real {m['rfid_floor']:.1f}, PCA {m['rfid_pca200']:.1f})"

    def summary(self, evaluation: Evaluation) -> list[str]:
        """A line for people."""
        m = evaluation.metrics
        beside = f"recall {m['recall']:.2f} ({m['recall_floor']:.2f}), coverage {m['coverage']:.2f}"
        return [f"{self.brief(evaluation)}, {beside} ({m['coverage_floor']:.2f})"]


def networks(config: ImageConfig) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator of a recipe."""
    c = config
    if c.networks == "maxout":
        return (
            MaxoutGenerator(c.noise_size, c.generator_units, c.size),
            MaxoutDiscriminator(c.units, c.pieces, c.size, c.dropout, c.input_dropout),
        )
    maps = int(math.log2(c.size // FIRST))
    channels = [min(2**i, 8) * c.width for i in range(maps)]
    return (
        ConvolutionalGenerator(c.noise_size, channels, mixed=c.mixed_precision),
        ConvolutionalDiscriminator(channels, mixed=c.mixed_precision),
    )


@torch.inference_mode()
def generate(generator: nn.Module, noise: Float) -> Pixels:
    """Pictures uint8 [N, S, S, 3] of noise [N, Z]; each the same, whatever comes with it."""
    device = next(generator.parameters()).device
    made = []
    for start in range(0, len(noise), CHUNK):
        rows = noise[start : start + CHUNK]
        padded = np.zeros((CHUNK, noise.shape[1]), np.float32)
        padded[: len(rows)] = rows
        pictures = generator(torch.from_numpy(padded).to(device))[: len(rows)]
        made.append((255 * pictures.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(made)


def samples(config: ImageConfig, weights: Weights, count: int, seed: int, device: torch.device) -> Pixels:
    """Pictures [count, S, S, 3] that weights generate."""
    torch.set_num_threads(config.threads)
    generator = networks(config)[0].to(device).eval()
    load(generator, weights.generator)
    return generate(generator, sample_noise(stream(seed, Purpose.EVALUATION, 0), count, config.noise_size))


def interpolated(numbers: np.random.Generator, rows: int, steps: int, size: int) -> Float:
    """Noise float32 [rows * steps, Z] on arcs between pairs of points: straight lines would leave where noise lies."""
    start, end = sample_noise(numbers, rows, size), sample_noise(numbers, rows, size)
    angles = np.linspace(0, np.pi / 2, steps, dtype=np.float32)[None, :, None]
    arcs = np.cos(angles) * start[:, None] + np.sin(angles) * end[:, None]
    return np.asarray(arcs.reshape(-1, size))


class ImageEvaluator:
    """Evaluates weights: a pure function of them, of the pictures and of the seed."""

    def __init__(self, config: ImageConfig, pictures: Pictures, device: torch.device) -> None:
        torch.set_num_threads(config.threads)  # as the learner has it, whoever measures
        self.config = config
        self.pictures = pictures
        self.generator = networks(config)[0].to(device).eval()
        self.features = Features(device)

    @cached_property
    def test(self) -> Pixels:
        """The held-out pictures that count: the same for every run on this data."""
        held_out = self.pictures.test()
        chosen = stream(0, Purpose.EVALUATION, 1).permutation(len(held_out))[:EVALUATION_SAMPLES]
        return np.asarray(held_out[np.sort(chosen)])

    @cached_property
    def test_features(self) -> Double:
        """Their features [N, F]."""
        return self.features(self.test)

    @cached_property
    def baselines(self) -> Metrics:
        """The same measures of real pictures, of the average picture and of a Gaussian fitted to the pixels."""
        return measures.baselines(
            self.pictures.train(), self.test, len(self.test), stream(0, Purpose.EVALUATION, 2), self.features
        )

    def made(self, count: int) -> Pixels:
        """Pictures from the run's fixed noise; the first are the same however many are asked for."""
        c = self.config
        return generate(self.generator, sample_noise(stream(c.seed, Purpose.EVALUATION, 0), count, c.noise_size))

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`."""
        pictures = {}
        if weights.latest:
            load(self.generator, weights.latest)
            pictures["samples_without_average"] = figures.grid(self.made(SHOWN), COLUMNS)
        load(self.generator, weights.generator)
        made = self.made(len(self.test))
        features = self.features(made)
        metrics: Metrics = measures.measures(features, self.test_features) | self.baselines
        real_spread = measures.feature_spread(self.test_features)  # 0 where more than half of them come twice
        spread = measures.feature_spread(features) / max(real_spread, LEAST_SPREAD)
        metrics |= {"feature_spread": spread, "collapsed": float(spread < COLLAPSED)}
        metrics |= {"count": float(len(made)), "held_out": float(len(self.test))}
        return Evaluation(metrics, series={}, texts=[], histograms={}, pictures=pictures | self._drawn(made, weights))

    def _drawn(self, made: Pixels, weights: Weights) -> dict[str, Pixels]:
        c = self.config
        arcs = interpolated(stream(c.seed, Purpose.EVALUATION, 3), COLUMNS, COLUMNS, c.noise_size)
        drawn = {
            "samples": figures.grid(made[:SHOWN], COLUMNS),
            "interpolations": figures.grid(generate(self.generator, arcs), COLUMNS),
            "nearest_training_pictures": figures.neighbours(made[:NEIGHBOURED], self.pictures.train(), NEIGHBOURS),
        }
        if weights.version == 0:  # what does not change
            drawn["real"] = figures.grid(self.test[:SHOWN], COLUMNS)
            drawn["average_picture"] = measures.mean_picture(self.pictures.train())
        return drawn
