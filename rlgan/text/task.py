"""The text task: a pair of sequence networks on a corpus, trained by policy gradients (Yala & Song, section 4)."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from rlgan.errors import DataError
from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.learning.weights import load
from rlgan.rng import Purpose, stream, torch_seed
from rlgan.settings import absolute
from rlgan.text import measures, oracle
from rlgan.text import ngrams as quality
from rlgan.text.corpus import Corpus, Rows, batch, encode, load_stories, load_text, to_text, unigram_perplexity
from rlgan.text.networks import TextDiscriminator, TextGenerator, TextNetworks
from rlgan.text.policy_gradient import PolicyGradient
from rlgan.text.rollout import Player, RolloutSettings, random_discriminator
from rlgan.text.settings import TextConfig
from rlgan.text.stories import END
from rlgan.types import Evaluation, Map, Mask, Metrics, Plan, RealBatch, Rollout, Tokens, Weights

# Sequences that an evaluation generates, and real rows that it shows the discriminator.
EVALUATION_ROWS = 512
SAMPLES_SHOWN = 10
# Below these a generator writes nearly always the same: nats per token, and the share of different sequences.
COLLAPSED_ENTROPY = 0.5
COLLAPSED_DISTINCT = 0.5


@dataclass(frozen=True)
class TextTask:
    """A recipe and its corpus. Picklable: the driver makes it, the learner's process gets a copy."""

    config: TextConfig
    corpus: Corpus
    score: ClassVar[str] = "validation_perplexity"
    unit: ClassVar[str] = "tokens"
    shared: ClassVar[None] = None

    @staticmethod
    def load(config: TextConfig) -> "TextTask":
        """Read or generate the corpus that the recipe names, and resolve what the recipe leaves to it.

        Raises:
            DataError: it can't be had or does not fit the settings.
        """
        if config.data == "oracle":
            layout = config.layout or "windows"
            if layout == "sentences" or config.vocab_size not in (None, oracle.VOCAB_SIZE):
                raise DataError(
                    f"the oracle writes windows of {oracle.VOCAB_SIZE} words: leave --layout and --vocab-size out"
                )
            corpus = oracle.load_oracle(config.length)
        elif config.data == "stories":
            layout = config.layout or "sentences"
            corpus = load_stories(config.length, layout)
            if config.vocab_size not in (None, len(corpus.words)):
                raise DataError(f"the stories have {len(corpus.words)} words and need them all: leave --vocab-size out")
        else:
            config = dataclasses.replace(config, data=str(absolute("--data", config.data)))
            layout = config.layout or "windows"
            corpus = load_text(Path(config.data), config.vocab_size, config.length, layout)
        return TextTask(dataclasses.replace(config, layout=layout, vocab_size=len(corpus.words)), corpus)

    @property
    def identity(self) -> tuple[object, ...]:
        """The recipe and the corpus; where that lies does not count."""
        return dataclasses.asdict(dataclasses.replace(self.config, data="")), self.corpus.fingerprint

    @property
    def data(self) -> str:
        """Where the corpus lies."""
        return self.config.data

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words by token."""
        return self.corpus.words

    @property
    def about(self) -> list[str]:
        """Lines for people: what is trained, on what."""
        c, corpus = self.config, self.corpus
        sizes = " / ".join(f"{len(rows.tokens):,}" for rows in (corpus.train, corpus.validation, corpus.test))
        return [
            f"{c.method} on text, preset {c.preset}, seed {c.seed}",
            f"data: {corpus.name}, {len(corpus.words):,} words; {sizes} {c.layout} "
            f"of {c.length} tokens to train / validate / test",
        ]

    def tested_on(self, path: str) -> "tuple[TextTask, int]":
        """The same with another test set, in the run's vocabulary, and how many of its words that does not have.

        Raises:
            DataError: it can't be read.
        """
        words, layout = self.corpus.words, self.config.layout or "windows"
        rows, unknown = encode(Path(path), words, self.config.length, layout)
        corpus = dataclasses.replace(self.corpus, test=rows, true_log_probs=None)
        return dataclasses.replace(self, corpus=corpus), unknown

    @property
    def shard_maker(self) -> Callable[[torch.device], Player]:
        """Makes a player on a device; it travels to the rollout workers, the data does not."""
        return partial(Player, rollout_settings(self.config, self.corpus.words))

    def prepare(self, map_: Map, say: Callable[[str], None]) -> None:
        """Nothing: the data is there."""

    @property
    def lag(self) -> int:
        """Of the rollouts behind the learner."""
        return self.config.lag

    @property
    def shards(self) -> int:
        """Parts in which a batch of rollouts is made; MLE has none."""
        return 0 if self.config.method == "mle" else self.config.shards

    @property
    def parts(self) -> int:
        """Learners take whole shards; MLE, which has none, sequences."""
        return self.shards or self.config.batch_size

    @property
    def evaluate_every(self) -> int:
        """So many that an evaluation, whose time goes by the rows it reads, takes some 4 % of the time.

        In between, training reads four times as many real rows as an evaluation reads rows; twelve times with `mle`,
        which neither generates nor judges, and so does a step in a third of the time.
        """
        times = 12 if self.config.method == "mle" else 4
        read = len(self.corpus.validation.tokens) + len(self.corpus.test.tokens) + 2 * EVALUATION_ROWS
        return math.ceil(times * read / (self._batches_per_step * self.config.batch_size))

    @property
    def batches_per_epoch(self) -> float:
        """Real batches in one pass over the training rows."""
        return len(self.corpus.train.tokens) / self.config.batch_size

    @property
    def pretraining_steps(self) -> int:
        """Steps that pretraingan spends on MLE: one epoch of it."""
        return math.ceil(self.batches_per_epoch) if self.config.method == "pretraingan" else 0

    def plan(self, step: int) -> Plan:
        """What training step `step` computes (Yala & Song, section 4.2)."""
        c = self.config
        if step < self.pretraining_steps:
            return Plan(supervision=1.0, discriminator_steps=1, random_fakes=True)
        if c.method == "mle":
            return Plan(supervision=1.0, discriminator_steps=0)
        if c.method == "curriculum":
            epochs, supervision = zip(*c.curriculum, strict=True)
            return Plan(float(np.interp(self.epoch(step), epochs, supervision)), c.discriminator_steps)
        return Plan(c.supervision if c.method == "mixedgan" else 0.0, c.discriminator_steps)

    def epoch(self, step: int) -> float:
        """Passes over the training rows before `step`: through D, in MLE through G."""
        return self._batches(step) / self.batches_per_epoch

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        batches = math.ceil(epochs * self.batches_per_epoch)
        pretraining = min(batches, self.pretraining_steps)
        return pretraining + math.ceil((batches - pretraining) / self._batches_per_step)

    def real(self, step: int, update: int) -> RealBatch:
        """The real batch of the discriminator's update (in MLE, the generator's): a pure function."""
        rows = batch(self.corpus.train, self.config.batch_size, self._batches(step) + update, self.config.seed)
        return RealBatch(rows.tokens)

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device and in every place of a group."""
        c = self.config
        torch.manual_seed(torch_seed(c.seed, Purpose.INITIALISE))
        networks = text_networks(c, self.corpus.words)
        generator = TextGenerator(networks).to(device)
        discriminator = TextDiscriminator(networks, c.discriminator_dropout, c.discriminator_word_dropout).to(device)
        control = None
        if c.reward_control == "random_discriminator":
            control = random_discriminator(networks, c.seed).to(device)
        adapter = PolicyGradient(generator, discriminator, control, c, self.corpus.stop_token, group)
        rates = {
            "generator": c.generator_learning_rate,
            "discriminator": c.discriminator_learning_rate,
            "baseline": c.baseline_learning_rate,
        }
        learners = {"generator": generator, "discriminator": discriminator} | adapter.others
        return Learner(
            adapter,
            self,
            {
                name: torch.optim.Adam(network.parameters(), rates[name], (c.adam_beta1, 0.999), fused=True)
                for name, network in learners.items()
                if list(network.parameters())
            },
            gradient_norm=c.gradient_norm,
            average=c.generator_average,
            seed=c.seed,
        )

    def collapse(self, metrics: Metrics) -> str | None:
        """The Helvetica problem in text: rollouts (or, in an evaluation, samples) that are nearly all the same."""
        entropy = metrics.get("generator_entropy", metrics.get("entropy", math.inf))
        distinct = metrics.get("distinct_sequences", metrics.get("distinct", math.inf))
        if entropy < COLLAPSED_ENTROPY:
            return f"the generator's entropy is {entropy:.2f} nats per token"
        if distinct < COLLAPSED_DISTINCT:
            return f"of its sequences only {distinct:.0%} are different"
        return None

    def evaluator(self, device: torch.device) -> "TextEvaluator":
        """What evaluates weights on this corpus."""
        return TextEvaluator(self, device)

    def brief(self, evaluation: Evaluation) -> str:
        """The test perplexity beside what there is to hold it against."""
        m = evaluation.metrics
        floor = f", floor {m['floor_perplexity']:.2f}" if "floor_perplexity" in m else ""
        perplexity = m["test_perplexity"]  # of a generator that has collapsed it has hundreds of digits
        said = f"{perplexity:.1f}" if perplexity < 1e6 else f"{perplexity:.1e}"
        return f"test perplexity {said} (unigram {m['unigram_perplexity']:.1f}{floor})"

    def summary(self, evaluation: Evaluation) -> list[str]:
        """A line for people, and a sequence that the generator wrote."""
        m = evaluation.metrics
        found = (
            f"{self.brief(evaluation)}, "
            f"D right on {m['discriminator_accuracy_real']:.0%} of real and "
            f"{m['discriminator_accuracy_generated']:.0%} of generated, "
            f"{m['distinct_sequences']:.0%} distinct; it writes:"
        )
        return [found, f"    {evaluation.texts[0]}"]

    @property
    def _batches_per_step(self) -> int:
        return 1 if self.config.method == "mle" else self.config.discriminator_steps

    def _batches(self, step: int) -> int:
        pretraining = min(step, self.pretraining_steps)
        return pretraining + (step - pretraining) * self._batches_per_step


