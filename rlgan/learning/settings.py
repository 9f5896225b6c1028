"""Settings that several tasks share, declared once. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from rlgan.learning.tables import ADVERSARIAL_LOSSES, OPTIMIZERS
from rlgan.settings import AtLeast, Below, Choice, MoreThan, Was


@dataclass(frozen=True)
class PlayerSettings:
    """How fast and how often the two players learn."""

    # The string below a setting is its help: tyro reads it out of the source.
    generator_learning_rate: Annotated[float, MoreThan(0)] = 1e-3
    """Learning rate of the generator's optimiser."""
    discriminator_learning_rate: Annotated[float, MoreThan(0)] = 1e-3
    """Learning rate of the discriminator's optimiser."""
    discriminator_steps: Annotated[int, AtLeast(1), arg(aliases=["-k"])] = 1
    """k: updates of the discriminator per training step."""
    generator_ema_decay: Annotated[float, Below(0, 1), Was("generator_average")] = 0.0
    """Decay per step of an exponential moving average of the generator's weights, which evaluations and samples then
    use; 0: no average."""


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimiser of both networks."""

    optimizer: Annotated[str, Choice(OPTIMIZERS, "optimiser")] = "sgd"
    """Which optimiser both networks have."""
    momentum: Annotated[float, Below(0, 1)] = 0.6
    """Momentum of SGD; with Adam, the decay rate of its first moment (beta 1)."""
    adam_beta2: Annotated[float, Below(0, 1)] = 0.999
    """Decay rate of Adam's second moment."""


@dataclass(frozen=True)
class LossSettings:
    """The adversarial loss."""

    loss: Annotated[str, Choice(ADVERSARIAL_LOSSES, "adversarial loss")] = "non_saturating"
    """What the generator minimises; with relativistic, the discriminator's loss is R3GAN's too."""
    r1: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the gradient penalty on real samples, E |grad f|^2 / 2, f D's log-odds."""
    r2: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the same penalty on generated samples."""
