"""Settings and presets of the Gaussian and of mixtures. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from rlgan.errors import UsageError
from rlgan.gaussian.tables import ACTIVATIONS, BATCH_FEATURES, NOISES, OUTPUTS, TARGETS
from rlgan.learning.settings import LossSettings, OptimizerSettings, PlayerSettings
from rlgan.learning.tables import DECAYS
from rlgan.settings import AtLeast, Choice, Preset, Was, updated

# So many samples of a minibatch group are compared in pairs, and D is drawn beside as many real samples.
LARGEST_GROUP = 500


@dataclass(frozen=True)
class GaussianNetworkSettings:
    """The two perceptrons."""

    width: Annotated[int, AtLeast(1)] = 1
    """How many times as many units every hidden layer of both networks has."""
    depth: Annotated[int, AtLeast(1)] = 1
    """How many times as many hidden layers both networks have."""
    activation: Annotated[str, Choice(ACTIVATIONS, "activation")] = "tanh"
    """The activation after every hidden layer of both networks."""
    output: Annotated[str, Choice(OUTPUTS, "output")] = "tanh"
    """The generator's output. tanh: five times the tanh of its last layer; linear: the last layer, in units of the
    data's scale."""
    noise: Annotated[str, Choice(NOISES, "noise")] = "uniform"
    """The law of z, which has as many dimensions as the data. uniform: U[-5, 5]; normal: N(0, 1)."""


@dataclass(frozen=True)
class MinibatchSettings:
    """What the discriminator reads of the other samples of a minibatch group, against mode collapse."""

    batch_features: Annotated[str, Choice(BATCH_FEATURES, "batch feature")] = "none"
    """Which feature of the group the discriminator gets. discrimination: Salimans et al. 2016; deviation: Karras et al.
    2018; packing: all samples together (PacGAN)."""
    minibatch_group_size: Annotated[int, AtLeast(1), Was("group")] = 25
    """Samples in a group, with batch features; it divides the batch size."""
    kernels: Annotated[int, AtLeast(1)] = 3
    """Kernels of minibatch discrimination: numbers that the discriminator is given."""
    kernel_dimension: Annotated[int, AtLeast(1)] = 2
    """Dimensions of each kernel of minibatch discrimination."""


@dataclass(frozen=True)
class GaussianSettings:
    """The recipe: everything that the result depends on. A resumed run must have the same."""

    preset: Preset = "best"
    """Where the defaults come from: the paper's recipe and nothing else, or the best that we have. For ring and grid,
    the paper's recipe has the networks of best."""
    target: Annotated[str, Choice(TARGETS, "target")] = "normal"
    """The distribution to learn. normal: N(0, 1); ring, grid: 8 and 25 Gaussians in the plane (PacGAN, section 4.1)."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Seed of everything random."""
    batch_size: Annotated[int, AtLeast(1), arg(aliases=["--batch"])] = 200
    """Real samples, and generated ones, per update."""
    iterations: Annotated[int, AtLeast(1)] = 4500
    """Training iterations, over which the learning rates decay; pre-training comes before them."""
    generator_steps: Annotated[int, AtLeast(1)] = 1
    """Updates of the generator per iteration."""
    pretraining: Annotated[int, AtLeast(0)] = 0
    """Iterations before the others in which the discriminator alone is trained, on samples of the untrained
    generator."""
    decay: Annotated[str, Choice(DECAYS, "decay")] = "none"
    """How the learning rates fall to 0 over the iterations."""
    players: PlayerSettings = PlayerSettings(generator_learning_rate=0.04, discriminator_learning_rate=0.04)
    optimization: OptimizerSettings = OptimizerSettings()
    adversarial: LossSettings = LossSettings()
    networks: GaussianNetworkSettings = GaussianNetworkSettings()
    minibatch: MinibatchSettings = MinibatchSettings()

    def check(self) -> None:
        """Check what concerns several settings at once.

        Raises:
            UsageError: they do not go together.
        """
        features, group = self.minibatch.batch_features, self.minibatch.minibatch_group_size
        if features == "none":
            return
        # Groups are cut out of the batch by reshaping it, which leaves no place for a rest.
        if self.batch_size % group:
            raise UsageError(
                f"--minibatch-group-size {group} does not divide --batch-size {self.batch_size}: choose a divisor"
            )
        if group > LARGEST_GROUP:
            raise UsageError(f"--minibatch-group-size is {group}: it must be {LARGEST_GROUP} or less")
        if features != "packing" and group < 2:
            raise UsageError("--minibatch-group-size is 1: batch features compare samples, so give 2 or more")


# The section does not give its learning rate and momentum: at these, G collapses as its figure 2 shows.
PAPER = GaussianSettings(preset="paper")
# Chosen among other optimisers, losses and batch features on seeds that had no part
# in what is reported: docs/gaussian.md has the table.
BEST = updated(
    GaussianSettings(),
    {
        "optimizer": "adam",
        "momentum": 0.0,
        "adam_beta2": 0.9,
        "generator_learning_rate": 0.02,
        "discriminator_learning_rate": 0.03,
        "decay": "linear",
        "batch_features": "discrimination",
        "generator_ema_decay": 0.99,
    },
)
# The loss with both penalties and Adam without momentum are R3GAN's (Huang et al. 2024).
BEST_RING = updated(
    GaussianSettings(),
    {
        "target": "ring",
        "iterations": 5_000,
        "width": 20,
        "depth": 2,
        "activation": "relu",
        "output": "linear",
        "noise": "normal",
        "loss": "relativistic",
        "optimizer": "adam",
        "momentum": 0.0,
        "adam_beta2": 0.9,
        "generator_learning_rate": 0.003,
        "discriminator_learning_rate": 0.003,
        "decay": "cosine",
        "r1": 0.1,
        "r2": 0.1,
        "generator_ema_decay": 0.999,
    },
)
BEST_GRID = updated(BEST_RING, {"target": "grid", "iterations": 20_000, "r1": 0.2, "r2": 0.2})
BEST_BY_TARGET = {"ring": BEST_RING, "grid": BEST_GRID}


def preset_of(typed: GaussianSettings) -> GaussianSettings:
    """The recipe that the typed preset has for the typed target.

    Example:
        >>> preset_of(GaussianSettings(target="grid")).iterations
        20000
        >>> paper = preset_of(GaussianSettings(preset="paper", target="grid"))
        >>> paper.networks == BEST_GRID.networks, paper.optimization == PAPER.optimization
        (True, True)
    """
    best = BEST_BY_TARGET.get(typed.target)
    if best is None:
        return updated(PAPER if typed.preset == "paper" else BEST, {"target": typed.target})
    if typed.preset == "best":
        return best
    # The networks of section 2 are too small for mixtures.
    networks = ("width", "depth", "activation", "output", "noise")
    values = {name: getattr(best.networks, name) for name in networks}
    return updated(PAPER, {"target": typed.target, "iterations": best.iterations} | values)


def labels_of(settings: GaussianSettings) -> dict[str, str]:
    """What every result of a run says of its recipe."""
    return {"preset": settings.preset, "target": settings.target, "loss": settings.adversarial.loss}
