"""Texts that a generator writes."""

import math
from collections.abc import Iterator

from rlgan.device import prepare
from rlgan.errors import UsageError
from rlgan.rng import Purpose, stream
from rlgan.task import LoadedRun
from rlgan.text.assembly import sampler
from rlgan.text.corpora.token_kinds import TokenKind, find_token_kind
from rlgan.text.rollout import RolloutGenerator
from rlgan.text.settings import SampleOptions
from rlgan.text.trained import vocabulary_of
from rlgan.text.vocabulary import END, to_text, to_tokens
from rlgan.types import Rollout, Tokens, Weights


def generate(rollouts: RolloutGenerator, weights: Weights, count: int, seed: int, *, rewards: bool = True) -> Rollout:
    """Generate `count` sequences; the first n are the same however many are asked for, with `rewards` and without."""
    rounds = list(_rounds(rollouts, weights, count, seed, rewards=rewards))
    return Rollout.join(rounds)[:count]


def _rounds(rollouts: RolloutGenerator, weights: Weights, count: int, seed: int, *, rewards: bool) -> Iterator[Rollout]:
    # Whole rounds, of which the caller cuts the rest off: fewer rows at a time would round otherwise.
    for i in range(math.ceil(count / rollouts.settings.rows)):
        yield rollouts.generate(weights, stream(seed, Purpose.EVALUATION, i), rewards=rewards)


def sample_lines(run: LoadedRun, count: int, seed: int, options: SampleOptions) -> Iterator[str]:
    """Write texts for `rlgan sample RUN`, a line for each."""
    words = vocabulary_of(run)
    kind, length = find_token_kind(run.settings.corpus.tokens), run.settings.corpus.length
    prompt = None if options.prompt is None else prompt_tokens(options.prompt, words, length, kind)
    rollouts = sampler(run.settings, words, prepare(run.device), options.temperature)
    rows = rollouts.settings.rows
    for i in range(math.ceil(count / rows)):
        rng = stream(seed, Purpose.EVALUATION, i)
        if prompt is None:
            tokens = rollouts.generate(run.weights, rng, rewards=False).tokens
        else:
            tokens = rollouts.complete(run.weights, prompt, rng)
        yield from to_text(words, tokens[: count - i * rows], kind.join)


def prompt_tokens(prompt: str, words: tuple[str, ...], length: int, kind: TokenKind) -> Tokens:
    """The tokens of a prompt, int64 [P].

    Args:
        prompt: a text of one line.
        words: the vocabulary.
        length: T, the tokens of a sequence.
        kind: what a token is.

    Raises:
        UsageError: it has no words, words that the run does not know, or too many.

    Example:
        >>> prompt_tokens("a cat", ("<unk>", "<eos>", "a", "cat"), length=3, kind=find_token_kind("words"))
        array([2, 3])
        >>> prompt_tokens("a cat", ("<unk>", "<eos>", "a", "cat"), length=2, kind=find_token_kind("words"))
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --prompt has 2 words and the run's sequences 2: give 1 or fewer
    """
    typed = list(kind.split(prompt.strip()))
    if not typed:
        raise UsageError(f"--prompt is empty: it has no {kind.plural}; give some, or leave it out")
    if unknown := [word for word in typed if word not in words or word == END]:
        raise UsageError(
            f"--prompt {prompt!r}: {', '.join(each.strip() or repr(each) for each in unknown)} "
            f"{'are' if len(unknown) > 1 else 'is'} not among the {len(words):,} {kind.plural} of the run's "
            "vocabulary.json"
        )
    if len(typed) >= length:
        fewer = f"give {length - 1} or fewer" if length > 1 else "leave it out"
        raise UsageError(f"--prompt has {len(typed)} {kind.plural} and the run's sequences {length}: {fewer}")
    return to_tokens(typed, words)
