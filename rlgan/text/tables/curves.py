"""The figures of the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from rlgan.drawing import Look, looks, new_figure, styled

Point = Mapping[str, float]  # measures by name
HIGHEST = 2e4  # perplexities above are cut off: one run that collapses would leave no room for the others


@dataclass(frozen=True)
class Curve:
    """The runs of a recipe.

    Args:
        name: of the recipe.
        runs: of each seed, words seen and the perplexities there.
        control: whether its rewards carry no information.
    """

    name: str
    runs: Sequence[tuple[Sequence[float], Sequence[float]]]
    control: bool = False


def _end(curve: Curve) -> float:
    """Where a recipe's first run ends."""
    return next((perplexities[-1] for _, perplexities in curve.runs if perplexities), 0.0)


@styled()
def perplexity_against_words(curves: Sequence[Curve], unigram: float | None) -> Figure:
    """Draw test perplexity against words seen, both in logarithms: of several seeds the median, and their range.

    Args:
        curves: of the recipes.
        unigram: the perplexity of word frequencies.
    """
    # A line of the legend for each recipe, below the axes: their names are long, and would cover the lines.
    figure = new_figure(8, 5 + 0.17 * len(curves))
    axes = figure.subplots()
    # From the highest end to the lowest: the legend then has the order in which the lines end.
    for curve, look in zip(sorted(curves, key=_end, reverse=True), looks(), strict=False):
        _draw(axes, curve, look)
    if unigram is not None:
        axes.axhline(unigram, color="black", linewidth=1, linestyle=":", label="word frequencies")
    cut = ""
    if curves:
        axes.set(xscale="log", yscale="log")
        highest = axes.get_ylim()[1]
        axes.set_ylim(top=min(highest, HIGHEST))
        cut = f" (cut at {HIGHEST:,.0f})" if highest > HIGHEST else ""
        # Plain numbers, and between powers of ten too: the curves may lie within one.
        for axis, between in ((axes.xaxis, (2, 5)), (axes.yaxis, (2, 3, 5))):
            axis.set_major_formatter("{x:,.0f}")
            axis.set_minor_formatter("{x:,.0f}")
            axis.set_minor_locator(LogLocator(subs=between))
        controls = "dashed: controls, whose rewards carry no information" if any(c.control for c in curves) else None
        figure.legend(loc="outside lower center", title=controls)
    axes.set(xlabel="words of the training text seen", ylabel=f"test perplexity{cut}")
    axes.set_title(f"Test perplexity against words seen, by recipe{_seeds(curves)}")
    axes.grid(which="both")
    return figure


@styled()
def quality_panels(panels: Mapping[str, tuple[Mapping[str, Sequence[Point]], Point]]) -> Figure:
    """Draw language-model scores against reverse ones, a panel for each text and a curve through the temperatures.

    Args:
        panels: by the name of a text: by the name of a row its measures by rising temperature; and those of real text.
    """
    figure = new_figure(max(5.0 * len(panels), 6.0), 5.6)
    # A row looks the same in every panel, and stands once in the legend of all.
    titles = dict.fromkeys(title for curves, _ in panels.values() for title in curves)
    look_of, handles = dict(zip(titles, looks(), strict=False)), dict[str, Line2D]()
    for place, (name, (curves, real)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place)
        for title, points in curves.items():
            look, reverse = look_of[title], [point["reverse_lm_score"] for point in points]
            scores = [point["lm_score"] for point in points]
            (handles[title],) = axes.plot(reverse, scores, **vars(look))
        x, y = real["reverse_lm_score"], real["lm_score"]
        (handles["real text"],) = axes.plot(x, y, "*", color="black", markersize=12)
        axes.set(
            title=f"{name}: a curve runs through sampling temperatures",
            xlabel="reverse, nats per token\n← better: nothing of real text is lacking",
            ylabel="← better: nothing unlike real text\nlm, nats per token",
        )
    if panels:
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2)
    return figure


def _draw(axes: Axes, curve: Curve, look: Look) -> None:
    """The median over the seeds and their range; where they were not measured at the same words, each by itself."""
    line = "--" if curve.control else "-"
    length = min((len(words) for words, _ in curve.runs), default=0)
    seen = [list(words[:length]) for words, _ in curve.runs]
    if length and all(words == seen[0] for words in seen):
        values = np.array([perplexities[:length] for _, perplexities in curve.runs])
        if len(values) > 1:
            axes.fill_between(seen[0], values.min(axis=0), values.max(axis=0), color=look.color, alpha=0.2, linewidth=0)
        drawn = [(seen[0], np.median(values, axis=0))]
    else:
        drawn = [(list(words), np.array(perplexities)) for words, perplexities in curve.runs]
    for number, (words, perplexities) in enumerate(drawn):
        label = curve.name if number == 0 else None
        axes.plot(words, perplexities, linestyle=line, marker=look.marker, color=look.color, label=label)


def _seeds(curves: Sequence[Curve]) -> str:
    """How many seeds stand behind the lines, where any has several."""
    several = max((len(curve.runs) for curve in curves), default=0)
    return f"\nmedian and range of up to {several} seeds" if several > 1 else ""
