"""The runs of Table 1."""

import itertools
from collections.abc import Iterator

from rlgan.settings import resolve
from rlgan.table import RecipeOf, TablePlan, TableRow
from rlgan.text.methods import METHODS
from rlgan.text.tables.planning import Planning
from rlgan.text.tables.settings import Table1Options


def plan(options: Table1Options, recipe_of: RecipeOf) -> TablePlan:
    """Which runs Table 1 is made of: maximum likelihood first, and controls last.

    Raises:
        UsageError: a recipe makes no sense.
        DataError: the data can't be read.
    """
    epochs = f"{options.epochs:g}"
    common = ("--data", str(options.data), "--preset", options.preset)
    planning = Planning(recipe_of, common)
    bounds = ("--epochs", epochs, "--decay-epochs", epochs)
    rows = tuple(
        TableRow(
            "-".join([name, *(["paper"] if options.preset == "paper" else [])]),
            (*common, *words, *bounds),
            planning.run_words((*common, *words), options.evaluations_per_epoch),
        )
        for name, words in _recipes(options)
    )
    return TablePlan(rows, planning.facts | {"epochs": options.epochs})


def _recipes(options: Table1Options) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each row's name, and the words that tell it from others."""
    # Each once, whatever is typed twice: two rows of one name would be two runs in one directory.
    estimators = tuple(dict.fromkeys(options.estimators))
    sizes: tuple[int | None, ...] = tuple(dict.fromkeys(options.discriminator_sizes)) or (None,)
    # In this order, so that what the others are held against is there first.
    first = [method for method in ("mle", "policygan") if method in options.methods]
    for method in dict.fromkeys([*first, *options.methods]):
        if not resolve(method, METHODS).adversarial:
            yield _recipe(method, None, None)
        elif method == "policygan":
            for estimator, size in itertools.product(estimators, sizes):
                yield _recipe(method, estimator, size)
        else:
            yield _recipe(method, None, sizes[0])
    if "policygan" in options.methods:
        name, words = _recipe("policygan", estimators[0], sizes[0])
        for control in dict.fromkeys(options.controls):
            if control != "none":
                yield f"{name}-{control}", (*words, "--reward-control", control)


def _recipe(method: str, estimator: str | None, size: int | None) -> tuple[str, tuple[str, ...]]:
    words = ["--method", method]
    if estimator is not None:
        words += ["--estimator", estimator]
    if size is not None:
        words += ["--discriminator-embedding-size", str(size), "--discriminator-hidden-size", str(size)]
    name = [method, *([estimator] if estimator else []), *([f"d{size}"] if size else [])]
    return "-".join(name), tuple(words)
