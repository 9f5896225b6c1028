"""The numbers of an evaluation of the Gaussian task that a person reads first. Imports no torch."""

from rlgan.task import Headline, Result, beside_floors


def headlines(result: Result) -> list[Headline]:
    """Distances and moments of N(0, 1), or modes and quality of mixtures, beside those of real samples."""
    return beside_floors(
        result,
        {
            "w1": "lower", "ks": "lower", "std": "nearer", "discriminator_distance": "lower",
            "modes": "higher", "high_quality": "higher", "total_variation": "lower", "reverse_kl": "lower",
            "mode_std": "nearer", "collapsed": "lower",
        },
    )  # fmt: skip
