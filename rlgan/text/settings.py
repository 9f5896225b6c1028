"""Settings of text. Imports no torch.

Each group is what one part of the algorithm is made from; the tables of names stand beside what implements them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from rlgan.errors import UsageError
from rlgan.learning.settings import PlayerSettings
from rlgan.learning.tables import DECAYS, PRECISIONS
from rlgan.settings import (
    Added,
    AtLeast,
    Below,
    Between,
    Choice,
    Metavar,
    MoreThan,
    Preset,
    TypedPath,
    Was,
    new_figure,
    resolve,
)
from rlgan.text.baselines import BASELINES, COMPARING_BASELINES, EXPECTING_BASELINES
from rlgan.text.controls import COMPARING_CONTROLS, CONTROLS
from rlgan.text.corpora import DATASETS, LAYOUTS, SPLITS, TOKEN_KINDS
from rlgan.text.estimators import (
    ESTIMATORS,
    LOG_REWARDS,
    POSITIVE_WEIGHTINGS,
    WEIGHTED_ESTIMATORS,
    WEIGHTINGS,
    weightings_of,
)
from rlgan.text.forms import FORMS, MEDIATING_FORMS, STRUCTURED_FORMS
from rlgan.text.methods import METHODS
from rlgan.text.models import CORES
from rlgan.text.negatives import NEGATIVES, PLAIN_NEGATIVES
from rlgan.text.returns import RETURNS
from rlgan.text.rewards import POSITIVE_REWARDS, REWARD_RULES


@dataclass(frozen=True)
class CorpusSettings:
    """The text to learn from."""

    data: Annotated[str, Choice(DATASETS, "data set", paths=True), TypedPath()] = "stories"
    """`stories` or `oracle` (SeqGAN's synthetic benchmark), both built in; a directory with a file for each split, as
    {train,valid,test}.txt, or with the arrays of a saved oracle; or a UTF-8 file with a sentence per line."""
    layout: Annotated[str, Choice(LAYOUTS, "layout")] | None = None
    """windows: T tokens cut in order from the stream; sentences: one per row. By default what suits the data."""
    tokens: Annotated[str, Choice(TOKEN_KINDS, "kind of token"), Added(before="words")] = "words"
    """What a token is. words: what stands between blanks; characters: for text without blanks between its words."""
    split: Annotated[str, Choice(SPLITS, "way to split"), Added(before="tail")] | None = None
    """What of a file is held out. tail: its last lines; shuffle: lines drawn from all over it, the same for every
    --seed; words: its last words, wherever lines end. By default tail, or words where there are few lines."""
    vocab_size: Annotated[int, AtLeast(3, ": <unk>, <eos> and a word")] | None = None
    """Words in the vocabulary, <unk> and <eos> included. By default the smaller of 10,000 and what the text has."""
    # Usual for the Penn Treebank, and the longest story with its `<eos>`; the paper only says "fixed length".
    length: Annotated[int, AtLeast(1), arg(aliases=["--max-length"])] = 20
    """T: tokens per sequence."""


@dataclass(frozen=True)
class RewardSettings:
    """What a token is worth, and what it is worth with all that follows it."""

    reward: Annotated[str, Choice(REWARD_RULES, "reward rule")] = "probability"
    """The reward of a token as a function of the discriminator's log-odds."""
    scorer: Annotated[str, Choice({}, "scorer"), Added(before=None)] | None = None
    """What gives the log-odds in place of a discriminator, which then does not learn: an envs.Scorer, or a function or
    class that makes one from the words of the vocabulary. The estimator is then reinforce."""
    reward_control: Annotated[str, Choice(CONTROLS, "reward control")] = "none"
    """Rewards that carry no information, to hold a gain against. constant: all 1; shuffled: given to other sequences
    (all_tokens: to other tokens); random_discriminator: by a discriminator that never learns."""
    reward_limit: Annotated[float, AtLeast(0), Added(before=0.0)] = 0.0
    """The reward of each token is at most so much, and at least minus that; 0: no limit."""
    returns: Annotated[str, Choice(RETURNS, "return"), Added(before="discounted")] = "discounted"
    """How rewards become the Q of each token. discounted: Q_t = r_t + lambda Q_t+1."""
    discount: Annotated[float, Between(0, 1), arg(aliases=["--lambda"])] = 0.9
    """lambda in Q_t = D(Y_0:t) + lambda D(Y_0:t+1) + ..."""
    monte_carlo_rollouts: Annotated[int, AtLeast(1)] = 1
    """Continuations of each prefix whose returns are averaged, the sequence itself included."""


@dataclass(frozen=True)
class EstimatorSettings:
    """The estimator of the policy gradient."""

    estimator: Annotated[str, Choice(ESTIMATORS, "estimator")] = "reinforce"
    """reinforce: the sampled tokens. all_tokens: section 4.1's sum over every next token, with a discriminator that
    scores them all at once; exact at lambda = 0, above it lambda Q_t+1 is added for the sampled token."""
    weighting: Annotated[str, Choice(WEIGHTINGS, "weighting")] = "expected"
    """The objective of all_tokens. expected: maximise sum_y G(y) r(y). forward_kl: minimise -sum_y w(y) log G(y), with
    weights w proportional to G(y) r(y), with the reward log_odds to G(y) exp(r(y))."""
    importance_limit: Annotated[float, AtLeast(0)] = 0.0
    """With a lag: weight each token by G(y) now over G(y) when it was chosen, at most by this; 0: no correction."""
    normalise_advantages: bool = False
    """Divide advantages by their root mean square at each position."""
    entropy_bonus: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the generator's entropy, in nats per token, in its objective."""


@dataclass(frozen=True)
class BaselineSettings:
    """What is subtracted from Q to reduce the variance of the policy gradient."""

    baseline: Annotated[str, Choice(BASELINES, "baseline", former={"others": "leave_one_out"})] = "none"
    """leave_one_out: the mean of the other sequences at the same position; moving_average, per_position: over all
    earlier steps, one number or one per position; learned: a linear function of the generator's state; expected: from
    the token's own reward, its expectation over the generator's next token, and leave_one_out from what comes after."""
    baseline_decay: Annotated[float, Below(0, 1)] = 0.9
    """Decay per step of moving_average and per_position."""
    baseline_learning_rate: Annotated[float, MoreThan(0)] = 1e-3
    """Learning rate of Adam for the learned baseline."""


@dataclass(frozen=True)
class MethodSettings:
    """How much maximum likelihood is mixed into the generator's objective."""

    supervision: Annotated[float, Between(0, 1)] = 0.5
    """w of mixedgan: w * MLE + (1 - w) * policy gradient."""
    curriculum: Annotated[tuple[tuple[float, float], ...], Metavar("EPOCH W ...")] = ((0.0, 1.0), (1.0, 0.0))
    """w of curriculum: pairs of epoch and w, which falls; linear between them."""

    def check(self) -> None:
        """Check the curriculum.

        Raises:
            UsageError: w rises, or is not from 0 to 1, or epochs do not rise.

        Example:
            >>> MethodSettings(curriculum=((0.0, 1.0), (2.0, 0.5), (3.0, 0.5))).check()
            >>> MethodSettings(curriculum=((0.0, 0.0), (1.0, 1.0))).check()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
                ...
            rlgan.errors.UsageError: --curriculum ((0.0, 0.0), (1.0, 1.0)): give pairs of epoch and w, epochs rising ...
        """
        # Rising epochs, since `numpy.interp` takes others without a word and gives nonsense.
        epochs = [epoch for epoch, _ in self.curriculum]
        weights = [w for _, w in self.curriculum]
        if (
            not epochs
            or not all(0 <= w <= 1 and epoch >= 0 for epoch, w in self.curriculum)
            or epochs != sorted(set(epochs))
            or weights != sorted(weights, reverse=True)
        ):
            raise UsageError(
                f"--curriculum {self.curriculum}: give pairs of epoch and w, epochs rising and w falling, each w from "
                "0 to 1"
            )


@dataclass(frozen=True)
class TextNetworkSettings:
    """The networks of both players."""

    generator_core: Annotated[str, Choice(CORES, "core"), Was("generator")] = "gru"
    """What reads the text in the generator. gru: a GRU, the paper's; cnn: causal convolutions over 31 tokens."""
    discriminator_core: Annotated[str, Choice(CORES, "core"), Was("discriminator")] = "gru"
    """What reads the text in the discriminator."""
    embedding_size: Annotated[int, AtLeast(1)] = 200
    """Size of both networks' word embeddings."""
    hidden_size: Annotated[int, AtLeast(1)] = 200
    """Size of both networks' hidden state, and of z."""
    generator_dropout: Annotated[float, Below(0, 1), Added(before=0.0)] = 0.0
    """Dropout on the generator's embeddings and states while it learns from real text by likelihood. The policy
    gradient has none: it is that of the policy that wrote."""
    discriminator_dropout: Annotated[float, Below(0, 1)] = 0.0
    """Dropout on the discriminator's embeddings and states while it learns."""
    discriminator_word_dropout: Annotated[float, Below(0, 1)] = 0.0
    """Share of the words that the discriminator does not see while it learns."""


@dataclass(frozen=True)
class DiscriminatorSettings:
    """What the discriminator's answer is made of, and what it learns from."""

    discriminator_form: Annotated[str, Choice(FORMS, "discriminator form"), Added(before="plain")] = "plain"
    """plain: log-odds of the sequence so far. structured: f(y | prefix) - log G(y | prefix, z), log-odds of the one
    token y; softmax(f) is then a language model. mediator: the same, with f learned by likelihood on real and generated
    rows alike: CoT (Lu et al. 2019), with --estimator all_tokens --weighting expected --reward log_odds --negatives
    rollouts."""
    negatives: Annotated[str, Choice(NEGATIVES, "kind of negatives"), Added(before="rollouts")] = "rollouts"
    """A structured discriminator's negative examples. rollouts: what the generator wrote; conditional: its next-token
    distribution after each prefix of a real row, summed over all tokens; both: half of each."""
    discriminator_embedding_size: Annotated[int, AtLeast(1), Added(before=None)] | None = None
    """Size of the discriminator's word embeddings. By default --embedding-size."""
    discriminator_hidden_size: Annotated[int, AtLeast(1), Added(before=None)] | None = None
    """Size of the discriminator's hidden state. By default --hidden-size."""


# What counts for nothing where a scorer stands in the discriminator's place.
OF_THE_DISCRIMINATOR = frozenset((
    "discriminator_learning_rate", "discriminator_steps", "discriminator_core", "discriminator_dropout",
    "discriminator_word_dropout", "discriminator_form", "negatives", "discriminator_embedding_size",
    "discriminator_hidden_size",
))  # fmt: skip


@dataclass(frozen=True)
class AdamSettings:
    """The optimiser of both networks: Adam."""

    adam_beta1: Annotated[float, Below(0, 1)] = 0.9
    """Decay rate of Adam's first moment, for both networks."""
    gradient_norm: Annotated[float, MoreThan(0)] = 5.0
    """Gradients with a larger norm are scaled down to it."""


@dataclass(frozen=True)
class DecaySettings:
    """Learning rates that fall over the epochs of the recipe, however long the run is."""

    decay: Annotated[str, Choice(DECAYS, "decay"), Added(before="none")] = "none"
    """How the learning rates of both players fall."""
    decay_epochs: Annotated[float, MoreThan(0), Added(before=10.0)] = 10.0
    """Passes over the training text in which they fall."""
    decay_floor: Annotated[float, Between(0, 1), Added(before=0.05)] = 0.05
    """The share of each rate that is left at least."""


@dataclass(frozen=True)
class MemorySettings:
    """What a training step holds of the logits of every next token."""

    logits_mib: Annotated[float, MoreThan(0), Added(before=4096.0)] = 4096.0
    """Megabytes of logits, one for each word at each place of the batch, that a loss holds at once. Where there are
    more, some rows of the batch are computed after the others, which takes less memory and about a third more time;
    the same sums, rounded otherwise."""


@dataclass(frozen=True)
class PrecisionSettings:
    """How exactly matrices are multiplied in training, by the learner and in rollouts."""

    precision: Annotated[str, Choice(PRECISIONS, "precision", outside=False), Added(before="float32")] = "float32"
    """What the factors of matrix products are rounded to. tf32: on GPUs alone, a CPU keeps float32; bf16: bfloat16, on
    CPUs too. Weights, losses, optimisers, checkpoints, evaluations and samples are float32 with each."""


@dataclass(frozen=True)
class TextSettings:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best that we have."""
    preset_for: Annotated[Literal["small", "large"] | None, Added(before=None)] = None
    """The vocabulary that `best` is for: small, or of 5,000 words and more. By default by the data."""
    method: Annotated[str, Choice(METHODS, "method")] = "policygan"
    """How the generator learns (Yala & Song, section 4.2)."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Seed of everything random."""
    batch_size: Annotated[int, AtLeast(1), arg(aliases=["--batch"])] = 64
    """Real sequences per update, and generated ones where --rollouts says nothing else."""
    rollouts: Annotated[int, AtLeast(1), Added(before=None)] | None = None
    """Sequences that the generator learns from in a step, a multiple of --batch-size; the discriminator reads only as
    many of them as of real ones. By default --batch-size."""
    shards: Annotated[int, AtLeast(1)] = 2
    """Parts in which a batch of rollouts is made. Belongs to the recipe, and limits how many workers are useful."""
    lag: Annotated[int, AtLeast(0)] = 0
    """Rollouts of step t are made with the weights after update max(t - lag, 0)."""
    corpus: CorpusSettings = CorpusSettings()
    players: PlayerSettings = PlayerSettings()
    rewards: RewardSettings = RewardSettings()
    policy: EstimatorSettings = EstimatorSettings()
    baselines: BaselineSettings = BaselineSettings()
    mixing: MethodSettings = MethodSettings()
    networks: TextNetworkSettings = TextNetworkSettings()
    adam: AdamSettings = AdamSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    rate_decay: DecaySettings = DecaySettings()
    memory: MemorySettings = MemorySettings()
    products: PrecisionSettings = PrecisionSettings()

    @property
    def structured(self) -> bool:
        """Whether the discriminator's form is built in and its log-odds belong to one token."""
        return self.discriminator.discriminator_form in STRUCTURED_FORMS

    @property
    def shard_size(self) -> int:
        """Sequences in a shard that the generator learns from."""
        return (self.rollouts or self.batch_size) // self.shards

    def check(self) -> None:
        """Check what concerns several settings at once.

        Raises:
            UsageError: they do not go together.

        Example:
            >>> TextSettings(batch_size=64, shards=3).check()
            Traceback (most recent call last):
                ...
            rlgan.errors.UsageError: --shards 3 does not divide --batch-size 64: choose a divisor
        """
        if not self.corpus.data:
            raise UsageError("--data is empty: give stories, a directory or a file")
        # A worker's environment has a fixed number of rows, so that all shards are of one size.
        if self.batch_size % self.shards:
            raise UsageError(f"--shards {self.shards} does not divide --batch-size {self.batch_size}: choose a divisor")
        # A whole multiple, so that each shard, and each learner's part, has the discriminator's share in it.
        if self.rollouts is not None and self.rollouts % self.batch_size:
            raise UsageError(
                f"--rollouts {self.rollouts} is no multiple of --batch-size {self.batch_size}: give a multiple, as "
                f"{self.batch_size * max(1, round(self.rollouts / self.batch_size))}"
            )
        if self.rewards.reward_control in COMPARING_CONTROLS and self.shard_size < 2:
            raise UsageError(
                f"--reward-control {self.rewards.reward_control} with shards of {self.shard_size}: rewards are "
                "shuffled within a shard, so give fewer --shards or a larger --batch-size"
            )
        # The sum over all tokens has a gradient of its own, without a baseline.
        if self.policy.estimator in WEIGHTED_ESTIMATORS:
            self._check_weighted()
        elif self.baselines.baseline in COMPARING_BASELINES:
            self._check_compared()
        if self.discriminator.discriminator_form in FORMS:
            self.check_form(self.structured)

    def check_form(self, reads_policy: bool) -> None:
        """Check what the form of the discriminator asks for.

        Args:
            reads_policy: what the form says of itself; of one from outside that is known when it has been imported.

        Raises:
            UsageError: another setting does not go with it.

        Example:
            >>> settings = TextSettings(discriminator=DiscriminatorSettings(negatives="conditional"))
            >>> settings.check_form(reads_policy=True)
            >>> settings.check_form(reads_policy=False)  # doctest: +ELLIPSIS
            Traceback (most recent call last):
                ...
            rlgan.errors.UsageError: --negatives conditional with --discriminator-form plain: give ... structured
        """
        form, negatives = self.discriminator.discriminator_form, self.discriminator.negatives
        if not reads_policy:
            if negatives not in PLAIN_NEGATIVES:
                raise UsageError(
                    f"--negatives {negatives} with --discriminator-form {form}: give --discriminator-form structured"
                )
            return
        if form in MEDIATING_FORMS and negatives not in PLAIN_NEGATIVES:
            raise UsageError(
                f"--negatives {negatives} with --discriminator-form {form}, which learns real and generated rows by "
                "likelihood: give --negatives rollouts"
            )
        if self.rewards.reward == "token_ratio":
            raise UsageError(
                f"--reward token_ratio with --discriminator-form {form}: its log-odds belong to one token already, so "
                "give --reward density_ratio or log_odds, or --discriminator-form plain"
            )

    def _check_compared(self) -> None:
        """Check that there are others to compare a sequence with."""
        if (self.rollouts or self.batch_size) == 1 and resolve(self.method, METHODS).adversarial:
            raise UsageError(
                f"--baseline {self.baselines.baseline} with --batch-size 1: a sequence has no others to be compared "
                "with, and the gradient would be 0 for ever; give a larger --batch-size, or --baseline moving_average"
            )

    def _check_weighted(self) -> None:
        """Check the settings of an estimator that has a weighting."""
        rewards, policy = self.rewards, self.policy
        if self.baselines.baseline in EXPECTING_BASELINES:
            raise UsageError(
                f"--baseline {self.baselines.baseline} with --estimator {policy.estimator}, which sums the token's own "
                "reward over all tokens already: give --baseline leave_one_out"
            )
        if not rewards.discount and rewards.monte_carlo_rollouts > 1:
            raise UsageError(
                f"--monte-carlo-rollouts {rewards.monte_carlo_rollouts} with --estimator {policy.estimator} and "
                "--lambda 0: nothing that comes after a token counts; give a larger --lambda, or leave it at 1"
            )
        # Of a rule from outside nobody knows its sign: it is taken at its word.
        negative = rewards.reward in REWARD_RULES and rewards.reward not in POSITIVE_REWARDS
        # What implements it, and not its name: of log-odds another does, which takes any sign.
        weighting = weightings_of(rewards.reward).get(policy.weighting)
        if weighting in POSITIVE_WEIGHTINGS and negative:
            raise UsageError(
                f"--weighting {policy.weighting} with --reward {rewards.reward}, which can be negative: give one of "
                f"{', '.join((*POSITIVE_REWARDS, *LOG_REWARDS))}, or --weighting expected"
            )


Temperature = Annotated[float, Between(0.01, 100)]


@dataclass(frozen=True)
class SampleOptions:
    """What `rlgan sample` takes for text."""

    temperature: Temperature = 1.0
    """Temperature of sampling: log-probabilities are divided by it, so that below 1 likely words become more likely,
    above 1 less."""
    prompt: str | None = None
    """Words that every sentence begins with, as "the cat"; they must be in the run's vocabulary."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What `rlgan evaluate` takes for text."""

    temperatures: tuple[Temperature, ...] = (0.7, 1.0, 1.3)
    """Temperatures of sampling, to measure quality against diversity at each. Each takes as long."""
    samples: Annotated[int, AtLeast(2)] = 2000
    """Sequences generated at each temperature; they, and as many real ones, train the reverse language model."""
    quick: bool = False
    """Leave out what takes long: the quality of samples, and the perplexity with the state carried over."""
    control: tuple[Annotated[str, TypedPath(), Metavar("RUN ...")], ...] = ()
    """Runs on the same data that learned nothing from a discriminator, to report what this one gained over them."""
    figure: Annotated[str | None, TypedPath(), Metavar("FILE")] = None
    """Draw quality against diversity into this file, a PNG or a PDF; its caption is written beside it as FILE.md."""
    force: bool = False
    """Replace the file of --figure where it is there already."""
    policy: Annotated[str, Choice({}, "policy"), Metavar("MODULE:OBJECT")] | None = None
    """Measure a policy of your own in place of the run's generator, on the run's data and in its vocabulary: a function
    of tokens int64 [N, t] and a mask bool [N, t], true where a token stands, to log-probabilities [N, V] of the next
    token, or to actions [N]."""

    @property
    def compared_temperatures(self) -> tuple[float, ...]:
        """Those at which quality is measured: each once, and rising, because a figure draws a curve through them.

        Example:
            >>> EvaluateOptions(temperatures=(1.3, 0.7, 1.3)).compared_temperatures
            (0.7, 1.3)
            >>> EvaluateOptions(quick=True).compared_temperatures
            ()
        """
        return () if self.quick else tuple(sorted(set(self.temperatures)))

    def check(self) -> None:
        """Check what the annotations can't say.

        Raises:
            UsageError: there is no temperature, the figure can't be drawn, or a policy has a control.

        Example:
            >>> EvaluateOptions(temperatures=()).check()
            Traceback (most recent call last):
                ...
            rlgan.errors.UsageError: --temperatures names none: give one or more, as 0.7 1 1.3
        """
        if not self.temperatures:
            raise UsageError("--temperatures names none: give one or more, as 0.7 1 1.3")
        if self.figure is not None:
            if self.quick:
                raise UsageError("--figure shows what --quick leaves out: give one of them")
            new_figure("--figure", self.figure, force=self.force)
        if self.policy is not None and self.control:
            raise UsageError("--control is what the run itself is held against, not a --policy: give one of them")
