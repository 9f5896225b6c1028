"""What crosses a process: the few frozen, numpy-only types that the whole system is made of.

Axes: B sequences, T tokens, Z noise. A token is an index into the vocabulary of V words; V itself stands where nothing
was written, and is the generator's `<start>`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Result = TypeVar("Result")

# Arrays and not tensors: Ray hands arrays over without a copy. 16 MB of weights took 10 ms to two processes, and as
# tensors 135 ms.
Float = NDArray[np.float32]
Tokens = NDArray[np.int64]
# Those of a whole text are int32, which takes half the memory; int64 is made of what a network reads.
AnyTokens = NDArray[np.signedinteger[Any]]
Mask = NDArray[np.bool_]
Array = Any  # a numpy array, or what stays in one process: a torch tensor
Tensors = dict[str, Float]  # the tensors of one network by name
Metrics = dict[str, float]
State = dict[str, Tensors]  # a learner's whole state, in groups of named tensors


@dataclass(frozen=True)
class Weights:
    """Both networks at one version; learner -> rollout workers. Version v: after v updates.

    Numpy arrays by name; torch's tensors where learner and rollouts are in one process, on one device.

    Example:
        >>> array = np.zeros(2, np.float32)
        >>> array.flags.writeable = False  # as those from an object store are
        >>> one, other = (Weights(3, {"w": array}, {}) for _ in range(2))
        >>> one.is_same(other), one.is_same(Weights(3, {"w": array.copy()}, {}))
        (True, False)
    """

    version: int
    generator: dict[str, Array]
    discriminator: dict[str, Array]
    raw: dict[str, Array] = field(default_factory=dict)  # the generator itself, where `generator` is an average of it

    def is_same(self, other: "Weights") -> bool:
        """Whether these are the other's, in the same memory, which nobody can change: an object store's.

        Every job that comes through one has an object of its own, whose arrays lie where the others' do.
        """
        if self is other:
            return True
        # While both are held, that memory is not given to anything else.
        return self.version == other.version and all(
            _in_one_place(here.get(name), array)
            for here, there in ((self.generator, other.generator), (self.discriminator, other.discriminator))
            for name, array in there.items()
        )


@dataclass(frozen=True)
class Rollout:
    """Sequences that the generator wrote, with their returns; rollout worker -> learner.

    Example:
        >>> tokens, noise = np.arange(12).reshape(4, 3), np.zeros((4, 2), np.float32)
        >>> values, chosen = np.zeros((4, 3), np.float32), np.ones((4, 3), np.bool_)
        >>> whole = Rollout(tokens, noise, values, values, values, values, chosen, version=7)
        >>> whole[1:2].tokens
        array([[3, 4, 5]])
        >>> Rollout.join([whole[:1], whole[1:]]).tokens.shape
        (4, 3)
    """

    tokens: Tokens  # [B, T] V where nothing was written
    noise: Float  # [B, Z] the generator's first state
    log_probs: Float  # [B, T] of the tokens, by the generator that chose them; 0 where not mask
    rewards: Float  # [B, T] 0 where not mask
    q_values: Float  # [B, T] 0 where not mask
    expected: Float  # [B, T] sum_y G(y) r(y) before each choice; zeros where no baseline asks, 0 where not mask
    mask: Mask  # [B, T] true where a token was chosen
    version: int  # of the weights whose generator wrote them

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises:
            ValueError: a field has another [B, T] than `tokens`, or other rows.
        """
        for name in ("log_probs", "rewards", "q_values", "expected", "mask"):
            shape = getattr(self, name).shape
            if shape != self.tokens.shape:
                raise ValueError(f"{name} has shape {shape}, not that of the tokens, {self.tokens.shape}")
        if len(self.noise) != len(self.tokens):
            raise ValueError(f"noise has {len(self.noise)} rows, not {len(self.tokens)}: give one per sequence")

    def __getitem__(self, rows: slice) -> "Rollout":
        """Some of the sequences."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ARRAYS})

    @staticmethod
    def join(shards: "Sequence[Rollout]") -> "Rollout":
        """Put the shards of one draw under each other, in their order.

        Raises:
            ValueError: there is none, or they come from different versions of the weights.
        """
        # Of one version alone: the rewards of different discriminators do not compare.
        versions = sorted({shard.version for shard in shards})
        if len(versions) != 1:
            raise ValueError(f"shards come from versions {versions} of the weights: join shards of one version")
        joined: dict[str, Any] = {name: np.concatenate([getattr(shard, name) for shard in shards]) for name in _ARRAYS}
        return replace(shards[0], **joined)


_ARRAYS = tuple(field.name for field in fields(Rollout) if field.name != "version")


@dataclass(frozen=True)
class RealBatch:
    """Real samples of one update; task -> learner."""

    real: NDArray[Any]  # tokens int64 [B, T], V where the row has ended; or samples float32 [B, ...]


@dataclass(frozen=True)
class Plan:
    """What a step computes. It depends on the step alone, so that every process that asks gets the same.

    Example:
        >>> Plan(supervision=0.5, discriminator_steps=3).draws  # the generator reads the first of them too
        3
        >>> Plan(supervision=0.5, discriminator_steps=0).draws, Plan(supervision=1.0, discriminator_steps=0).draws
        (1, 0)
    """

    supervision: float  # w in w * MLE + (1 - w) * adversarial loss; in [0, 1]
    discriminator_steps: int  # updates of the discriminator, each on fresh draws; 0 leaves it alone
    random_fakes: bool = False  # its fakes are random sequences, not the generator's
    rollouts: bool = True  # fakes come as rollouts; else the adapter makes them itself
    generator_steps: int = 1  # updates of the generator, before the discriminator's; 0 leaves it alone
    learning_rate: float = 1.0  # factor on both players' rates
    rewards: bool = True  # the generator's update reads the rewards of its rollouts; else workers compute none

    @property
    def draws(self) -> int:
        """How many rollouts of a whole batch the step needs."""
        if not self.rollouts:
            return 0
        # The generator and the discriminator's first update read the same draw: hence the larger number, not the sum.
        for_generator = 1 if self.supervision < 1 else 0
        for_discriminator = 0 if self.random_fakes else self.discriminator_steps
        return max(for_generator, for_discriminator)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; learner -> run."""

    metrics: Metrics
    series: dict[str, list[float]]  # values by position
    texts: list[str]  # samples, for people
    histograms: dict[str, NDArray[Any]]  # values by name, [N]
    pictures: dict[str, NDArray[np.uint8]] = field(default_factory=dict)  # by name, [height, width, 3]
    animated: tuple[str, ...] = ()  # names of pictures whose course over training is shown as one animation


class Map(Protocol):
    """Applies a function to all items: `map`, that of a pool, or rollout workers; all is picklable."""

    def __call__(self, function: Callable[[Item], Result], items: Sequence[Item], /) -> Iterable[Result]:
        """The results, in the order of the items."""
        ...


def _in_one_place(one: Array, other: Array) -> bool:
    """Whether both are the same part of memory that nobody can change."""
    arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    if not arrays or one.flags.writeable or other.flags.writeable:
        return False
    return bool(one.__array_interface__ == other.__array_interface__)
