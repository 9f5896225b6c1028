"""Settings and presets of every task and of a run. No torch, no ray: the command line must answer at once."""

import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from tyro.conf import arg

Method = Literal["mle", "policygan", "pretraingan", "mixedgan", "curriculum"]
Estimator = Literal["reinforce", "all_tokens"]
Weighting = Literal["expected", "forward_kl"]
Architecture = Literal["gru", "cnn"]
RewardRule = Literal["probability", "log_probability", "centred", "log_odds", "density_ratio", "token_ratio"]
RewardControl = Literal["none", "constant", "shuffled", "random_discriminator"]
Baseline = Literal["none", "others", "moving_average", "per_position", "learned"]
Layout = Literal["windows", "sentences"]
Preset = Literal["paper", "best"]
AdversarialLoss = Literal["non_saturating", "saturating", "relativistic"]
OptimizerName = Literal["sgd", "adam"]
Decay = Literal["none", "linear", "cosine"]
Placement = Literal["spread", "pack"]
Target = Literal["normal", "ring", "grid"]
Activation = Literal["tanh", "relu"]
Output = Literal["tanh", "linear"]
Noise = Literal["uniform", "normal"]
BatchFeatureName = Literal["none", "discrimination", "deviation", "packing"]
ImageNetworks = Literal["maxout", "convolutional"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box"]

FEATURES = "random_convolutions_320"  # the network that pictures are measured by
SIZES = tuple(2**n for n in range(3, 10))  # of pictures
# Rewards that are weights: forward_kl takes no others.
POSITIVE_REWARDS: tuple[RewardRule, ...] = ("probability", "density_ratio", "token_ratio")


class UsageError(ValueError):
    """What was asked for makes no sense; the message is one line for the person who asked. Exit code 2."""


class RunError(RuntimeError):
    """What was asked for can't be done here and now; the message is one line for the person who asked. Exit code 1."""


class LearnerLostError(RunError):
    """The learner, or what it gave out, died with its process or node: go on from a checkpoint with a new one."""


class Recipe(Protocol):
    """What the command line asks of a task's settings: a dataclass."""

    @property
    def preset(self) -> Preset:
        """Where the defaults come from."""
        ...

    @property
    def label(self) -> str:
        """For the name of a run's directory."""
        ...

    @property
    def defaults(self) -> "Recipe":
        """The preset that these settings start from."""
        ...

    @property
    def labels(self) -> dict[str, str]:
        """What every result of a run says of it."""
        ...

    @property
    def bounds(self) -> "Bounds":
        """How long a run is for which nothing is said."""
        ...

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        ...


@dataclass(frozen=True)
class Bounds:
    """Where a run ends: at the first that is reached."""

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None


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


@dataclass(frozen=True)
class GaussianConfig:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best we have. On ring and grid, paper
    has the networks of best."""
    target: Target = "normal"
    """What is to be learned. normal: N(0, 1); ring, grid: 8 and 25 Gaussians in the plane (PacGAN, section 4.1)."""
    seed: int = 0
    """Of everything random."""
    batch_size: Annotated[int, arg(aliases=["--batch"])] = 200
    """Real samples, and generated ones, per update."""
    iterations: int = 4500
    """Training iterations, which the decay of the learning rates is spread over; pre-training comes before."""
    loss: AdversarialLoss = "non_saturating"
    """What the generator lowers; with relativistic, D's loss is R3GAN's too."""
    width: int = 1
    """Times as many units in every hidden layer of both networks."""
    depth: int = 1
    """Times as many hidden layers in both networks."""
    activation: Activation = "tanh"
    """After every hidden layer of both networks."""
    output: Output = "tanh"
    """Of G. tanh: five times the tanh of its last layer; linear: the last layer, in units of the data's scale."""
    noise: Noise = "uniform"
    """What G is given, in as many dimensions as the data. uniform: U[-5, 5]; normal: N(0, 1)."""
    discriminator_steps: Annotated[int, arg(aliases=["-k"])] = 1
    """k, updates of the discriminator per iteration."""
    generator_steps: int = 1
    """Updates of the generator per iteration."""
    pretraining: int = 0
    """Iterations before the others in which D alone is trained, on the untrained generator's samples."""
    optimizer: OptimizerName = "sgd"
    """Of both networks."""
    generator_learning_rate: float = 0.04
    """For G."""
    discriminator_learning_rate: float = 0.04
    """For D."""
    momentum: float = 0.6
    """SGD's momentum; Adam's first decay rate."""
    adam_beta2: float = 0.999
    """Adam's second decay rate."""
    decay: Decay = "none"
    """How the learning rates fall to 0 over the iterations."""
    batch_features: BatchFeatureName = "none"
    """What D is told of a sample's company: discrimination (Salimans et al.), deviation (Karras et al.), packing: all
    (PacGAN)."""
    group: int = 25
    """Samples that make a company, with batch features."""
    kernels: int = 3
    """Of minibatch discrimination: numbers that D is told."""
    kernel_dimension: int = 2
    """Of minibatch discrimination: dimensions of each kernel."""
    r1: float = 0.0
    """Weight of the gradient penalty on real samples, E |grad D|^2 / 2."""
    r2: float = 0.0
    """The same on generated ones."""
    generator_average: float = 0.0
    """Decay per step of an average of G's weights, which evaluations and samples then use; 0 for none."""

    @property
    def label(self) -> str:
        """For the name of a run's directory."""
        return f"gaussian-{self.target}-{self.preset}"

    @property
    def labels(self) -> dict[str, str]:
        """What every result of a run says of it."""
        return {"preset": self.preset, "target": self.target, "loss": self.loss}

    @property
    def defaults(self) -> "GaussianConfig":
        """The preset that these settings start from."""
        return gaussian_preset(self.preset, self.target)

    @property
    def bounds(self) -> Bounds:
        """Without a bound: pre-training and all iterations."""
        return Bounds(epochs=1)

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        positive = (
            "batch_size iterations width depth discriminator_steps generator_steps generator_learning_rate "
            "discriminator_learning_rate group kernels kernel_dimension"
        )
        for name in positive.split():
            _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("seed", "pretraining", "r1", "r2"):
            _require(self, name, "0 or more", lambda value: value >= 0)
        for name in ("momentum", "adam_beta2", "generator_average"):
            _require(self, name, "from 0 to less than 1", lambda value: 0 <= value < 1)
        if self.batch_features != "none":
            if self.batch_size % self.group:
                raise UsageError(
                    f"--group {self.group} does not divide --batch-size {self.batch_size}: choose a divisor"
                )
            # So many meet each other in pairs, and D is looked at in company of as many real samples.
            _require(self, "group", "500 or less", lambda value: value <= 500)
        if self.batch_features in ("discrimination", "deviation") and self.group < 2:
            raise UsageError("--group is 1: a company needs 2 or more")


@dataclass(frozen=True)
class ImageConfig:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best we have."""
    data: str = "faces"
    """`faces`, which are drawn here, a directory in the layout of CelebA (img_align_celeba/, list_eval_partition.txt),
    or any directory of pictures."""
    seed: int = 0
    """Of everything random."""
    faces: int = 12_000
    """How many are drawn."""
    size: int = 64
    """S, the side of a picture: a power of 2, 8 or more."""
    crop: int | None = None
    """Side of the square that is cut out of the middle of a picture before it is made smaller. By default 108 of
    CelebA's, of others the largest there is."""
    filter: Filter = "lanczos"
    """How pictures are made smaller."""
    skip_bad: bool = False
    """Leave out pictures that can't be read or are too small, and count them; else the first ends the run."""
    cache: str | None = None
    """Where decoded pictures are kept; every process must see it. By default ~/.cache/rlgan."""
    batch_size: Annotated[int, arg(aliases=["--batch"])] = 32
    """Real pictures, and generated ones, per update."""
    flips: bool = False
    """Mirror half of the real pictures."""
    networks: ImageNetworks = "convolutional"
    """maxout: no convolutions, D of maxout units, G of rectifiers and a sigmoid; convolutional: nothing else."""
    noise_size: int = 64
    """Z, the size of the generator's noise from N(0, I)."""
    generator_units: int = 1200
    """Of each hidden layer of G, in the maxout pair."""
    units: int = 240
    """Of each hidden layer of its D."""
    pieces: int = 5
    """Of each maxout unit."""
    dropout: float = 0.5
    """On the hidden layers of the maxout D, while it learns."""
    input_dropout: float = 0.2
    """On its pixels."""
    width: int = 32
    """Channels of the convolutional pair's largest maps; they double as maps get smaller, up to 8 times as many."""
    mixed_precision: bool = False
    """Compute the convolutional pair in bfloat16 where that loses little."""
    loss: AdversarialLoss = "non_saturating"
    """What the generator lowers; with relativistic, D's loss is R3GAN's too."""
    discriminator_steps: Annotated[int, arg(aliases=["-k"])] = 1
    """k, updates of the discriminator per update of the generator."""
    optimizer: OptimizerName = "adam"
    """Of both networks."""
    generator_learning_rate: float = 2e-4
    """For G."""
    discriminator_learning_rate: float = 2e-4
    """For D."""
    momentum: float = 0.5
    """SGD's momentum; Adam's first decay rate."""
    adam_beta2: float = 0.999
    """Adam's second decay rate."""
    decay: Decay = "none"
    """How the learning rates fall, to a tenth."""
    decay_epochs: float = 17.0
    """Passes over the data in which they do."""
    r1: float = 0.0
    """Weight of the gradient penalty on real pictures, E |grad D|^2 / 2."""
    r2: float = 0.0
    """The same on generated ones."""
    generator_average: float = 0.0
    """Decay per step of an average of G's weights, which evaluations and samples then use; 0 for none."""
    threads: int = 2
    """Of the learner. They change how sums are rounded, so they belong to the recipe."""

    @property
    def label(self) -> str:
        """For the name of a run's directory."""
        return f"image-{self.preset}"

    @property
    def labels(self) -> dict[str, str]:
        """What every result of a run says of it."""
        crop = "largest" if self.crop is None else str(self.crop)
        return {
            "preset": self.preset, "networks": self.networks, "loss": self.loss, "crop": crop, "features": FEATURES
        }  # fmt: skip

    @property
    def defaults(self) -> "ImageConfig":
        """The preset that these settings start from."""
        return IMAGE_PRESETS[self.preset]

    @property
    def bounds(self) -> Bounds:
        """Without a bound: a short look at the drawn faces; the paper's 17 epochs of anything else."""
        # Five minutes of two cores with all that comes before and after.
        return Bounds(minutes=3.5) if self.data == "faces" else Bounds(epochs=17)

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        positive = (
            "batch_size noise_size generator_units units pieces width discriminator_steps "
            "generator_learning_rate discriminator_learning_rate decay_epochs threads"
        )
        for name in positive.split():
            _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("seed", "r1", "r2"):
            _require(self, name, "0 or more", lambda value: value >= 0)
        for name in ("dropout", "input_dropout", "momentum", "adam_beta2", "generator_average"):
            _require(self, name, "from 0 to less than 1", lambda value: 0 <= value < 1)
        _require(self, "size", "a power of 2, from 8 to 512", lambda value: value in SIZES)
        _require(self, "faces", "12 or more, of which two are held out", lambda value: value >= 12)
        if self.crop is not None:
            _require(self, "crop", f"--size ({self.size}) or more", lambda value: value >= self.size)
        if not self.data:
            raise UsageError("--data is empty: give faces or a directory")
        if self.mixed_precision and self.networks == "maxout":
            raise UsageError("--mixed-precision is for --networks convolutional: give --no-mixed-precision with maxout")


@dataclass(frozen=True)
class RunConfig:
    """How the recipe is run: nothing here changes the result, but for --mixed-fleet; all may change on --resume."""

    run_dir: str | None = None
    """Where everything is written: a path, or an address that fsspec opens, as s3://bucket/run. By default
    runs/<task>-<method>-<time>."""
    resume: bool = False
    """Go on from the newest whole checkpoint in --run-dir; start afresh where there is none."""
    workers: int | str = 2
    """Rollout workers (Ray actors). 0: all in this process, without Ray; the same result, bit for bit. auto or
    auto:MIN-MAX: as many as the nodes that come and go have room for and the shards give work to."""
    worker_cpus: float = 1.0
    """CPUs that Ray sets aside per rollout worker; it computes with one thread in any case."""
    rollout_gpus: float = 0.0
    """GPUs per rollout worker; a fraction shares one. 0: CPU."""
    learners: int = 1
    """Learners (Ray actors) that share every batch and average their gradients. Their number changes the last bits of
    the result, and nothing else does."""
    learner_cpus: float = 1.0
    """CPUs that Ray sets aside for each learner."""
    learner_gpus: float = 0.0
    """GPUs of each learner. 0: CPU."""
    placement: Placement = "spread"
    """Where rollout workers go. spread: to the node with the fewest; pack: fill a node, the learner's first."""
    mixed_fleet: bool = False
    """Let rollout workers be of several kinds (device model, CPU instruction set, library versions). The result is then
    not bit-identical."""
    steps: int | None = None
    """Stop after this many training steps."""
    epochs: float | None = None
    """Stop after this many passes over the real training data."""
    minutes: float | None = None
    """Stop after this much time in training, earlier parts of a resumed run included."""
    evaluate_every: int | None = None
    """Steps between evaluations, beside one before the first and one at the end. By default so many that evaluations
    take little of the time: of text 189 on the stories, 553 on the Penn Treebank; of pictures an epoch."""
    checkpoint_every: int = 100
    """Steps between checkpoints; there is one at the end in any case."""
    keep_checkpoints: int = 3
    """How many of the newest are kept, beside the best by the task's score (text: validation perplexity)."""
    on_collapse: Literal["warn", "stop"] = "warn"
    """What to do when the generator makes nearly always the same: text in ten steps in a row, others at an
    evaluation."""
    log_every: int = 10
    """Steps between training scalars in TensorBoard."""

    @property
    def learning(self) -> str:
        """Who learns, for people."""
        return f"{self.learners} learners" if self.learners > 1 else "a learner"

    def fleet(self, shards: int) -> tuple[int, int]:
        """The fewest rollout workers to start with, and the most, where a draw has so many shards."""
        if isinstance(self.workers, int):
            return self.workers, self.workers
        _, _, bounds = self.workers.partition(":")
        fewest, _, most = bounds.partition("-")
        return int(fewest or 1), max(int(fewest or 1), min(int(most or shards), shards))

    def check(self) -> None:
        """Raise UsageError, one line, where a value makes no sense."""
        if isinstance(self.workers, str):
            match = _AUTO.fullmatch(self.workers)
            if not match or (match[1] and not 1 <= int(match[1]) <= int(match[2])):
                raise UsageError(
                    f"--workers is {self.workers}: give a number, auto, or auto:MIN-MAX with MIN from 1 to MAX"
                )
        else:
            _require(self, "workers", "0 or more", lambda value: value >= 0)
        for name in ("rollout_gpus", "learner_gpus"):
            _require(self, name, "0 or more", lambda value: value >= 0)
        for name in ("worker_cpus", "learner_cpus"):
            _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("learners", "checkpoint_every", "keep_checkpoints", "log_every"):
            _require(self, name, "1 or more", lambda value: value >= 1)
        if self.learners > 1 and self.workers == 0:
            raise UsageError(f"--learners {self.learners} with --workers 0, one process: give 1 worker or more")
        for name in ("steps", "epochs", "minutes", "evaluate_every"):
            if getattr(self, name) is not None:
                _require(self, name, "more than 0", lambda value: value > 0)
        for name in ("rollout_gpus", "learner_gpus"):
            gpus = getattr(self, name)
            if gpus > 1 and gpus != int(gpus):
                raise UsageError(f"{_flag(name)} {gpus}: GPUs above 1 come whole; give {math.ceil(gpus)}")
        if self.run_dir == "":
            raise UsageError("--run-dir is empty: give a path, or leave it out")
        if self.run_dir and printable(self.run_dir) != self.run_dir:
            raise UsageError(f"--run-dir {self.run_dir} is not UTF-8, which TensorBoard needs: give another path")
        check_address("--run-dir", self.run_dir or "")
        if self.resume and self.run_dir is None:
            raise UsageError("--resume needs --run-dir: say which run to go on with")


_AUTO = re.compile(r"auto(?::(\d+)-(\d+))?")

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
GAUSSIAN_PRESETS: dict[str, GaussianConfig] = {
    # The section does not give its learning rate and momentum: at these, G collapses as its figure 2 shows.
    "paper": GaussianConfig(preset="paper"),
    "best": GaussianConfig(
        preset="best",
        optimizer="adam",
        momentum=0.0,
        adam_beta2=0.9,
        generator_learning_rate=0.02,
        discriminator_learning_rate=0.03,
        decay="linear",
        batch_features="discrimination",
        generator_average=0.99,
    ),
}
IMAGE_PRESETS: dict[str, ImageConfig] = {
    # What section 3 says, with the sizes and the dropout of the maxout GAN that it follows (Goodfellow et al. 2014).
    "paper": ImageConfig(preset="paper", batch_size=100, networks="maxout"),
    "best": ImageConfig(
        preset="best",
        flips=True,
        mixed_precision=True,
        loss="relativistic",
        generator_learning_rate=1e-3,
        discriminator_learning_rate=1e-3,
        momentum=0.0,
        adam_beta2=0.99,
        decay="cosine",
        r1=0.1,
        r2=0.1,
        generator_average=0.995,
    ),
}
BEST_RING = GaussianConfig(
    preset="best",
    target="ring",
    iterations=5_000,
    width=20,
    depth=2,
    activation="relu",
    output="linear",
    noise="normal",
    loss="relativistic",
    optimizer="adam",
    momentum=0.0,
    adam_beta2=0.9,
    generator_learning_rate=0.003,
    discriminator_learning_rate=0.003,
    decay="cosine",
    r1=0.1,
    r2=0.1,
    generator_average=0.999,
)
# PacGAN's two mixtures.
BEST_MIXTURES: dict[Target, GaussianConfig] = {
    "ring": BEST_RING,
    "grid": dataclasses.replace(BEST_RING, target="grid", iterations=20_000, r1=0.2, r2=0.2),
}
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


def gaussian_preset(preset: Preset, target: Target = "normal") -> GaussianConfig:
    """The recipe that a preset has for a target."""
    if target == "normal":
        return GAUSSIAN_PRESETS[preset]
    best = BEST_MIXTURES[target]
    if preset == "best":
        return best
    # The networks of section 2 are too small for mixtures.
    return dataclasses.replace(
        GAUSSIAN_PRESETS["paper"],
        target=target,
        iterations=best.iterations,
        width=best.width,
        depth=best.depth,
        activation=best.activation,
        output=best.output,
        noise=best.noise,
    )


# No rollouts, so nothing that workers could do; and a step takes milliseconds.
GAUSSIAN_RUN = RunConfig(workers=0, checkpoint_every=500)
# Workers decode pictures, once, and then rest.
IMAGE_RUN = RunConfig(workers=0)
# Settings that say where things lie: what lies there counts.
PLACES = ("data", "cache")


def changed(old: Any, new: Any) -> list[str]:
    """Name the settings in which two recipes differ, as `--flag old -> new`.

    Where the data lies is not among them: what it holds counts.
    """
    fields = [field.name for field in dataclasses.fields(old) if field.name not in PLACES]
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in fields]
    return [f"{_flag(name)} {before} -> {after}" for name, before, after in pairs if before != after]


def check_address(flag: str, address: str) -> None:
    """Refuse a URL with a secret in it: logs, process lists and a cluster's pages show what was typed."""
    for part in address.split("::"):  # fsspec's, one in another
        store, _, rest = part.partition("://")
        user, at, _ = rest.partition("/")[0].rpartition("@")
        if at and (":" in user or not store.startswith(("abfs", "az"))):  # abfs://container@account names no user
            raise UsageError(f"{flag} has a user or a password in it, which would be seen: leave them out of it")


def absolute(flag: str, path: str) -> Path:
    """A path of this machine that was typed, whole.

    Raises:
        UsageError: it starts with the home of nobody, or its links lead in a circle.
    """
    try:
        return Path(path).expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{flag} {path}: {error}: give another path") from error


def printable(line: str) -> str:
    """A line that any terminal and file takes: what is not UTF-8 in a name of a file comes as an escape."""
    return line.encode("utf-8", "backslashreplace").decode()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _require(config: object, name: str, due: str, holds: Callable[[float], bool]) -> None:
    value = getattr(config, name)
    # Written so that a NaN, for which every comparison is false, is refused too.
    if not (math.isfinite(value) and holds(value)):
        raise UsageError(f"{_flag(name)} is {value}: it must be {due}")