def text_networks(config: TextConfig, words: tuple[str, ...]) -> TextNetworks:
    """What both players are made of."""
    return TextNetworks(
        vocab_size=len(words),
        embedding_size=config.embedding_size,
        hidden_size=config.hidden_size,
        generator=config.generator,
        discriminator=config.discriminator,
        every_token=config.estimator == "all_tokens",
    )


def rollout_settings(config: TextConfig, words: tuple[str, ...]) -> RolloutSettings:
    """How the environment is played in training: a sentence ends with `<eos>`, a window is always full."""
    return RolloutSettings(
        networks=text_networks(config, words),
        length=config.length,
        stop_token=words.index(END) if config.layout == "sentences" else None,
        rows=config.shard_size,
        reward=config.reward,
        reward_control=config.reward_control,
        discount=config.discount,
        monte_carlo_rollouts=config.monte_carlo_rollouts,
        seed=config.seed,
    )


def sampler(config: TextConfig, words: tuple[str, ...], device: torch.device, temperature: float = 1.0) -> Player:
    """A player of the same environment for samples: needs no data, and shows D's own rewards."""
    settings = dataclasses.replace(
        rollout_settings(config, words),
        rows=measures.CHUNK,
        reward_control="none",
        monte_carlo_rollouts=1,
        temperature=temperature,
    )
    return Player(settings, device)


