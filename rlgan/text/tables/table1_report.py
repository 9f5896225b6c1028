"""Table 1 as files: Markdown for people, CSV for programs, and a figure."""

import datetime
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rlgan import __version__
from rlgan.drawing import encoded
from rlgan.table import Files, RowResult, RunResult, TableResults
from rlgan.text.tables.curves import Curve, perplexity_against_words
from rlgan.text.tables.reading import DASH, Line, best_evaluation, evaluation_after, markdown, spread, titles
from rlgan.text.tables.reporting import missing, recipes, run_columns, to_csv

# Yala & Song, Table 1: test perplexity after 1 and after 10 epochs, and untrained.
PAPER = {
    "mle": "1200 / 250",
    "policygan": "9900 / 8700",
    "pretraingan": "1200 / 700",
    "mixedgan": "nan / nan",
}
PAPER_UNTRAINED = "10,000"
CAPTION = (
    "Test perplexity against the words of the training text that were seen, both in logarithms, at every evaluation "
    "after the first step. Of several seeds the line is the median, the band reaches from the least to the greatest. "
    "Dashed are controls, whose rewards carry no information. The recipes are those below.",
)


def report(results: TableResults) -> Files:
    """The table of what there is so far."""
    epochs = results.facts["epochs"]
    names = titles(results.rows)
    lines = _head(results.facts) + _perplexities(results) + recipes(results.rows, names)
    lines += missing(results.rows, lambda run: evaluation_after(run, epochs) is not None, names)
    figure = perplexity_against_words(_curves(results), _unigram(results))
    return {
        "table1.md": "\n".join(lines).encode(),
        "table1.csv": to_csv([_csv_line(row, run, results.facts) for row in results.rows for run in row.runs]),
        **{f"table1.{form}": encoded(figure, form) for form in results.formats},
    }


def _head(facts: Mapping[str, Any]) -> list[str]:
    """What is shown, and by which protocol."""
    layout = (
        f"windows of {facts['length']} tokens, cut in order, the state not carried from one to the next"
        if facts["layout"] == "windows"
        else f"rows of at most {facts['length']} tokens, `<eos>` counted"
    )
    return [
        "# Table 1: test perplexity by method",
        "",
        f"Data: {facts['data']}, {facts['train_tokens']:,} tokens to train, {facts['words']:,} words. Perplexity is 2 "
        f"to the entropy in bits per token, of {layout}, each read with one z from a fixed seed.",
        "",
        f"Every run has {facts['epochs']:g} epochs, and learning rates that fall end there. An epoch is a pass of the "
        "training text through D, in maximum likelihood through G; *after 1* is the first evaluation from there on. "
        "*Best* is the evaluation where the validation perplexity is least: nothing is chosen by the test set. *D's "
        "implied* is the perplexity of softmax(f), the language model that a structured discriminator is. Of several "
        "seeds a cell is the median, with the least and the greatest. The paper: Yala & Song, Table 1.",
        "",
        f"rlgan {__version__}, {datetime.date.today().isoformat()}.",
        "",
    ]


def _perplexities(results: TableResults) -> list[str]:
    end = results.facts["epochs"]
    marks = [mark for mark in (0.0, 1.0, end) if mark <= end]
    heads = ["", *["untrained" if mark == 0 else f"after {mark:g}" for mark in dict.fromkeys(marks)]]
    heads += ["best", f"D's implied, after {end:g}", "paper, after 1 / 10", "seeds"]
    names = titles(results.rows)
    lines = [[names[row.name], *_cells(row, list(dict.fromkeys(marks)))] for row in results.rows]
    lines.append(["the paper, untrained", PAPER_UNTRAINED, *[DASH] * (len(heads) - 2)])
    return [*markdown(heads, lines), "", "![Test perplexity against words seen](table1.png)", "", *CAPTION, ""]


def _cells(row: RowResult, marks: Sequence[float]) -> list[str]:
    at = {mark: [line for run in row.runs if (line := evaluation_after(run, mark))] for mark in marks}
    ended = [run for run in row.runs if evaluation_after(run, marks[-1])]
    best = [line for run in ended if (line := best_evaluation(run))]
    where = f", epoch {median(line['epoch'] for line in best):.2g}" if best else ""
    has_signal = row.recipe.rewards.reward_control == "none"
    return [
        *[spread(line["test_perplexity"] for line in lines) for lines in at.values()],
        spread(line["test_perplexity"] for line in best) + where,
        spread(line.get("implied_test_perplexity") for line in at[marks[-1]]),
        PAPER.get(row.recipe.method, DASH) if has_signal else DASH,
        str(len(ended)) if ended else DASH,
    ]


def _csv_line(row: RowResult, run: RunResult, facts: Mapping[str, Any]) -> dict[str, Any]:
    line = run_columns(row, run)
    line["words_seen"] = line["epochs"] * facts["train_tokens"]
    at = {f"{epochs:g}": evaluation_after(run, epochs) for epochs in (0.0, 1.0, facts["epochs"])}
    for name, found in (at | {"best": best_evaluation(run)}).items():
        for key in ("epoch", "test_perplexity", "validation_perplexity", "implied_test_perplexity"):
            if found and key in found:
                line[f"{key}_{name}"] = found[key]
    return line


def _curves(results: TableResults) -> list[Curve]:
    names, curves = titles(results.rows), []
    for row in results.rows:
        # Nothing has been seen before the first step, and 0 has no logarithm.
        trained = [run.metrics[1:] for run in row.runs if len(run.metrics) > 1]
        if trained:
            control = row.recipe.rewards.reward_control != "none"
            curves.append(Curve(names[row.name], [_points(lines, results.facts) for lines in trained], control))
    return curves


def _points(lines: Sequence[Line], facts: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Words seen, and the test perplexity there."""
    words = [line["epoch"] * facts["train_tokens"] for line in lines]
    return words, [line["test_perplexity"] for line in lines]


def _unigram(results: TableResults) -> float | None:
    lines = [line for row in results.rows for run in row.runs for line in run.metrics]
    return float(lines[0]["unigram_perplexity"]) if lines else None
