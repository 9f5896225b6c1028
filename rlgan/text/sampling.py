"""Texts that a generator writes."""

import math
from collections.abc import Iterator

from rlgan.device import prepare
from rlgan.rng import Purpose, stream
from rlgan.task import LoadedRun
from rlgan.text.assembly import sampler
from rlgan.text.rollout import RolloutGenerator
from rlgan.text.settings import SampleOptions
from rlgan.text.trained import vocabulary_of
from rlgan.text.vocabulary import to_text
from rlgan.types import Rollout, Weights


def generate(rollouts: RolloutGenerator, weights: Weights, count: int, seed: int, *, rewards: bool = True) -> Rollout:
    """Generate `count` sequences; the first n are the same however many are asked for, with `rewards` and without."""
    return Rollout.join(list(_rounds(rollouts, weights, count, seed, rewards=rewards)))[:count]


def _rounds(rollouts: RolloutGenerator, weights: Weights, count: int, seed: int, *, rewards: bool) -> Iterator[Rollout]:
    # Whole rounds, of which the caller cuts the rest off: fewer rows at a time would round otherwise.
    for i in range(math.ceil(count / rollouts.settings.rows)):
        yield rollouts.generate(weights, stream(seed, Purpose.EVALUATION, i), rewards=rewards)


def sample_lines(run: LoadedRun, count: int, seed: int, options: SampleOptions) -> Iterator[str]:
    """Write texts for `rlgan sample RUN`, a line for each."""
    words = vocabulary_of(run)
    rollouts = sampler(run.settings, words, prepare(run.device), options.temperature)
    for part in _rounds(rollouts, run.weights, count, seed, rewards=False):
        yield from to_text(words, part.tokens[:count])
        count -= len(part.tokens)
