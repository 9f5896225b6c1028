"""The flags of the tables of text. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated, Literal

from rlgan.errors import UsageError
from rlgan.settings import AtLeast, Choice, MoreThan, TypedPath
from rlgan.text.controls import CONTROLS
from rlgan.text.estimators import ESTIMATORS
from rlgan.text.methods import METHODS


@dataclass(frozen=True)
class Table1Options:
    """What is trained."""

    data: Annotated[str | None, TypedPath()] = None
    """The text, as `rlgan train` takes it: a directory with ptb.{train,valid,test}.txt, for the paper's table."""
    methods: tuple[Annotated[str, Choice(METHODS, "method")], ...] = tuple(METHODS)
    """Methods to train by."""
    estimators: tuple[Annotated[str, Choice(ESTIMATORS, "estimator")], ...] = ("reinforce", "all_tokens")
    """Estimators of policygan, a row for each; the other methods have that of the preset."""
    discriminator_sizes: tuple[Annotated[int, AtLeast(1)], ...] = ()
    """Sizes of the discriminator's embeddings and state, a row of policygan for each; other methods have the first. By
    default that of the preset."""
    controls: tuple[Annotated[str, Choice(CONTROLS, "reward control")], ...] = ("shuffled",)
    """Controls of policygan, a row for each, by its first estimator and size. None are trained without policygan."""
    epochs: Annotated[float, MoreThan(0)] = 10.0
    """Passes over the training text. Learning rates that fall end there."""
    preset: Literal["paper", "best"] = "best"
    """The recipe of every row."""
    evaluations_per_epoch: Annotated[int, AtLeast(1)] = 2
    """How often each run is measured."""

    def check(self) -> None:
        """Check what the annotations can't say.

        Raises:
            UsageError: there is no text, or no row.
        """
        if self.data is None:
            raise UsageError("table1 needs --data: give a directory with ptb.{train,valid,test}.txt, or a text file")
        if not self.methods:
            raise UsageError(f"--methods names none: give one or more of {', '.join(METHODS)}")
        if not self.estimators and "policygan" in self.methods:
            raise UsageError(f"--estimators names none: give one or more of {', '.join(ESTIMATORS)}")
