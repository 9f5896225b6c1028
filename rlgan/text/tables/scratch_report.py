"""The table `scratch` as files: Markdown for people, CSV for programs, and a figure."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from rlgan import __version__
from rlgan.drawing import encoded
from rlgan.table import Files, RowResult, TableResults
from rlgan.text.tables.curves import quality_panels
from rlgan.text.tables.reading import DASH, markdown, spread
from rlgan.text.tables.reporting import missing, recipes, run_columns, to_csv

# Titles of the rows, with the checkpoint that each shows.
TITLES = {
    ("mle", "newest"): "MLE, same networks and words seen",
    ("mle", "best"): "MLE at its best",
    ("policygan", "best"): "PolicyGan, all tokens",
    ("reinforce", "best"): "PolicyGan, REINFORCE",
    ("scratchgan", "best"): "ScratchGAN's recipe",
    ("mediator", "best"): "mediator (CoT)",
    ("shuffled", "best"): "control: shuffled rewards",
}
BACKWARDS = [*reversed(TITLES.items())]  # so that of several titles of a row the first is left
REAL = "real text"
ORDERS = (2, 3, 4, 5)  # of n-grams in BLEU


@dataclass(frozen=True)
class Shown:
    """A row as it is shown: what `rlgan evaluate` said of its runs at one of their checkpoints."""

    title: str
    found: tuple[Mapping[str, Any], ...]

    def values(self, name: str) -> list[float]:
        """A number of each run that has it."""
        return [float(each[name]) for each in self.found if name in each]

    def at_one(self, name: str) -> list[float]:
        """A measure of the samples at temperature 1, of each run that has it."""
        entries = [_at_one(each["quality"]) for each in self.found]
        return [entry[name] for entry in entries if name in entry]

    def curve(self) -> list[dict[str, float]]:
        """Medians over the runs of what is measured at each temperature."""
        return [
            # What all have: of samples of which none is grammatical, say, there is no likelihood.
            {
                name: median(entry[name] for entry in entries)
                for name in entries[0]
                if all(name in entry for entry in entries)
            }
            for entries in zip(*(each["quality"] for each in self.found), strict=True)
        ]


def report(results: TableResults) -> Files:
    """The table of what there is so far."""
    lines = [
        "# Text from scratch",
        "",
        "Test perplexity is 2 to the entropy in bits per counted token, each text read with one z from a fixed seed. "
        "Every row is the checkpoint with the least validation perplexity, the first of MLE the last one: nothing is "
        "chosen by the test set. Language models score in nats per token: `lm` what the row writes, by a "
        "model of real text, `reverse` real text, by a model of what the row writes, at temperature 1; *reverse at "
        "MLE's lm* lies on the row's curve over temperatures where its `lm` is that of MLE at its best, and is a dash "
        "where the curve does not come there. Of several seeds a cell is the median, with the least and the greatest.",
        "",
        f"rlgan {__version__}, {datetime.date.today().isoformat()}.",
        "",
    ]
    panels = {}
    for group, facts in results.facts.items():
        rows = [row for row in results.rows if row.group == group]
        shown = shown_rows(rows)
        names = {row.name: title for row in rows for (name, _), title in BACKWARDS if name == row.row}
        lines += [*_text(group, facts, shown), *recipes(rows, names)]
        lines += missing(rows, lambda run: bool(run.evaluations), names)
        if any(each.found for each in shown):
            panels[group] = ({each.title: each.curve() for each in shown if each.found}, _floor(shown))
    figure = quality_panels(panels)
    return {
        "scratch.md": "\n".join(lines).encode(),
        "scratch.csv": to_csv([line for row in results.rows for line in _csv_lines(row)]),
        **{f"scratch.{form}": encoded(figure, form) for form in results.formats},
    }


def shown_rows(rows: Sequence[RowResult]) -> list[Shown]:
    """The rows of a text as they are shown, in the order of `TITLES`."""
    shown = []
    for (name, checkpoint), title in TITLES.items():
        for row in rows:
            if row.row == name:
                found = (run.evaluations.get(checkpoint) for run in row.runs)
                shown.append(Shown(title, tuple(each for each in found if each is not None)))
    return shown


def reverse_at(curve: Sequence[Mapping[str, float]], lm_score: float) -> float | None:
    """The reverse score where a curve over temperatures has a language-model score; None where it does not come there.

    Example:
        >>> curve = [{"lm_score": 2.0, "reverse_lm_score": 5.0}, {"lm_score": 4.0, "reverse_lm_score": 4.0}]
        >>> reverse_at(curve, 3.0), reverse_at(curve, 4.5)
        (4.5, None)
    """
    points = sorted((point["lm_score"], point["reverse_lm_score"]) for point in curve)
    quality, diversity = zip(*points, strict=True)
    return float(np.interp(lm_score, quality, diversity)) if quality[0] <= lm_score <= quality[-1] else None


def _at_one(entries: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    return next(entry for entry in entries if entry["temperature"] == 1.0)


def _floor(shown: Sequence[Shown]) -> Mapping[str, float]:
    """The measures of real text, which are those of any run on it."""
    return next((each.found[0]["quality_floor"] for each in shown if each.found), {})


def _text(group: str, facts: Mapping[str, Any], shown: Sequence[Shown]) -> list[str]:
    """The tables of one text."""
    titled = {each.title: each for each in shown}
    mle = titled.get(TITLES["mle", "newest"], Shown("", ()))
    best = titled.get(TITLES["mle", "best"], Shown("", ()))
    floor = _floor(shown)
    names = [each for each in ("true_nll",) if each in floor]
    heads = ["", "test perplexity", "/ MLE", "NLL_test", *(["NLL_oracle"] if names else []), "D's implied", "lm"]
    heads += ["reverse", "reverse at MLE's lm", "distinct-4", "memorised", "seeds"]
    lines = [_real_cells(shown, floor, names), *(_cells(each, mle, best, names) for each in shown)]
    bleu = [["", *(f"BLEU-{n} / Self-BLEU-{n}" for n in ORDERS)], [REAL, *(_pair(floor, n) for n in ORDERS)]]
    bleu += [[each.title, *(_bleu(each, n) for n in ORDERS)] for each in shown]
    return [
        f"## {group}",
        "",
        f"{facts['data']}, {facts['train_tokens']:,} tokens to train in {facts['layout']} of {facts['length']}, "
        f"{facts['words']:,} words; {facts['epochs']:g} epochs; {facts['samples']:,} samples.",
        "",
        *markdown(heads, lines),
        "",
        *markdown(bleu[0], bleu[1:]),
        "",
        "![lm against reverse over temperatures](scratch.png)",
        "",
        "The language-model score of what each row writes against the reverse score, a curve through the sampling "
        "temperatures; of several seeds the medians. The star is real text.",
        "",
    ]


def _real_cells(shown: Sequence[Shown], floor: Mapping[str, float], names: Sequence[str]) -> list[str]:
    perplexities = [value for each in shown for value in each.values("floor_perplexity")[:1]][:1]
    nats = [float(np.log(value)) for value in perplexities]
    measured = [spread([floor[name]] if name in floor else []) for name in ("lm_score", "reverse_lm_score")]
    others = [spread([floor[name]] if name in floor else []) for name in ("distinct_4", "memorised")]
    true = [spread([floor[name]]) for name in names]
    return [REAL, spread(perplexities), DASH, spread(nats), *true, DASH, *measured, DASH, *others, DASH]


def _cells(each: Shown, mle: Shown, best: Shown, names: Sequence[str]) -> list[str]:
    perplexities, of_mle = each.values("test_perplexity"), mle.values("test_perplexity")
    scores = best.at_one("lm_score")
    curves = [found["quality"] for found in each.found]
    at_mle = [reverse_at(curve, median(scores)) for curve in curves] if scores else []
    return [
        each.title,
        spread(perplexities),
        spread([value / median(of_mle) for value in perplexities] if of_mle else []),
        spread(each.values("test_nll")),
        *(spread(each.at_one(name)) for name in names),
        spread(each.values("implied_test_perplexity")),
        spread(each.at_one("lm_score")),
        spread(each.at_one("reverse_lm_score")),
        spread(at_mle),
        spread(each.at_one("distinct_4")),
        spread(each.at_one("memorised")),
        str(len(each.found)) if each.found else DASH,
    ]


def _bleu(each: Shown, n: int) -> str:
    return f"{spread(each.at_one(f'bleu_{n}'))} / {spread(each.at_one(f'self_bleu_{n}'))}" if each.found else DASH


def _pair(floor: Mapping[str, float], n: int) -> str:
    return f"{spread([floor[f'bleu_{n}']])} / {spread([floor[f'self_bleu_{n}']])}" if floor else DASH


def _csv_lines(row: RowResult) -> list[dict[str, Any]]:
    """A line for each run, checkpoint and temperature."""
    lines = []
    for run in row.runs:
        for checkpoint, found in run.evaluations.items():
            numbers = {name: value for name, value in found.items() if isinstance(value, float)}
            for entry in found["quality"]:
                columns = {"text": row.group, "checkpoint": checkpoint, "step": found["step"]}
                lines.append(run_columns(row, run) | columns | numbers | entry)
    return lines
