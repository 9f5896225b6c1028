"""The text task with its settings and its corpus: learner, words for people."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch

from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.learning.precision import find_precision
from rlgan.settings import identity, updated
from rlgan.task import Facts, Say, caveat_of_few
from rlgan.text import assembly
from rlgan.text.corpora.load import load_corpus
from rlgan.text.corpora.token_kinds import find_token_kind
from rlgan.text.corpus import Corpus, batch
from rlgan.text.estimators.estimator import make_estimator
from rlgan.text.evaluator import NEGATIVE_RETURN, TextEvaluator
from rlgan.text.forms.form import find_form
from rlgan.text.given_scorer import check_given_scorer, check_recipe
from rlgan.text.headlines import MEASURES
from rlgan.text.rollout import ShardMaker
from rlgan.text.schedule import TextSchedule
from rlgan.text.settings import TextSettings
from rlgan.types import Evaluation, Map, Metrics, RealBatch

# Below these a generator writes nearly the same every time: nats per token, and the share of different sequences.
COLLAPSED_ENTROPY = 0.5
COLLAPSED_DISTINCT = 0.5


@dataclass(frozen=True)
class TextTask:
    """A recipe and its corpus; implements `rlgan.task.LoadedTask`."""

    settings: TextSettings
    corpus: Corpus

    @staticmethod
    def load(settings: TextSettings) -> "TextTask":
        """Read or generate the corpus that the recipe names, and resolve what the recipe leaves to it.

        Raises:
            DataError: it can't be had or does not fit the settings.
            UsageError: a form of the discriminator or a scorer from outside does not go with another setting.
        """
        check_recipe(settings)
        settings.check_form(find_form(settings.discriminator.discriminator_form).reads_policy)
        data, corpus = load_corpus(settings.corpus)
        if settings.rewards.scorer:
            check_given_scorer(settings.rewards.scorer, corpus.words)
        # Filled in before the recipe is saved: a resumed run is compared by what the data decided.
        found = {"data": data, "layout": corpus.layout, "split": corpus.split, "vocab_size": len(corpus.words)}
        return TextTask(updated(settings, found), corpus)

    def with_settings(self, settings: TextSettings) -> "TextTask":
        """The same corpus under another recipe, whose data is this."""
        return TextTask(settings, self.corpus)

    @property
    def facts(self) -> Facts:
        """What the loop and the processes have to know of it."""
        s, corpus = self.settings, self.corpus
        sizes = " / ".join(f"{rows.shape[0]:,}" for rows in (corpus.train, corpus.validation, corpus.test))
        shards = s.shards if self.schedule.method.adversarial else 0
        kind = find_token_kind(s.corpus.tokens).plural
        return Facts(
            data=s.corpus.data,
            # Where the corpus lies does not count.
            identity=(identity(s, ignored=("data",)), corpus.fingerprint),
            about=(
                f"{s.method} on text, preset {s.preset}{_suited(s.preset_for)}, seed {s.seed}"
                + (f", rewarded by {s.rewards.scorer}" if s.rewards.scorer else ""),
                f"data: {corpus.name}, {len(corpus.words):,} {kind}; {sizes} {s.corpus.layout} "
                f"of {s.corpus.length} tokens to train / validate / test",
                *filter(None, [find_precision(s.products.precision).about]),
                *([corpus.account.line(sentences=corpus.stop_token is not None)] if corpus.account else []),
                *corpus.notes,
                *caveat_of_few(corpus.test.shape[0], "rows"),
            ),
            account=self._account,
            # Not of the test set: a checkpoint that is chosen by it would be reported as better than it is.
            selection_metric=NEGATIVE_RETURN if s.rewards.scorer else "validation_perplexity",
            throughput_metric="tokens",
            shards=shards,
            score_every=self.schedule.score_every,
            lag=s.lag,
            # Learners take whole shards; with a method that has none, sequences.
            max_learners=shards or s.batch_size,
            vocabulary=corpus.words,
            measures=MEASURES,
        )

    @property
    def _account(self) -> dict[str, object]:
        """What there is to learn from, for config.json."""
        corpus = self.corpus
        rows = {name: getattr(corpus, name).shape[0] for name in ("train", "validation", "test")}
        account = corpus.account.as_json(sentences=corpus.stop_token is not None) if corpus.account else {}
        return {"rows": rows, "vocabulary": len(corpus.words)} | account

    # Once, since every real batch asks for it, and an estimator is made for it.
    @cached_property
    def schedule(self) -> TextSchedule:
        """Which step computes what."""
        corpus = self.corpus
        held_out = len(corpus.validation.tokens) + len(corpus.test.tokens)
        reads_rewards = make_estimator(self.settings.policy, self.settings.rewards).reads_rewards
        return TextSchedule(self.settings, corpus.train.shape[0], held_out, reads_rewards)

    @property
    def reporter(self) -> "TextReporter":
        """What puts evaluations into words."""
        return TextReporter()

    @property
    def rollout_maker(self) -> Callable[[torch.device], ShardMaker]:
        """Makes, on a device, what makes shards; it travels to the rollout workers, the data does not."""
        # A partial and no lambda, since it is pickled.
        return partial(ShardMaker, assembly.rollout_settings(self.settings, self.corpus.words), self.schedule.plan)

    def prepare(self, map_: Map, say: Say) -> None:
        """Nothing: the data is there."""

    def real(self, step: int, update: int) -> RealBatch:
        """The real batch of the discriminator's update (in MLE, the generator's): a pure function."""
        s = self.settings
        # Numbered through the run and not within the step, so that a pass shows the discriminator each row once.
        rows = batch(self.corpus.train, s.batch_size, self.schedule.batches(step) + update, s.seed)
        return RealBatch(rows.tokens.astype(np.int64))

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device and in every place of a group."""
        corpus = self.corpus
        return assembly.learner(self.settings, corpus.words, corpus.stop_token, self, device, group)

    def evaluator(self, device: torch.device) -> TextEvaluator:
        """What evaluates weights on this corpus."""
        return TextEvaluator(self.settings, self.corpus, device)


