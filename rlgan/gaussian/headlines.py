"""The numbers of an evaluation of the Gaussian task that a person reads first. Imports no torch."""

from rlgan.task import Headline, Measures, Result, beside_floors

MEASURES = Measures(
    descriptions={"w1": "Wasserstein-1 distance to real samples. Lower is better."},
    charts={
        "W1": ("w1", "w1_floor"),
        "KS": ("ks", "ks_floor"),
        "standard deviation": ("std", "std_floor"),
        "modes": ("modes", "modes_floor"),
    },
)


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
