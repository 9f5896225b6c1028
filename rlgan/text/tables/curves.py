"""The figures of the tables, drawn without a screen."""

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

Point = Mapping[str, float]  # measures by name
COLOURS = ("#1f5fa8", "#c2571a", "#5b8c2a", "#8a4fa3", "#a8892c", "#2a8c86", "#b03a5b")
MARKERS = "osD^v"  # of another number than the colours, so that 35 lines look different
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


def perplexity_against_words(curves: Sequence[Curve], unigram: float | None) -> bytes:
    """Draw test perplexity against words seen, both in logarithms: a line for each seed, a colour for each recipe.

    Args:
        curves: of the recipes.
        unigram: the perplexity of word frequencies.

    Returns:
        A PNG.
    """
    # Not by pyplot, which picks a backend for a screen and keeps every figure until it is told to close it.
    figure = Figure(figsize=(8, 6.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    # From the highest end to the lowest: the legend then has the order in which the lines end.
    looks = zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False)
    for curve, (colour, marker) in zip(sorted(curves, key=_end, reverse=True), looks, strict=False):
        style = f"{marker}--" if curve.control else f"{marker}-"
        for number, (words, perplexities) in enumerate(curve.runs):
            label = curve.name if number == 0 else None
            axes.plot(words, perplexities, style, markersize=4, linewidth=1.2, color=colour, label=label)
    if unigram is not None:
        axes.axhline(unigram, color="black", linewidth=0.8, linestyle=":", label="word frequencies")
    if curves:
        axes.set(xscale="log", yscale="log")
        axes.set_ylim(top=min(axes.get_ylim()[1], HIGHEST))
        # Plain numbers, and between powers of ten too: the curves may lie within one.
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,.0f}")
            axis.set_minor_formatter("")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
        axes.yaxis.set_minor_formatter("{x:,.0f}")
        figure.legend(fontsize=8, frameon=False, loc="outside upper left")
    axes.set(xlabel="words of the training text seen", ylabel="test perplexity")
    axes.grid(alpha=0.25, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def quality_panels(panels: Mapping[str, tuple[Mapping[str, Sequence[Point]], Point]]) -> bytes:
    """Draw language-model scores against reverse ones, a panel for each text and a curve through the temperatures.

    Args:
        panels: by the name of a text: by the name of a row its measures by rising temperature; and those of real text.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(max(6.0 * len(panels), 6.0), 6.0), dpi=150, layout="constrained")
    for place, (name, (curves, real)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place)
        for (title, points), colour in zip(curves.items(), itertools.cycle(COLOURS), strict=False):
            reverse = [point["reverse_lm_score"] for point in points]
            axes.plot(reverse, [point["lm_score"] for point in points], "o-", color=colour, label=title, markersize=4)
        axes.plot(real["reverse_lm_score"], real["lm_score"], "*", color="black", markersize=14, label="real text")
        axes.set(title=name, xlabel="reverse, nats per token\n← better: lacks nothing", ylabel="lm\n← better")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if place == len(panels):
            axes.legend(fontsize=7)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()
