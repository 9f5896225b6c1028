"""Settings and presets of text. No torch, no ray: the command line must answer at once."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from rlgan.errors import UsageError
from rlgan.settings import Bounds, Preset, _require

Method = Literal["mle", "policygan", "pretraingan", "mixedgan", "curriculum"]
Estimator = Literal["reinforce", "all_tokens"]
Weighting = Literal["expected", "forward_kl"]
Architecture = Literal["gru", "cnn"]
RewardRule = Literal["probability", "log_probability", "centred", "log_odds", "density_ratio", "token_ratio"]
RewardControl = Literal["none", "constant", "shuffled", "random_discriminator"]
Baseline = Literal["none", "others", "moving_average", "per_position", "learned"]
Layout = Literal["windows", "sentences"]
# Rewards that are weights: forward_kl takes no others.
POSITIVE_REWARDS: tuple[RewardRule, ...] = ("probability", "density_ratio", "token_ratio")


@dataclass(frozen=True)
class TextConfig:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best we have."""
    method: Method = "policygan"
    """How the generator learns (Yala & Song, section 4.2)."""
    data: str = "stories"
    """`stories` or `oracle` (SeqGAN's synthetic benchmark), both built in, a directory with ptb.{train,valid,test}.txt,
    or a UTF-8 file, a sentence per line."""
    layout: Layout | None = None
    """windows: T tokens cut in order from the stream; sentences: one per row. By default what suits the data."""
    vocab_size: int | None = None
    """Words in the vocabulary, with <unk> and <eos>. By default the smaller of 10,000 and what the text has."""
    length: Annotated[int, arg(aliases=["--max-length"])] = 20
    """T, tokens per sequence."""
    seed: int = 0
    """Of everything random."""
    batch_size: Annotated[int, arg(aliases=["--batch"])] = 64
    """Sequences per update."""
    shards: int = 2
    """Parts in which a batch of rollouts is made; belongs to the recipe, caps how many workers are useful."""
    lag: int = 0
    """Rollouts of step t are made with the weights after update max(t - lag, 0)."""
    discriminator_steps: Annotated[int, arg(aliases=["-k"])] = 1
    """k, updates of the discriminator per update of the generator."""
    estimator: Estimator = "reinforce"
    """Of the policy gradient. all_tokens: section 4.1's sum over every next token, with a D that scores them all at
    once; exact at lambda = 0, lambda Q_t+1 is added on the sampled token."""
    weighting: Weighting = "expected"
    """What all_tokens follows. expected: the gradient of sum_y G(y) r(y). forward_kl: -sum_y w(y) log G(y), the weights
    w proportional to G(y) r(y)."""
    discount: Annotated[float, arg(aliases=["--lambda"])] = 0.9
    """lambda in Q_t = D(Y_0:t) + lambda D(Y_0:t+1) + ..."""
    reward: RewardRule = "probability"
    """What a step is worth, as a function of D's log-odds."""
    reward_control: RewardControl = "none"
    """Rewards that say nothing, to hold a gain against: all 1; dealt to other sequences (all_tokens: other tokens); by
    a D that never learns."""
    baseline: Baseline = "none"
    """Taken off Q. others: the mean of the other sequences at the same position; moving_average, per_position: of all
    steps before, one number or one per position; learned: a linear function of G's state."""
    baseline_decay: float = 0.9
    """Of moving_average and per_position, per step."""
    baseline_learning_rate: float = 1e-3
    """Adam's, for the learned one."""
    monte_carlo_rollouts: int = 1
    """Ways in which each sequence is gone on with from each place, whose returns are averaged; 1: its own alone."""
    importance_limit: float = 0.0
    """With a lag: weigh each token by G(y) now over G(y) when it was chosen, at most this; 0: no correction."""
    normalise_advantages: bool = False
    """Divide advantages by their root mean square at each position."""
    entropy_bonus: float = 0.0
    """Weight of the generator's entropy, in nats per token, in its objective."""
    supervision: float = 0.5
    """w of mixedgan: w * MLE + (1 - w) * policy gradient."""
    curriculum: tuple[tuple[float, float], ...] = ((0.0, 1.0), (1.0, 0.0))
    """w of curriculum: pairs of epoch and w, which falls; between them straight lines."""
    generator_learning_rate: float = 1e-3
    """Adam's, for G."""
    discriminator_learning_rate: float = 1e-3
    """Adam's, for D."""
    adam_beta1: float = 0.9
    """Adam's first decay rate, for both."""
    gradient_norm: float = 5.0
    """Gradients of larger norm are scaled down to it."""
    discriminator_dropout: float = 0.0
    """On D's embeddings and states, while it learns."""
    discriminator_word_dropout: float = 0.0
    """Share of the words that D, while it learns, does not see."""
    generator_average: float = 0.0
    """Decay per step of an average of G's weights, which evaluations and samples then use; 0 for none."""
    generator: Architecture = "gru"
    """What reads in G: a GRU, or causal convolutions over 31 tokens."""
    discriminator: Architecture = "gru"
    """The same for D."""
    embedding_size: int = 200
    """Of both networks."""
    hidden_size: int = 200
    """Of both networks; z has it too."""

    @property
    def shard_size(self) -> int:
        """Sequences in a shard."""
        return self.batch_size // self.shards

    @property
    def label(self) -> str:
        """For the name of a run's directory."""
        return f"text-{self.method}"

    @property
    def labels(self) -> dict[str, str]:
        """What every result of a run says of it: the choices that count in its method."""
        names = ["preset", "method"]
        if self.method != "mle":
            names += [
                "estimator",
                *(["weighting"] if self.estimator == "all_tokens" else []),
                "reward",
                "reward_control",
            ]
        return {name: getattr(self, name) for name in names}

    @property
    def defaults(self) -> "TextConfig":
        """The preset that these settings start from."""
        return text_preset(self.preset, self.method, self.estimator)

    @property
    def bounds(self) -> Bounds:
        """Without a bound: a short look at the stories, also on a slow machine; an epoch of anything else."""
        # Three minutes of two cores with all that comes before and after.
        return Bounds(steps=800, minutes=2.5) if self.data == "stories" else Bounds(epochs=1)

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        positive = (
            "length batch_size shards discriminator_steps generator_learning_rate discriminator_learning_rate "
            "baseline_learning_rate gradient_norm monte_carlo_rollouts embedding_size hidden_size"
        )
        for name in positive.split():
            _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("lag", "seed", "entropy_bonus", "importance_limit"):
            _require(self, name, "0 or more", lambda value: value >= 0)
        for name in ("discount", "supervision"):
            _require(self, name, "from 0 to 1", lambda value: 0 <= value <= 1)
        decays = "adam_beta1 baseline_decay discriminator_dropout discriminator_word_dropout generator_average"
        for name in decays.split():
            _require(self, name, "from 0 to less than 1", lambda value: 0 <= value < 1)
        epochs, supervision = zip(*self.curriculum, strict=True) if self.curriculum else ((), ())
        if (
            not all(0 <= w <= 1 and epoch >= 0 for epoch, w in self.curriculum)
            or list(epochs) != sorted(set(epochs))
            or list(supervision) != sorted(supervision, reverse=True)
            or not epochs
        ):
            raise UsageError(
                f"--curriculum {self.curriculum}: give pairs of epoch and w, epochs rising and w falling from 1 to 0"
            )
        if self.estimator == "all_tokens" and not self.discount and self.monte_carlo_rollouts > 1:
            raise UsageError(
                f"--monte-carlo-rollouts {self.monte_carlo_rollouts} with --estimator all_tokens and --lambda 0: "
                "nothing that comes after a token counts; give a larger --lambda, or leave it at 1"
            )
        if self.reward_control == "shuffled" and self.shard_size < 2:
            raise UsageError(
                f"--reward-control shuffled with shards of {self.shard_size}: rewards are dealt within a shard, so "
                "give fewer --shards"
            )
        if self.estimator == "all_tokens" and self.weighting == "forward_kl" and self.reward not in POSITIVE_REWARDS:
            raise UsageError(
                f"--weighting forward_kl with --reward {self.reward}, which can be negative: give one of "
                f"{', '.join(POSITIVE_REWARDS)}, or --weighting expected"
            )
        if not self.data:
            raise UsageError("--data is empty: give stories, a directory or a file")
        if self.vocab_size is not None:
            _require(self, "vocab_size", "3 or more: <unk>, <eos> and a word", lambda value: value >= 3)
        if self.batch_size % self.shards:
            raise UsageError(f"--shards {self.shards} does not divide --batch-size {self.batch_size}: choose a divisor")


PAPER = TextConfig(preset="paper")
BEST = TextConfig(
    preset="best",
    estimator="all_tokens",
    weighting="forward_kl",
    reward="density_ratio",
    discount=0.0,
    adam_beta1=0.5,
    generator_learning_rate=1e-3,
    discriminator_learning_rate=4e-3,
    discriminator_dropout=0.5,
    discriminator_word_dropout=0.2,
    generator_average=0.99,
)
BEST_REINFORCE = dataclasses.replace(
    BEST,
    estimator="reinforce",
    weighting="expected",
    reward="token_ratio",
    discount=0.3,
    baseline="others",
    normalise_advantages=True,
    importance_limit=2.0,
    discriminator_learning_rate=8e-3,
)
BEST_MLE = dataclasses.replace(PAPER, preset="best", generator_average=0.99)


def text_preset(preset: Preset, method: Method = "policygan", estimator: Estimator = "all_tokens") -> TextConfig:
    """The recipe that a preset has for a method; the best has one for each estimator."""
    if preset == "paper":
        return dataclasses.replace(PAPER, method=method)
    if method == "mle":
        return dataclasses.replace(BEST_MLE, method=method)
    return dataclasses.replace(BEST if estimator == "all_tokens" else BEST_REINFORCE, method=method)