def generate(player: Player, weights: Weights, count: int, seed: int) -> Rollout:
    """Generate `count` sequences; the first n are the same however many are asked for."""
    rounds = math.ceil(count / player.settings.rows)
    played = [player.play(weights, stream(seed, Purpose.EVALUATION, i)) for i in range(rounds)]
    return Rollout.join(played)[:count]


class TextEvaluator:
    """Evaluates weights: a pure function of them, of the corpus and of the seed."""

    def __init__(self, task: TextTask, device: torch.device) -> None:
        self.task = task
        self.player = sampler(task.config, task.corpus.words, device)
        self._constant = {
            "unigram_perplexity": unigram_perplexity(task.corpus, task.corpus.test),
            "distinct_bigrams_real": quality.distinct(*self._real, 2),
        }
        floor = task.corpus.floor_perplexity(task.corpus.test)
        if floor is not None:
            self._constant["floor_perplexity"] = floor

    def evaluate(self, weights: Weights) -> Evaluation:
        """Measure weights; the keys are those of metrics.jsonl and of `rlgan evaluate`.

        Perplexities are 2^(bits per counted token) with one z per row from a fixed seed, so that evaluations compare.
        """
        seed, corpus = self.task.config.seed, self.task.corpus
        made = generate(self.player, weights, EVALUATION_ROWS, seed)
        load(self.player.discriminator, weights.discriminator)
        real_tokens, real_mask = self._real
        all_real = measures.log_odds(self.player.discriminator, real_tokens)
        all_fake = measures.log_odds(self.player.discriminator, made.tokens)
        real, fake = measures.at_last_token(all_real, real_mask), measures.at_last_token(all_fake, made.mask)
        metrics: Metrics = {
            f"{name}_perplexity": measures.perplexity(
                self.player.generator, rows.tokens, stream(seed, Purpose.EVALUATION, 0, split)
            )
            for split, (name, rows) in enumerate((("validation", corpus.validation), ("test", corpus.test)))
        }
        metrics["test_nll"] = math.log(metrics["test_perplexity"])  # nats per token: the NLL_test of Yu et al. 2017
        metrics |= self._constant
        metrics |= {
            "discriminator_accuracy_real": float((real > 0).mean()),
            "discriminator_accuracy_generated": float((fake < 0).mean()),
            "generator_entropy": -float(made.log_probs.sum() / made.mask.sum()),
            "distinct_sequences": quality.distinct_sequences(made.tokens),
            "distinct_bigrams": quality.distinct(made.tokens, made.mask, 2),
            "length": float(made.mask.sum(axis=1).mean()),
        }
        metrics |= quality.under_true_language(corpus, Rows(made.tokens, made.mask))
        counts = np.maximum(made.mask.sum(axis=0), 1)
        return Evaluation(
            metrics=metrics,
            series={
                "reward_by_position": (made.rewards.sum(axis=0) / counts).tolist(),
                "discriminator_accuracy_real_by_position": measures.share_by_position(all_real > 0, real_mask),
                "discriminator_accuracy_generated_by_position": measures.share_by_position(all_fake < 0, made.mask),
            },
            texts=to_text(corpus.words, made.tokens[:SAMPLES_SHOWN]),
            histograms={"log_odds_real": real, "log_odds_generated": fake, "length": made.mask.sum(axis=1)},
        )

    @property
    def _real(self) -> tuple[Tokens, Mask]:
        rows = self.task.corpus.validation
        return rows.tokens[:EVALUATION_ROWS], rows.mask[:EVALUATION_ROWS]
