"""What a number or a word may be: limits that stand in the annotation of a setting.

batch_size: Annotated[int, AtLeast(1)] = 64
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from rlgan.settings.explanations import Metavar


class Limit(Protocol):
    """A condition on a value, and the words that say so in an error."""

    @property
    def due(self) -> str:
        """What the value must be, to follow "it must be "."""
        ...

    def holds(self, value: Any) -> bool:
        """Whether a value, of the type that the setting has, is within the limit."""
        ...


# Each comparison is written so that a NaN, for which every comparison is false, is refused.


@dataclass(frozen=True)
class AtLeast:
    """A finite number that is not less than `least`.

    Example:
        >>> AtLeast(1).holds(1), AtLeast(1).holds(0), AtLeast(0).holds(float("nan"))
        (True, False, False)
    """

    least: float
    why: str = ""

    @property
    def due(self) -> str:
        """What the value must be."""
        return f"{self.least:g} or more{self.why}"

    def holds(self, value: float) -> bool:
        """Whether a value is within the limit."""
        # Without an upper bound infinity would pass, which no schedule can count to and JSON does not have.
        return math.isfinite(value) and value >= self.least


@dataclass(frozen=True)
class MoreThan:
    """A finite number that is larger than `bound`.

    Example:
        >>> MoreThan(0).holds(1e-9), MoreThan(0).holds(0.0), MoreThan(0).holds(math.inf)
        (True, False, False)
    """

    bound: float

    @property
    def due(self) -> str:
        """What the value must be."""
        return f"more than {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a value is within the limit."""
        return math.isfinite(value) and value > self.bound


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included.

    Example:
        >>> Between(0, 1).holds(0.0), Between(0, 1).holds(1.0), Between(0, 1).holds(math.nan)
        (True, True, False)
    """

    low: float
    high: float

    @property
    def due(self) -> str:
        """What the value must be."""
        return f"from {self.low:g} to {self.high:g}"

    def holds(self, value: float) -> bool:
        """Whether a value is within the limit."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Below:
    """A number from `low` to less than `bound`: a share, a decay rate.

    Example:
        >>> Below(0, 1).holds(0.0), Below(0, 1).holds(0.999), Below(0, 1).holds(1.0)
        (True, True, False)
    """

    low: float
    bound: float

    @property
    def due(self) -> str:
        """What the value must be."""
        return f"from {self.low:g} to less than {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a value is within the limit."""
        # Without the bound itself: an average with a decay of 1 takes nothing in, a dropout of 1 lets nothing through.
        return self.low <= value < self.bound


@dataclass(frozen=True)
class OneOf:
    """One of a few numbers.

    Example:
        >>> sizes = OneOf((32, 64), "32 or 64")
        >>> sizes.holds(64), sizes.holds(48)
        (True, False)
    """

    values: Collection[float]
    due: str

    def holds(self, value: float) -> bool:
        """Whether a value is among them."""
        return value in self.values


@dataclass(frozen=True)
class Matching:
    """A word that a regular expression matches as a whole.

    Example:
        >>> gpu = Matching("cuda(:[0-9]+)?", "cuda or cuda:N")
        >>> gpu.holds("cuda:1"), gpu.holds("cuda:1 or cpu")
        (True, False)
    """

    pattern: str
    due: str

    def holds(self, value: str) -> bool:
        """Whether it matches."""
        return re.fullmatch(self.pattern, value) is not None


LIMITS = (AtLeast, MoreThan, Between, Below, OneOf, Matching)

# Settings of several commands and tasks: whose recipe, which checkpoint of a run, and what a figure is written as.
Preset = Literal["paper", "best"]
Checkpoint = Literal["newest", "best"]
FigureFormat = Literal["png", "pdf"]

# What computes, as `rlgan.device.prepare` takes it.
Device = Annotated[
    str, Matching(r"auto|cpu|cuda(:\d+)?", "auto, cpu, cuda or cuda:N"), Metavar("{auto,cpu,cuda,cuda:N}")
]
