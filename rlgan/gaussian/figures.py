"""Figures of Yala & Song, section 2, and of samples in the plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlgan.drawing import DISCRIMINATOR, GENERATED, REAL, new_figure, styled
from rlgan.gaussian.measures import GRID
from rlgan.types import Float

BINS = np.linspace(-5, 5, 101)
TALLEST = 1.05  # of the axis of densities and of D
PANEL = 3.2  # inches
# What the losses come to where D is .5 everywhere.
GENERATOR_OPTIMUM = float(np.log(0.5))
DISCRIMINATOR_OPTIMUM = float(2 * np.log(0.5))


@dataclass(frozen=True)
class Seen:
    """A pair of players, as the figures show it."""

    made: Float  # samples [N]
    curve: Float  # D over GRID


@styled()
def densities(rows: Mapping[str, Mapping[str, Sequence[Seen]]], seeds: Sequence[int] = (), heading: str = "") -> Figure:
    """Figures 2 and 4: a histogram of the generated samples, the real density, and D.

    Args:
        rows: by its title each row of panels: by their titles, the players of each seed. The histogram is that of the
            first seed; D is the median over the seeds, between the least and the greatest.
        seeds: where there are several, a last panel of each row shows where the samples of each lie, in the row's last
            players.
        heading: of the figure.
    """
    columns = max(map(len, rows.values())) + (len(seeds) > 1)
    figure = new_figure(max(PANEL * columns, 4), 2.9 * len(rows) + 0.8)
    for place, (title, panels) in enumerate(rows.items()):
        first = place * columns + 1
        for i, (name, seen) in enumerate(panels.items()):
            axes = figure.add_subplot(len(rows), columns, first + i)
            _density(axes, seen)
            axes.set_title(", ".join(filter(None, (title, name))))
        if len(seeds) > 1:
            axes = figure.add_subplot(len(rows), columns, first + len(panels))
            _by_seed(axes, seeds, [each.made for each in list(panels.values())[-1]])
            axes.set_title(f"{title}, G(z) of each seed".removeprefix(", "))
    figure.suptitle(heading)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels) if columns > 1 else 1)
    return figure


@styled()
def losses(panels: Mapping[str, tuple[Float, Float]]) -> Figure:
    """Figure 3: the value of the game for both players by iteration, with the lines that D = .5 gives.

    Args:
        panels: by title, G's E log(1 - D(G(z))) and D's E log D(x) + E log(1 - D(G(z))): [seeds, iterations].
    """
    figure = new_figure(5.2 * len(panels), 3.6)
    for i, (title, (generator, discriminator)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i)
        for name, values, colour, line in (
            ("G: E log(1 - D(G(z)))", generator, GENERATED, "-"),
            ("D: E log D(x) + E log(1 - D(G(z)))", discriminator, DISCRIMINATOR, "-"),
        ):
            _band(axes, np.arange(1, values.shape[1] + 1), values, colour)
            axes.plot(
                np.arange(1, values.shape[1] + 1), np.median(values, axis=0), line, color=colour, lw=0.7, label=name
            )
        for level, name, dashes in (
            (GENERATOR_OPTIMUM, "log .5 = -.693: G where D is .5", "--"),
            (DISCRIMINATOR_OPTIMUM, "2 log .5 = -1.386: D where it is .5", ":"),
        ):
            axes.axhline(level, color=REAL, linewidth=1.2, linestyle=dashes, label=name)
        axes.set(title=title, xlabel="iteration", ylabel="value of the game, nats")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled()
def scatters(panels: Mapping[str, Float], real: Float) -> Figure:
    """Generated samples in the plane, over real ones.

    Args:
        panels: by title, samples [N, 2].
        real: [M, 2].
    """
    figure = new_figure(4 * len(panels), 4.7)
    reach = max(1.25 * np.abs(real).max(), *(np.abs(made).max() for made in panels.values()))
    for i, (title, made) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i)
        for sample, colour, marker, name in ((real, REAL, "o", "data"), (made, GENERATED, "x", "generated")):
            lines = 0.0 if marker == "o" else 0.5
            axes.scatter(
                sample[:, 0], sample[:, 1], s=4, c=colour, marker=marker, alpha=0.4, linewidths=lines, label=name
            )
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="first dimension", ylabel="second dimension")
        axes.set_aspect("equal")
        axes.set_title(title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=3)
    return figure


def _density(axes: Axes, seen: Sequence[Seen]) -> None:
    curves = np.stack([each.curve for each in seen])
    axes.hist(seen[0].made, bins=list(BINS), density=True, color=GENERATED, alpha=0.7, label="generated samples")
    axes.plot(GRID, np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi), color=REAL, label="data, N(0, 1)")
    several = f", median of {len(seen)} seeds and range" if len(seen) > 1 else ""
    _band(axes, GRID, curves, DISCRIMINATOR)
    axes.plot(GRID, np.median(curves, axis=0), "--", color=DISCRIMINATOR, label=f"D(x){several}")
    axes.set(xlim=(GRID[0], GRID[-1]), ylim=(0, TALLEST))
    # A spike would leave no room for the rest: it is cut, and its height said where nothing is drawn.
    highest = np.histogram(seen[0].made, bins=BINS, density=True)[0].max()
    cut = f"\n(histogram cut: it goes up to {highest:.1f})" if highest > TALLEST else ""
    axes.set(xlabel=f"x{cut}", ylabel="density; D(x), a probability")


def _by_seed(axes: Axes, seeds: Sequence[int], made: Sequence[Float]) -> None:
    """Where the samples of each seed lie: the mean, and a standard deviation on either side of it."""
    axes.axvspan(-1, 1, color=REAL, alpha=0.15, linewidth=0)
    axes.axvline(0, color=REAL, linewidth=1)
    axes.set_ylim(-0.5, len(seeds) - 0.5)
    means, deviations = [each.mean() for each in made], [each.std() for each in made]
    axes.errorbar(means, range(len(seeds)), xerr=deviations, fmt="o", color=GENERATED, capsize=2.5, ecolor=GENERATED)
    axes.set(xlim=(-5.2, 5.2), xlabel="x: mean ± standard deviation\n(shaded: those of the data)", ylabel="seed")
    axes.set_yticks(range(len(seeds)), [str(seed) for seed in seeds])


def _band(axes: Axes, x: Float, values: Float, colour: str) -> None:
    """The range of the seeds about their median, where there are several."""
    if len(values) > 1:
        axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.25, linewidth=0)
