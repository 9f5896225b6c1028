"""What the reports of the tables of text share: who computed what at which cost, and what is missing."""

import csv
import io
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rlgan.table import RowResult, RunResult
from rlgan.text.presets import labels_of
from rlgan.text.tables.reading import (
    DASH,
    common_deviations,
    cost,
    deviations,
    discriminator_size,
    markdown,
    spread,
)


def recipes(rows: Sequence[RowResult], names: Mapping[str, str]) -> list[str]:
    """What each row is, and what it took; in lines of Markdown.

    Args:
        rows: of a table.
        names: of the rows for people, by the names of their folders.
    """
    common = common_deviations(rows)
    lines = [
        [
            names[row.name],
            _labels(row, common),
            spread(taken.tokens for taken in costs),
            spread(taken.cpu_seconds for taken in costs),
            spread(taken.seconds for taken in costs),
            machines(row.runs) or DASH,
        ]
        for row in rows
        if (costs := [cost(run) for run in row.runs if len(run.metrics) > 1])
    ]
    if not lines:
        return []
    everywhere = [f"All rows: `{' '.join(common)}`.", ""] if common else []
    return [
        "## Recipes and costs",
        "",
        *everywhere,
        "CPU seconds are those of training, over all processes of a run. Wall seconds count its evaluations and "
        "checkpoints too, and are longer where runs shared a machine.",
        "",
        *markdown(["", "recipe", "tokens that G learned from", "CPU s", "wall s", "computed on"], lines),
        "",
    ]


def _labels(row: RowResult, common: Sequence[str]) -> str:
    """What counts in a recipe, and what in it is neither the preset's nor common to all; in some words."""
    labels = labels_of(row.recipe)
    if "estimator" in labels:
        labels["lambda"] = f"{row.recipe.rewards.discount:g}"
        labels["baseline"] = row.recipe.baselines.baseline
    said = {f"--{name.replace('_', '-')}" for name in (*labels, "discount")}
    own = [flag for flag in deviations(row.recipe) if flag not in common and flag.split()[0] not in said]
    return "; ".join([*(f"{name} {value}" for name, value in labels.items() if name != "method"), *own])


def machines(runs: Sequence[RunResult]) -> str:
    """The kinds of machine that runs were computed on."""
    return "; ".join(sorted({kind for run in runs for kind in run.kinds.values()}))


def missing(rows: Sequence[RowResult], is_whole: Callable[[RunResult], bool], names: Mapping[str, str]) -> list[str]:
    """What has not come to its end, how far it is, and the command that trains it; in lines of Markdown.

    Example:
        >>> row = RowResult("mle", "mle", "", None, ("text", "--data", "ptb", "--method", "mle"), runs=())
        >>> missing([row], lambda run: True, {"mle": "MLE"})[2]
        '- MLE: `rlgan train text --data $DATA --method mle`'
    """
    lines = list(_missing_lines(rows, is_whole, names))
    return ["## Not measured, or not to the end", "", *lines, ""] if lines else []


def _missing_lines(
    rows: Sequence[RowResult], is_whole: Callable[[RunResult], bool], names: Mapping[str, str]
) -> Iterator[str]:
    for row in rows:
        standing = [run for run in row.runs if not is_whole(run)]
        for run in standing:
            if run.failure is not None:
                yield f"- {names[row.name]}, seed {run.seed}: failed: {run.failure}"
            if run.metrics:
                line = run.metrics[-1]
                perplexity = spread([line["test_perplexity"]])
                yield f"- {names[row.name]}, seed {run.seed}: epoch {line['epoch']:.3g}, test perplexity {perplexity}"
        if len(standing) == len(row.runs):
            yield f"- {names[row.name]}: `{command(row)}`"


def command(row: RowResult) -> str:
    """The command that trains a row, with $DATA for the place of the data."""
    before = (None, *row.command)
    words = [
        "$DATA" if flag == "--data" else shlex.quote(word) for flag, word in zip(before, row.command, strict=False)
    ]
    return " ".join(["rlgan train", *words])


def run_columns(row: RowResult, run: RunResult) -> dict[str, Any]:
    """What a line of a CSV says of a run, whatever the table."""
    taken = cost(run)
    return (
        {"row": row.name, "seed": run.seed}
        | labels_of(row.recipe)
        | {
            "discount": row.recipe.rewards.discount,
            "discriminator_size": discriminator_size(row.recipe),
            "beyond_the_preset": " ".join(deviations(row.recipe)),
            "epochs": run.metrics[-1]["epoch"] if run.metrics else 0.0,
            "tokens": taken.tokens,
            "cpu_seconds": taken.cpu_seconds,
            "seconds": taken.seconds,
            "computed_on": machines([run]),
            "failure": run.failure or "",
        }
    )


def to_csv(lines: Sequence[dict[str, Any]]) -> bytes:
    """Lines as CSV; a line may lack columns that others have.

    Example:
        >>> to_csv([{"row": "mle", "seed": 0}, {"row": "gan", "epochs": 1.0}]).decode().splitlines()
        ['row,seed,epochs', 'mle,0,', 'gan,,1.0']
    """
    heads = list(dict.fromkeys(name for line in lines for name in line)) or ["row", "seed"]
    out = io.StringIO()
    writer = csv.DictWriter(out, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()
