"""The flags of the tables of text. Imports no torch."""

import re
from dataclasses import dataclass
from typing import Annotated

from rlgan.errors import UsageError
from rlgan.settings import AtLeast, Choice, MoreThan, Preset, TypedPath, typed_path
from rlgan.text.controls import CONTROLS
from rlgan.text.estimators import ESTIMATORS
from rlgan.text.methods import METHODS
from rlgan.text.settings import Temperature
from rlgan.text.tables.recipes import SCRATCH_ROWS


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
    preset: Preset = "best"
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


@dataclass(frozen=True)
class ScratchOptions:
    """What is trained."""

    data: tuple[str, ...] = ()
    """Texts, each as NAME=PATH: a name of your choice, and what `rlgan train` takes as --data."""
    rows: tuple[Annotated[str, Choice(SCRATCH_ROWS, "row of the table")], ...] = tuple(SCRATCH_ROWS)
    """Rows to train. mle, with the same networks and words seen, is needed for the ratios."""
    epochs: Annotated[float, MoreThan(0)] = 10.0
    """Passes over the training text, the same for every row. Learning rates that fall end there."""
    temperatures: tuple[Temperature, ...] = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
    """Temperatures of sampling, through which the curves go; 1 is always among them."""
    samples: Annotated[int, AtLeast(2)] = 2000
    """Sequences that are measured at each temperature."""
    evaluations_per_epoch: Annotated[int, AtLeast(1)] = 2
    """How often a run is measured, and may be chosen by validation."""

    def check(self) -> None:
        """Check what the annotations can't say.

        Raises:
            UsageError: there is no text, a text has no name, or there is no row.
        """
        if not self.data:
            raise UsageError("scratch needs --data: give texts as NAME=PATH, such as coco=captions/")
        if not self.rows:
            raise UsageError(f"--rows names none: give one or more of {', '.join(SCRATCH_ROWS)}")
        names = [name for name, _ in self.texts()]
        if len(set(names)) < len(names):
            raise UsageError(f"--data {' '.join(self.data)}: two texts have one name")

    def texts(self) -> list[tuple[str, str]]:
        """Name and path of each text.

        Raises:
            UsageError: one has no name.
        """
        found = []
        for each in self.data:
            name, equals, path = each.partition("=")
            if not equals or not path or not re.fullmatch(r"[A-Za-z0-9_]+", name):
                raise UsageError(f"--data {each}: give NAME=PATH, the name of letters, digits and underscores")
            found.append((name, typed_path("--data", path)))
        return found
