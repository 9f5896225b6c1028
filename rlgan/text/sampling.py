"""Texts that a generator writes."""

import math
from collections.abc import Iterator

from rlgan.device import prepare
from rlgan.errors import RunError
from rlgan.rng import Purpose, stream
from rlgan.task import LoadedRun
from rlgan.text.corpus import to_text
from rlgan.text.players import sampler
from rlgan.text.rollout import Player
from rlgan.text.settings import SampleOptions
from rlgan.text.stories import END
from rlgan.types import Rollout, Weights


def generate(player: Player, weights: Weights, count: int, seed: int) -> Rollout:
    """Generate `count` sequences; the first n are the same however many are asked for."""
    rounds = math.ceil(count / player.settings.rows)
    played = [player.play(weights, stream(seed, Purpose.EVALUATION, i)) for i in range(rounds)]
    return Rollout.join(played)[:count]


def sample_lines(run: LoadedRun, count: int, seed: int, options: SampleOptions) -> Iterator[str]:
    """Of `rlgan sample RUN`: a line for each text."""
    words = vocabulary_of(run)
    player = sampler(run.settings, words, prepare(0), options.temperature)
    rows = player.settings.rows
    for i in range(math.ceil(count / rows)):
        played = player.play(run.weights, stream(seed, Purpose.EVALUATION, i))
        yield from to_text(words, played.tokens[: count - i * rows])


def vocabulary_of(run: LoadedRun) -> tuple[str, ...]:
    """The words of a run.

    Raises:
        RunError: they are not those of the checkpoint's networks.
    """
    words = run.read_words()
    due = len(run.weights.generator["output.bias"])
    ends = run.settings.corpus.layout != "sentences" or END in words
    if len(words) != due or len(words) != len(set(words)) or not ends:
        raise RunError(
            f"{run.path}/vocabulary.json has {len(set(words))} different words and does not fit the networks of "
            f"checkpoint {run.step}, which know {due}: put the run's own back"
        )
    return words
