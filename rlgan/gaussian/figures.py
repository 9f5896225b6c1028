"""Figures of Yala & Song, section 2, and of samples in the plane. No window, no global state: matplotlib `Figure`s."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rlgan.gaussian.measures import GRID
from rlgan.types import Float

BINS = np.linspace(-5, 5, 101)
# What the losses come to where D is .5 everywhere.
GENERATOR_OPTIMUM = float(np.log(0.5))
DISCRIMINATOR_OPTIMUM = float(2 * np.log(0.5))


def densities(panels: Mapping[str, tuple[Float, Float]]) -> Figure:
    """Figure 2: a histogram of the generated samples, the real density, and D.

    Args:
        panels: by title, samples [N] and D over GRID.
    """
    figure = Figure(figsize=(4 * len(panels), 3), layout="constrained")
    for i, (title, (made, curve)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i)
        _density(axes, made, curve)
        axes.set_title(title, fontsize=9)
        if i == 1:
            axes.legend(fontsize=7, loc="upper right")
    return figure


def losses(panels: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """Figure 3: the value of the game for both players by iteration, with the lines that D = .5 gives.

    Args:
        panels: by title, G's E log(1 - D(G(z))) and D's E log D(x) + E log(1 - D(G(z))).
    """
    figure = Figure(figsize=(5 * len(panels), 3), layout="constrained")
    for i, (title, (generator, discriminator)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i)
        axes.plot(generator, color="tab:blue", linewidth=0.6, label="G: E log(1 - D(G(z)))")
        axes.plot(discriminator, color="tab:green", linewidth=0.6, label="D: E log D(x) + E log(1 - D(G(z)))")
        for level in (GENERATOR_OPTIMUM, DISCRIMINATOR_OPTIMUM):
            axes.axhline(level, color="black", linewidth=0.6, linestyle="--")
            axes.text(0, level, f"{level:.3f} ", fontsize=7, ha="right", va="center")
        axes.set_yticks([])
        axes.set_xlabel("iteration", fontsize=8)
        axes.set_title(title, fontsize=9)
        axes.legend(fontsize=7)
    return figure


def scatters(panels: Mapping[str, Float], real: Float) -> Figure:
    """Generated samples in the plane, over real ones.

    Args:
        panels: by title, samples [N, 2].
        real: [M, 2].
    """
    figure = Figure(figsize=(4 * len(panels), 4), layout="constrained")
    reach = max(1.25 * np.abs(real).max(), *(np.abs(made).max() for made in panels.values()))
    for i, (title, made) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i)
        for sample, colour, name in ((real, "tab:blue", "data"), (made, "tab:red", "generated")):
            axes.scatter(sample[:, 0], sample[:, 1], s=2, color=colour, alpha=0.3, linewidths=0, label=name)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        axes.set_aspect("equal")
        axes.set_title(title, fontsize=9)
        if i == 1:
            axes.legend(fontsize=7, loc="upper right", markerscale=4)
    return figure


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure: uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _density(axes: Axes, made: Float, curve: Float) -> None:
    axes.hist(made, bins=list(BINS), density=True, color="tab:red", alpha=0.6, label="generated")
    axes.plot(GRID, np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi), color="tab:blue", label="N(0, 1)")
    axes.plot(GRID, curve, color="tab:green", label="D(x)")
    # A spike would leave no room for the rest: it is cut, and its height said.
    highest = np.histogram(made, bins=BINS, density=True)[0].max()
    axes.set_ylim(0, 1.05)
    if highest > 1.05:
        axes.text(0.02, 0.95, f"the histogram goes up to {highest:.1f}", fontsize=7, transform=axes.transAxes)
    axes.set_xlabel("x", fontsize=8)
