"""The runs of the table `scratch`."""

from rlgan.table import RecipeOf, TablePlan, TableRow
from rlgan.text.tables.planning import Planning
from rlgan.text.tables.recipes import SCRATCH_ROWS
from rlgan.text.tables.settings import ScratchOptions


def plan(options: ScratchOptions, recipe_of: RecipeOf) -> TablePlan:
    """Which runs the table is made of: for each text all rows.

    Raises:
        UsageError: a recipe makes no sense.
        DataError: a text can't be read.
    """
    epochs = f"{options.epochs:g}"
    temperatures = sorted({1.0, *options.temperatures})
    measured = ("--temperatures", *(f"{each:g}" for each in temperatures), "--samples", str(options.samples))
    best = {"best": ("--checkpoint", "best", *measured)}
    # Maximum likelihood is shown twice: after as many words as the others, and where it is best.
    both = {"newest": ("--checkpoint", "newest", *measured)} | best
    rows, facts = [], {}
    for name, path in options.texts():
        planning = Planning(recipe_of, ("--data", path))
        facts[name] = planning.facts | {
            "epochs": options.epochs, "temperatures": temperatures, "samples": options.samples,
        }  # fmt: skip
        for row in dict.fromkeys(options.rows):
            words = ("--data", path, *SCRATCH_ROWS[row])
            defaults = planning.run_words(words, options.evaluations_per_epoch)
            words = (*words, "--epochs", epochs, "--decay-epochs", epochs)
            rows.append(TableRow(row, words, defaults, both if row == "mle" else best, name))
    return TablePlan(tuple(rows), facts)
