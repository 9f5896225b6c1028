"""The numbers of an evaluation of pictures that a person reads first. Imports no torch."""

from rlgan.task import Headline, Measures, Result, beside_floors, caveat_of_few

MEASURES = Measures(
    descriptions={
        "rfid": "Frechet distance to held-out pictures over features of a random network. Lower is better.",
    },
    charts={
        "rFID": ("rfid", "rfid_floor", "rfid_pca200", "rfid_mean_picture"),
        "coverage": ("coverage", "coverage_floor"),
    },
    references=("_mean_picture", "_pca200"),
)


def headlines(result: Result) -> list[Headline]:
    """Distances to the held-out pictures beside those of real ones, and what can be had cheaply."""
    found = beside_floors(
        result,
        {
            "rfid": "lower", "fid": "lower", "kernel_distance": "lower", "precision": "higher", "recall": "higher",
            "coverage": "higher", "feature_spread": "nearer",
        },
    )  # fmt: skip
    # What can be had without a network shows what a distance is worth.
    cheap = {"the average picture": "mean_picture", "a Gaussian of the pixels": "pca200"}
    for what, name in cheap.items():
        if f"rfid_{name}" in result:
            found[0] = Headline(
                found[0].label, found[0].value, found[0].better, {**found[0].beside, what: result[f"rfid_{name}"]}
            )
    return found


def caveats(result: Result) -> list[str]:
    """What the numbers can't tell, where they are of few pictures."""
    return caveat_of_few(result["held_out"], "pictures") if "held_out" in result else []
