"""Evaluation of the image task: generated pictures beside held-out ones."""

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from rlgan.device import prepare
from rlgan.images import grids, measures
from rlgan.images.features import Features
from rlgan.images.inception import inception_fid
from rlgan.images.pictures import Pictures
from rlgan.images.players import make_networks
from rlgan.images.sampling import Pixels, generate, sample
from rlgan.images.settings import EvaluateOptions, ImageSettings
from rlgan.learning.distances import Double
from rlgan.learning.weights import load, sample_noise
from rlgan.rng import Purpose, stream
from rlgan.settings import updated
from rlgan.task import EvaluationTools, LoadedRun, Result, Stages, Status
from rlgan.types import Evaluation, Float, Metrics, Weights

if TYPE_CHECKING:  # it imports this module
    from rlgan.images.task import ImageTask

# Pictures that an evaluation generates, and held-out ones that it compares them with: at most.
EVALUATION_SAMPLES = 2_000
# Pictures of a grid, and in its rows; samples whose nearest neighbours are shown; steps of an interpolation.
SHOWN = 64
COLUMNS = 8
NEIGHBOURED = 8
NEIGHBOURS = 5
# Below this share of the real pictures' spread of features, a generator counts as collapsed.
COLLAPSED = 0.1
# Of pictures that are nearly all there twice: less would be no number to divide by.
LEAST_SPREAD = 1e-6


def interpolated(rng: np.random.Generator, rows: int, steps: int, size: int) -> Float:
    """Noise float32 [rows * steps, Z] on arcs between pairs of points: straight lines would leave where noise lies.

    Example:
        >>> arcs = interpolated(np.random.default_rng(0), rows=2, steps=5, size=3)
        >>> starts = sample_noise(np.random.default_rng(0), 2, 3)
        >>> arcs.shape, bool((arcs[::5] == starts).all())  # each arc begins at a sample of the noise
        ((10, 3), True)
    """
    start, end = sample_noise(rng, rows, size), sample_noise(rng, rows, size)
    angles = np.linspace(0, np.pi / 2, steps, dtype=np.float32)[None, :, None]
    # cos^2 + sin^2 = 1, so that every point of an arc has the law of the noise itself.
    arcs = np.cos(angles) * start[:, None] + np.sin(angles) * end[:, None]
    return np.asarray(arcs.reshape(-1, size))


class ImageEvaluator:
    """Evaluates weights: a pure function of them, of the pictures and of the seed."""

    def __init__(self, settings: ImageSettings, pictures: Pictures, device: torch.device) -> None:
        torch.set_num_threads(settings.threads)  # as in the learner: their number changes how sums are rounded
        self.settings = settings
        self.pictures = pictures
        self.generator = make_networks(settings)[0].to(device).eval()
        self.features = Features(device)

    @cached_property
    def test(self) -> Pixels:
        """The held-out pictures that count: the same for every run on this data."""
        held_out = self.pictures.test()
        chosen = stream(0, Purpose.EVALUATION, 1).permutation(len(held_out))[:EVALUATION_SAMPLES]
        return np.asarray(held_out[np.sort(chosen)])

    @cached_property
    def test_features(self) -> Double:
        """The features of the held-out pictures, [N, F]."""
        return self.features(self.test)

    @cached_property
    def baselines(self) -> Metrics:
        """The same measures of real pictures, of the average picture and of a Gaussian fitted to the pixels."""
        rng = stream(0, Purpose.EVALUATION, 2)
        return measures.baselines(self.pictures.train(), self.test, len(self.test), rng, self.features)

    def made(self, count: int) -> Pixels:
        """Pictures from the run's fixed noise; the first are the same however many are asked for."""
        rng = stream(self.settings.seed, Purpose.EVALUATION, 0)
        return generate(self.generator, sample_noise(rng, count, self.settings.architecture.noise_size))

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`."""
        pictures = dict[str, Pixels]()
        if weights.raw:
            load(self.generator, weights.raw)
            pictures["samples_without_average"] = grids.grid(self.made(SHOWN), COLUMNS)
        load(self.generator, weights.generator)
        made = self.made(len(self.test))
        features = self.features(made)
        metrics: Metrics = measures.measures(features, self.test_features) | self.baselines
        real_spread = measures.feature_spread(self.test_features)  # 0 where more than half of them come twice
        spread = measures.feature_spread(features) / max(real_spread, LEAST_SPREAD)
        metrics |= {"feature_spread": spread, "collapsed": float(spread < COLLAPSED)}
        metrics |= {"count": float(len(made)), "held_out": float(len(self.test))}
        pictures |= self._drawn(made, weights)
        return Evaluation(metrics, series={}, texts=[], histograms={}, pictures=pictures, animated=("samples",))

    def _drawn(self, made: Pixels, weights: Weights) -> dict[str, Pixels]:
        rng = stream(self.settings.seed, Purpose.EVALUATION, 3)
        arcs = interpolated(rng, COLUMNS, COLUMNS, self.settings.architecture.noise_size)
        drawn = {
            "samples": grids.grid(made[:SHOWN], COLUMNS),
            "interpolations": grids.grid(generate(self.generator, arcs), COLUMNS),
            "nearest_training_pictures": grids.neighbours(made[:NEIGHBOURED], self.pictures.train(), NEIGHBOURS),
        }
        if weights.version == 0:  # what does not change
            drawn["real"] = grids.grid(self.test[:SHOWN], COLUMNS)
            drawn["average_picture"] = measures.mean_picture(self.pictures.train())
        return drawn


def evaluate_run(run: LoadedRun, options: EvaluateOptions, tools: EvaluationTools) -> Result:
    """Measure a run for `rlgan evaluate RUN`: as in training, and the true FID if Inception's weights are given."""
    run = dataclasses.replace(run, settings=updated(run.settings, {"cache": options.cache}))
    # The protocol of tasks knows no pictures; the task of a run on pictures has some.
    task = cast("ImageTask", tools.prepare(run))
    tested: Result = {}
    if tools.test_data is not None:
        task = task.with_test(tools.test_data, tools.map_, tools.status)
        tested = {"test_data": tools.test_data}
    result = _measured(run, task.evaluator(prepare(run.device)), tools.status) | tested
    if options.inception is not None:
        tools.status("the distance by Inception's features")
        test = task.pictures.test()
        made = sample(run.settings, run.weights, len(test), run.settings.seed, prepare(run.device))
        result["fid"] = inception_fid(made, test, Path(options.inception), prepare(run.device))
    return result


def _measured(run: LoadedRun, evaluator: ImageEvaluator, status: Status) -> Result:
    """What training measures, and which run it is; shows how far it is, by CPU seconds that were seen."""
    stages = Stages(status, total=11)
    stages.begin("reading the held-out pictures", 1)
    evaluator.test_features  # noqa: B018 - kept by the evaluator, as the next are
    stages.begin("measuring real pictures", 6)
    evaluator.baselines  # noqa: B018
    stages.begin(f"measuring {run.path}", 4)
    evaluation = evaluator.evaluate(run.weights)
    which: Result = {"run": run.path, "step": run.step} | run.task.labels(run.settings)
    return which | evaluation.metrics | evaluation.series
