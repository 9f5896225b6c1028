"""Settings and presets of the Gaussian and of mixtures. No torch, no ray: the command line must answer at once."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from rlgan.errors import UsageError
from rlgan.settings import AdversarialLoss, Bounds, Decay, OptimizerName, Preset, _require

Target = Literal["normal", "ring", "grid"]
Activation = Literal["tanh", "relu"]
Output = Literal["tanh", "linear"]
Noise = Literal["uniform", "normal"]
BatchFeatureName = Literal["none", "discrimination", "deviation", "packing"]


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
