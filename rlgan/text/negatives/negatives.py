"""Mixtures of negative examples."""

from dataclasses import dataclass

from rlgan.settings import resolve
from rlgan.text.negatives import NEGATIVES


@dataclass(frozen=True)
class Negatives:
    """What the two kinds weigh in the discriminator's loss, against a weight of 1 for real tokens.

    Example:
        >>> BOTH.rollouts + BOTH.conditional  # as much as real tokens
        1.0
    """

    rollouts: float  # tokens that the generator wrote
    conditional: float  # its next-token distribution after each real prefix


ROLLOUTS = Negatives(rollouts=1.0, conditional=0.0)
CONDITIONAL = Negatives(rollouts=0.0, conditional=1.0)
# Together 1, as for real tokens: with a total of n the best f would be off by -log n.
BOTH = Negatives(rollouts=0.5, conditional=0.5)


def find_negatives(name: str) -> Negatives:
    """The negatives of a name in `NEGATIVES`, or `module:object`.

    Example:
        >>> find_negatives("conditional")
        Negatives(rollouts=0.0, conditional=1.0)
    """
    negatives: Negatives = resolve(name, NEGATIVES)
    return negatives