def _suited(vocabulary: str | None) -> str:
    """Which of a preset's recipes was taken, where it has one for each vocabulary."""
    return "" if vocabulary is None else f" for a {vocabulary} vocabulary (--preset-for)"


class TextReporter:
    """Puts evaluations into words."""

    def brief(self, evaluation: Evaluation) -> str:
        """The test perplexity beside what there is to compare it with."""
        m = evaluation.metrics
        floor = f", floor {m['floor_perplexity']:.2f}" if "floor_perplexity" in m else ""
        perplexity = m["test_perplexity"]  # of a generator that has collapsed it has hundreds of digits
        said = f"{perplexity:.1f}" if perplexity < 1e6 else f"{perplexity:.1e}"
        implied = f", D's implied {m['implied_test_perplexity']:.1f}" if "implied_test_perplexity" in m else ""
        return f"test perplexity {said} (unigram {m['unigram_perplexity']:.1f}{floor}{implied})"

    def summary(self, evaluation: Evaluation) -> list[str]:
        """A line for people, and a sequence that the generator wrote."""
        m = evaluation.metrics
        if "return" in m:
            judged = f"mean return {m['return']:.3g}"
        else:
            judged = (
                f"D right on {m['discriminator_accuracy_real']:.0%} of real and "
                f"{m['discriminator_accuracy_generated']:.0%} of generated"
            )
        found = f"{self.brief(evaluation)}, {judged}, {m['distinct_sequences']:.0%} distinct; it writes:"
        return [found, f"    {evaluation.texts[0]}"]

    def collapse(self, metrics: Metrics) -> str | None:
        """Mode collapse in text: rollouts (or, in an evaluation, samples) that are nearly all the same."""
        # A step has the shorter names, an evaluation the longer; MLE's steps have neither and can raise no alarm.
        entropy = metrics.get("generator_entropy", metrics.get("entropy", math.inf))
        distinct = metrics.get("distinct_sequences", metrics.get("distinct", math.inf))
        if entropy < COLLAPSED_ENTROPY:
            return f"the generator's entropy is {entropy:.2f} nats per token"
        if distinct < COLLAPSED_DISTINCT:
            return f"of its sequences only {distinct:.0%} are different"
        return None
