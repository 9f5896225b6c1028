"""What a core is, and what both players are made of.

Axes: B or N sequences, T tokens, V words, E numbers of an embedding, H of a core's output and of z.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from rlgan.learning.precision import Precision
from rlgan.settings import resolve
from rlgan.text.models import CORES

State = tuple[Tensor, ...]  # each with leading axis N, of the same shape at every step


@dataclass(frozen=True)
class CoreSizes:
    """What a core is made from."""

    input_size: int  # E
    hidden_size: int  # H
    length: int  # T, the longest sequence that training reads; an evaluation reads on further


@dataclass(frozen=True)
class TextNetworks:
    """What both players are made of.

    Example:
        >>> networks = TextNetworks(
        ...     vocab_size=9, embedding_size=4, hidden_size=5, length=3, generator_core="gru", discriminator_core="gru",
        ...     scores_all_tokens=True, discriminator_hidden_size=7,
        ... )
        >>> networks.discriminator_sizes
        CoreSizes(input_size=4, hidden_size=7, length=4)
    """

    vocab_size: int
    embedding_size: int
    hidden_size: int
    length: int
    generator_core: str  # a name in CORES, or module:object
    discriminator_core: str
    scores_all_tokens: bool  # the discriminator scores every next token at once
    discriminator_form: str = "plain"  # a name in FORMS, or module:object
    discriminator_embedding_size: int | None = None  # None: as the generator's
    discriminator_hidden_size: int | None = None
    precision: str = "float32"  # of products of matrices, a name in PRECISIONS

    @property
    def generator_sizes(self) -> CoreSizes:
        """The sizes of the generator's core. The start mark is read too."""
        return CoreSizes(self.embedding_size, self.hidden_size, self.length + 1)

    @property
    def discriminator_sizes(self) -> CoreSizes:
        """The sizes of the discriminator's core."""
        embedding_size = self.discriminator_embedding_size or self.embedding_size
        return CoreSizes(embedding_size, self.discriminator_hidden_size or self.hidden_size, self.length + 1)


class Core(Protocol):
    """Reads embedded tokens; a `torch.nn.Module`.

    Example:
        >>> import torch
        >>> class Sum(torch.nn.Module):  # z and all that was read, added up: E = H
        ...     def initial_state(self, noise):
        ...         return (noise,)
        ...     def forward(self, inputs, state):
        ...         outputs = state[0][:, None] + inputs.cumsum(dim=1)
        ...         return outputs, (outputs[:, -1],)
        >>> Sum()(torch.tensor([[[1.0], [2.0]]]), Sum().initial_state(torch.tensor([[10.0]])))[0].flatten()
        tensor([11., 13.])
    """

    def initial_state(self, noise: Tensor) -> State:
        """The state before any token, from z, float32 [N, H]; a discriminator gives zeros."""
        ...

    def __call__(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on, [N, T, E]: the outputs after each token, [N, T, H], and the state after the last."""
        ...


def make_core(name: str, sizes: CoreSizes) -> Core:
    """A core with fresh weights, by its name in `CORES` or `module:object`.

    Example:
        >>> import torch
        >>> core = make_core("cnn", CoreSizes(input_size=4, hidden_size=5, length=20))
        >>> len(core.initial_state(torch.zeros(1, 5)))  # z, and what each of 4 layers has still to read
        5
    """
    core: Core = resolve(name, CORES)(sizes)
    return core


def read_on(core: Core, inputs: Tensor, state: State, precision: Precision) -> tuple[Tensor, State]:
    """Read on, [N, T, E], multiplying with a precision: outputs [N, T, H] of the inputs' type, and the state.

    Example:
        >>> import torch
        >>> from rlgan.learning.precision import BF16
        >>> core = make_core("gru", CoreSizes(input_size=4, hidden_size=5, length=20))
        >>> outputs, _ = read_on(core, torch.zeros(2, 3, 4), core.initial_state(torch.zeros(2, 5)), BF16)
        >>> outputs.shape, outputs.dtype
        (torch.Size([2, 3, 5]), torch.float32)
    """
    with precision.autocast(inputs.device):
        outputs, state = core(inputs, state)
    return outputs.to(inputs.dtype), state
