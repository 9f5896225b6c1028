"""What training measures of text as it goes."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlgan.learning.weights import load
from rlgan.rng import Purpose, stream
from rlgan.text import measures, ngrams
from rlgan.text.assembly import sampler
from rlgan.text.corpora.token_kinds import find_token_kind
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.perplexities import reference_perplexities
from rlgan.text.rollout import RolloutGenerator
from rlgan.text.sampling import generate
from rlgan.text.schedule import EVALUATION_ROWS, SCORED_ROWS
from rlgan.text.settings import TextSettings
from rlgan.text.vocabulary import to_text
from rlgan.types import Evaluation, Float, Mask, Metrics, Rollout, Tokens, Weights

SAMPLES_SHOWN = 10

NEGATIVE_RETURN = "negative_return"


@dataclass(frozen=True)
class _Judged:
    """What is found out about the discriminator, or about the scorer in its place; see `rlgan.types.Evaluation`."""

    metrics: Metrics
    series: dict[str, list[float]]
    histograms: dict[str, NDArray[Any]]


class TextEvaluator:
    """Evaluates weights: a pure function of them, of the corpus and of the seed."""

    def __init__(self, settings: TextSettings, corpus: Corpus, device: torch.device) -> None:
        self.settings = settings
        self.corpus = corpus
        self.rollouts = sampler(settings, corpus.words, device)
        distinct_bigrams = ngrams.distinct(*self._real, 2)
        self._constant = reference_perplexities(corpus) | {"distinct_bigrams_real": distinct_bigrams}

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`.

        Perplexities are 2^(bits per counted token) with one z per row from a fixed seed, so that evaluations compare.
        """
        seed, corpus = self.settings.seed, self.corpus
        # Both networks of the rollouts have these weights afterwards.
        made = generate(self.rollouts, weights, EVALUATION_ROWS, seed)
        judged = self._judged(made)
        # Keys of two numbers: those of one number are the rounds of `generate`, whose draws these must not share.
        metrics: Metrics = {
            f"{name}_perplexity": measures.perplexity(
                self.rollouts.generator, rows.tokens, stream(seed, Purpose.EVALUATION, 0, split)
            )
            for split, (name, rows) in enumerate((("validation", corpus.validation), ("test", corpus.test)))
        }
        metrics["test_nll"] = math.log(metrics["test_perplexity"])  # nats per token: the NLL_test of Yu et al. 2017
        metrics |= self._constant | self._implied() | judged.metrics
        metrics["generator_entropy"] = -float(made.log_probs.sum() / made.mask.sum())
        metrics |= ngrams.brief(corpus, Rows(made.tokens, made.mask))
        # No row may reach the last positions; their mean reward is then 0 and not NaN, which JSON does not have.
        counts = np.maximum(made.mask.sum(axis=0), 1)
        return Evaluation(
            metrics=metrics,
            series={"reward_by_position": (made.rewards.sum(axis=0) / counts).tolist()} | judged.series,
            texts=to_text(corpus.words, made.tokens[:SAMPLES_SHOWN], find_token_kind(self.settings.corpus.tokens).join),
            histograms=judged.histograms | {"length": made.mask.sum(axis=1)},
        )

    def score(self, weights: Weights) -> Metrics:
        """The perplexity of some validation rows, always the same, with a z of their own from a fixed seed."""
        load(self.rollouts.generator, weights.generator)
        rows = self.corpus.validation.tokens[:SCORED_ROWS]
        # Three numbers, so that no evaluation shares its draws.
        rng = stream(self.settings.seed, Purpose.EVALUATION, 0, 0, 0)
        return {"quick_validation_perplexity": measures.perplexity(self.rollouts.generator, rows, rng)}

    def _judged(self, made: Rollout) -> "_Judged":
        """How the discriminator does; or, where a scorer stands in its place, the mean return of a sequence."""
        if self.settings.rewards.scorer is not None:
            mean = float(made.rewards.sum() / len(made.rewards))
            # With its sign turned too, since the best checkpoint is where a metric is least.
            return _Judged({"return": mean, NEGATIVE_RETURN: -mean}, {}, {})
        real_mask = self._real[1]
        all_real, all_fake = self._log_odds(made)
        # Plain log-odds after the last token are of the whole row; structured ones are of one token, so that all count.
        counted = measures.counted if self._structured else measures.at_last_token
        real, fake = counted(all_real, real_mask), counted(all_fake, made.mask)
        return _Judged(
            {
                # Log-odds of exactly 0 are right on neither side: a discriminator that says 0 of all learned nothing.
                "discriminator_accuracy_real": float((real > 0).mean()),
                "discriminator_accuracy_generated": float((fake < 0).mean()),
            },
            {
                "discriminator_accuracy_real_by_position": measures.share_by_position(all_real > 0, real_mask),
                "discriminator_accuracy_generated_by_position": measures.share_by_position(all_fake < 0, made.mask),
            },
            {"log_odds_real": real, "log_odds_generated": fake},
        )

    def carried_perplexity(self, weights: Weights) -> float:
        """The perplexity of the test rows, read as one stream; see `rlgan.text.measures`."""
        load(self.rollouts.generator, weights.generator)
        # The key of `_log_odds`: another one would change a number that results before this one have.
        rng = stream(self.settings.seed, Purpose.EVALUATION, 0, 2)
        return measures.carried_perplexity(self.rollouts.generator, self.corpus.test.tokens, rng)

    def samples(self, weights: Weights, count: int, temperature: float) -> Rollout:
        """What weights write at a temperature, without rewards."""
        return generate(self._at(temperature), weights, count, self.settings.seed, rewards=False)

    def _at(self, temperature: float) -> RolloutGenerator:
        settings = self.rollouts.settings
        if temperature == settings.temperature:
            return self.rollouts
        return RolloutGenerator(replace(settings, temperature=temperature), self.rollouts.device)

    @property
    def _structured(self) -> bool:
        """Whether log-odds belong to one token, and scores are those of a language model."""
        return self.rollouts.discriminator.form.reads_policy

    def _log_odds(self, made: Rollout) -> tuple[Float, Float]:
        """The discriminator's log-odds after every token of the real rows and of the generated ones."""
        tokens, discriminator = self._real[0], self.rollouts.discriminator
        if not self._structured:
            return measures.log_odds(discriminator, tokens), measures.log_odds(discriminator, made.tokens)
        rng = stream(self.settings.seed, Purpose.EVALUATION, 0, 2)
        log_probs = measures.log_probs(self.rollouts.generator, tokens, rng)
        real = measures.log_odds(discriminator, tokens, log_probs)
        return real, measures.log_odds(discriminator, made.tokens, made.log_probs)

    def _implied(self) -> Metrics:
        """Perplexities of the language model that a structured discriminator is, beside the generator's."""
        if not self._structured:
            return {}
        return {
            f"implied_{name}_perplexity": measures.implied_perplexity(self.rollouts.discriminator, rows.tokens)
            for name, rows in (("validation", self.corpus.validation), ("test", self.corpus.test))
        }

    @property
    def _real(self) -> tuple[Tokens, Mask]:
        rows = self.corpus.validation
        return rows.tokens[:EVALUATION_ROWS], rows.mask[:EVALUATION_ROWS]
