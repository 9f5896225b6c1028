"""Figures, drawn without a screen."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Point = Mapping[str, float]  # measures by name
COLOURS = ("#1f5fa8", "#c2571a", "#5b8c2a", "#8a4fa3")  # of the curves, in turn
ROOM = 11  # points of the page between the labels of a curve


def quality_against_diversity(file: Path, curves: Mapping[str, Sequence[Point]], real: Point) -> None:
    """Draw quality against diversity, a curve per run and a point per temperature, twice: by language models, by BLEU.

    A generator that repeats one good sentence has quality without diversity, one that draws words by chance diversity
    without quality: a single point says little, how near to real text a curve comes says more.

    Args:
        file: a PNG is written there.
        curves: by the name of a run, its measures by rising temperature.
        real: the measures of real text.
    """
    # Not by pyplot, which picks a backend for a screen and keeps every figure until it is told to close it.
    figure = Figure(figsize=(11, 5.2), dpi=150, layout="constrained")
    by_models, by_bleu = figure.subplots(1, 2)
    by_models.set(
        title="By language models, nats per token",
        xlabel="reverse_lm_score: real text, by a model of these texts\n← better: they lack nothing",
        ylabel="← better: nothing unlike real text\nlm_score: these texts, by a model of real text",
    )
    by_bleu.set(
        title="By n-grams",
        xlabel="self_bleu_4: how much these texts are alike\n← more diverse",
        ylabel="bleu_4: how much they are like the test set\nmore alike →",
    )
    _draw(by_models, curves, real, "reverse_lm_score", "lm_score")
    _draw(by_bleu, curves, real, "self_bleu_4", "bleu_4")
    handles, labels = by_models.get_legend_handles_labels()
    title = "A point is a sampling temperature"
    figure.legend(handles, labels, title=title, loc="outside upper center", ncols=2, frameon=False)
    figure.draw_without_rendering()  # so that it is known where the points lie
    for axes, x, y in ((by_models, "reverse_lm_score", "lm_score"), (by_bleu, "self_bleu_4", "bleu_4")):
        for points, colour in zip(curves.values(), itertools.cycle(COLOURS), strict=False):
            _label(axes, points, x, y, colour)
    figure.savefig(file, format="png")


def _draw(axes: Axes, curves: Mapping[str, Sequence[Point]], real: Point, x: str, y: str) -> None:
    for (name, points), colour in zip(curves.items(), itertools.cycle(COLOURS), strict=False):
        axes.plot([point[x] for point in points], [point[y] for point in points], "o-", color=colour, label=name)
    axes.plot(real[x], real[y], "*", color="black", markersize=15, label="real text")
    axes.margins(0.1)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _label(axes: Axes, points: Sequence[Point], x: str, y: str, colour: str) -> None:
    """Write the temperatures beside the points, the lowest first; where one would cover another it is left out."""
    rising = (points[-1][x] - points[0][x]) * (points[-1][y] - points[0][y]) > 0
    taken: list[tuple[float, float]] = []
    for point in points:
        across, up = axes.transData.transform((point[x], point[y])) * 72 / axes.figure.dpi
        if all(abs(across - a) > 2 * ROOM or abs(up - u) > ROOM for a, u in taken):
            taken.append((across, up))
            axes.annotate(
                f"{point['temperature']:g}",
                (point[x], point[y]),
                xytext=(-5 if rising else 5, 5),  # on the side where the curve does not run
                ha="right" if rising else "left",
                textcoords="offset points",
                color=colour,
                fontsize=9,
            )
