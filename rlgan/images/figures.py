"""Figure 5 of Yala & Song: pictures beside each other, pixel for pixel."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from rlgan.drawing import DPI, Pixels, styled

# In pixels of the page.
MARGIN = 40
TITLE = 80  # above each panel, two lines
HEADING = 70  # above all of them
NARROWEST = 230  # of a panel, which its title needs


@styled()
def side_by_side(heading: str, panels: Mapping[str, Pixels]) -> Figure:
    """Lay pictures [height, width, 3] out in a row, each under its title; none is scaled.

    Args:
        heading: what they show.
        panels: by their titles, of two lines at most.
    """
    widths = [max(panel.shape[1], NARROWEST) for panel in panels.values()]
    tallest = max(panel.shape[0] for panel in panels.values())
    width = sum(widths) + MARGIN * (len(panels) + 1)
    height = tallest + TITLE + HEADING + MARGIN
    # Each panel has its place in whole pixels: where a layout chose it, pixels would be mixed or left out.
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.text(0.5, 1 - MARGIN / 2 / height, heading, ha="center", va="top", fontsize=9)
    left = MARGIN
    for (title, panel), room in zip(panels.items(), widths, strict=True):
        rows, columns, _ = panel.shape
        bottom = MARGIN + tallest - rows
        axes = figure.add_axes((left / width, bottom / height, columns / width, rows / height))
        axes.imshow(panel, interpolation="none")
        axes.set_axis_off()
        figure.text(left / width, (bottom + rows + TITLE / 8) / height, title, va="bottom", fontsize=8)
        left += room + MARGIN
    return figure
