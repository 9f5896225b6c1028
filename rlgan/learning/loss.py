"""What the learner asks of a learning signal: the two losses of a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from rlgan.learning.group import Group
from rlgan.types import RealBatch, Rollout


@dataclass(frozen=True)
class Loss:
    """What an optimiser minimises, and the metrics of the same batch."""

    value: Tensor  # [] with gradient
    metrics: dict[str, Tensor]  # each [] without
    auxiliary_losses: dict[str, Tensor] = field(default_factory=dict)  # of the adapter's auxiliary modules, by name


class Adapter(Protocol):
    """A learning signal, as the learner asks it. It holds the networks.

    Where several learners share every batch, fakes and real samples are this learner's rows, and so is the loss: the
    mean of the losses of all is that of the batch.
    """

    # Properties and not attributes, which mypy would want to be an `nn.Module` exactly and not, say, a `TextGenerator`.
    @property
    def group(self) -> Group:
        """The learners that share every batch."""
        ...

    @property
    def generator(self) -> nn.Module:
        """The network of the generator."""
        ...

    @property
    def discriminator(self) -> nn.Module:
        """The network of the discriminator."""
        ...

    @property
    def auxiliary_modules(self) -> Mapping[str, nn.Module]:
        """Modules beside the two networks that learn or keep something from step to step, by name."""
        ...

    def begin(self, step: int) -> None:
        """Called before the updates of a training step: the generator is still that of version `step`."""
        ...

    def generator_loss(
        self, fakes: Rollout | None, real: RealBatch | None, supervision: float, rng: np.random.Generator
    ) -> Loss:
        """The generator's loss; `fakes` or `real` is None where the supervision leaves it no weight."""
        ...

    def discriminator_loss(self, fakes: Rollout | None, real: RealBatch, rng: np.random.Generator) -> Loss:
        """The discriminator's loss of one update; where there are no `fakes`, it makes its own."""
        ...
