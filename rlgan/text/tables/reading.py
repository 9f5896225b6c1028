"""What the tables of text read from the records of runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from rlgan.settings import differences
from rlgan.table import RowResult, RunResult
from rlgan.text.presets import labels_of, preset_of
from rlgan.text.settings import TextSettings

Line = dict[str, Any]  # of metrics.jsonl
DASH = "-"  # where nothing was measured

# What a recipe's title says already, what every run of a table has of its own, and what the data decides.
_SAID = (
    "data", "seed", "preset", "method", "estimator", "discriminator_form", "negatives", "reward_control",
    "discriminator_embedding_size", "discriminator_hidden_size", "decay_epochs", "layout", "vocab_size",
)  # fmt: skip


def evaluation_after(run: RunResult, epochs: float) -> Line | None:
    """The first evaluation at or after so many epochs; None where the run has not come so far.

    Example:
        >>> run = RunResult(0, ({"epoch": 0.0}, {"epoch": 1.002}, {"epoch": 2.0}), {}, {})
        >>> evaluation_after(run, 1.0)
        {'epoch': 1.002}
    """
    # A run ends at the first step that has so many epochs behind it; what is missing then is rounding.
    return next((line for line in run.metrics if line["epoch"] >= epochs - 1e-9), None)


def best_evaluation(run: RunResult) -> Line | None:
    """The trained evaluation where the validation perplexity is least; None where there is none.

    Example:
        >>> perplexities = {0: 5.0, 10: 30.0, 20: 20.0, 30: 25.0}  # by step; of step 0 nothing was learned
        >>> lines = tuple({"step": step, "validation_perplexity": value} for step, value in perplexities.items())
        >>> best_evaluation(RunResult(0, lines, {}, {}))
        {'step': 20, 'validation_perplexity': 20.0}
    """
    trained = [line for line in run.metrics if line["step"] > 0]
    return min(trained, key=lambda line: float(line["validation_perplexity"]), default=None)


@dataclass(frozen=True)
class Cost:
    """What a run has taken, as far as it has come."""

    tokens: float  # that the generator learned from
    cpu_seconds: float  # of training, over all processes
    seconds: float  # of wall time, evaluations included


def cost(run: RunResult) -> Cost:
    """Add up what a run has taken from one evaluation to the next.

    Example:
        >>> last = {"step": 10, "tokens": 100.0, "tokens_per_cpu_second": 50.0, "seconds": 30.0}
        >>> cost(RunResult(0, ({"step": 0}, last), {}, {}))  # 10 steps of 100 tokens, 50 of them in a second
        Cost(tokens=1000.0, cpu_seconds=20.0, seconds=30.0)
    """
    tokens = cpu_seconds = 0.0
    for before, line in pairwise(run.metrics):
        # Means and speeds since the evaluation before, or since the run was resumed.
        made = (line["step"] - before["step"]) * line.get("tokens", 0.0)
        tokens += made
        cpu_seconds += made / line["tokens_per_cpu_second"] if made else 0.0
    return Cost(tokens, cpu_seconds, float(run.metrics[-1]["seconds"]) if run.metrics else 0.0)


def discriminator_size(recipe: TextSettings) -> int:
    """The size of the discriminator's state."""
    return recipe.discriminator.discriminator_hidden_size or recipe.networks.hidden_size


def deviations(recipe: TextSettings) -> list[str]:
    """In which settings a recipe is not that of its preset, as flags; what its row says anyway is left out.

    Example:
        >>> deviations(TextSettings(preset="paper", batch_size=32))
        ['--batch-size 32']
    """
    return [_flag(change) for change in differences(preset_of(recipe), recipe, _SAID)]


def _flag(change: str) -> str:
    """`--flag old -> new` as `--flag new`."""
    flag, _, values = change.partition(" ")
    return f"{flag} {values.rpartition(' -> ')[2]}"


def common_deviations(rows: Sequence[RowResult]) -> list[str]:
    """The deviations that all rows have."""
    each = [deviations(row.recipe) for row in rows]
    return [flag for flag in each[0] if all(flag in flags for flags in each)] if each else []


def titles(rows: Sequence[RowResult]) -> dict[str, str]:
    """Each row in some words, by its name; without the deviations that all have."""
    common = common_deviations(rows)
    return {row.name: _title(row.recipe, common) for row in rows}


def _title(recipe: TextSettings, common: Sequence[str]) -> str:
    labels = labels_of(recipe)
    parts = [recipe.method, labels.get("estimator", "")]
    if recipe.preset != "best":
        parts.append(f"preset {recipe.preset}")
    if "estimator" in labels:
        parts.append(f"D {discriminator_size(recipe)}")
        if recipe.rewards.reward_control != "none":
            parts.append(f"control: {recipe.rewards.reward_control} rewards")
    parts += [flag for flag in deviations(recipe) if flag not in common]
    return ", ".join(filter(None, parts))


def number(value: float | None) -> str:
    """A perplexity.

    Example:
        >>> number(9876.4), number(186.24), number(5.123), number(None)
        ('9,876', '186.2', '5.12', '-')
    """
    if value is None:
        return DASH
    if value >= 1e6:  # of a generator that has collapsed it has hundreds of digits
        return f"{value:.1e}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Iterable[float | None]) -> str:
    """The median over seeds, with the least and the greatest where there are several.

    Example:
        >>> spread([200.0, 210.0, 190.0]), spread([200.0]), spread([])
        ('200.0 (190.0 to 210.0)', '200.0', '-')
    """
    there = [value for value in values if value is not None]
    if not there:
        return DASH
    middle, least, greatest = (number(each(there)) for each in (median, min, max))
    return middle if least == greatest else f"{middle} ({least} to {greatest})"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, in lines of Markdown.

    Example:
        >>> markdown(["data", "perplexity"], [["stories", "5.12"]])
        ['| data | perplexity |', '| --- | --- |', '| stories | 5.12 |']
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
