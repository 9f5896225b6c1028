"""How figures look, and how they are written: one style for all that draw, without a screen and without global state.

Colours are those of matplotlib's `tableau-colorblind10`; what is told apart by colour is told apart by a marker or the
style of a line too. A figure that is kept has a caption beside it, in a Markdown file of the same name.
"""

import datetime
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rlgan import __version__
from rlgan.settings import caption_file

Pixels = NDArray[np.uint8]  # [height, width, 3]

DPI = 200  # of what is kept
SCREEN_DPI = 100  # of what a page shows beside a hundred others
HEAD = 20  # pixels above a frame of an animation, which say what it is of
FRAME_SECONDS = 0.5
FRAMES = 40  # of an animation, at most
RULES = {
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.titlesize": 11,
    "font.size": 8,
    "grid.alpha": 0.25,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # letters, which can be searched and copied, and not outlines
}


@dataclass(frozen=True)
class Look:
    """How one of several lines is drawn, so that it is told from the others without its colour too."""

    color: str
    marker: str
    linestyle: str = "-"


# Without the lightest of `tableau-colorblind10`, which can't be seen as a thin line on white.
COLOURS = ("#006BA4", "#FF800E", "#595959", "#5F9ED1", "#C85200", "#898989", "#A2C8EC", "#FFBC79")
MARKERS = "osD^v"  # of another number than the colours, so that 40 lines look different
# What figures of both players show has the same colours everywhere.
REAL, GENERATED, DISCRIMINATOR = COLOURS[:3]


def looks() -> Iterator[Look]:
    """A look for each line in turn.

    Example:
        >>> next(looks())
        Look(color='#006BA4', marker='o', linestyle='-')
    """
    for color, marker in zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False):
        yield Look(color, marker)


@contextmanager
def styled() -> Iterator[None]:
    """Give what is drawn in this context, or in a function that this decorates, the common style."""
    with style.context(["tableau-colorblind10", RULES]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, in which nothing is laid over anything else."""
    # Not by pyplot, which picks a backend for a screen and keeps every figure until it is told to close it.
    return Figure(figsize=(width, height), layout="constrained")


def encoded(figure: Figure, form: str = "png") -> bytes:
    """A figure as the content of a file.

    Args:
        figure: to be drawn.
        form: png or pdf.
    """
    drawn = io.BytesIO()
    # Without the time, so that the same figure is the same file.
    figure.savefig(drawn, format=form, dpi=DPI, metadata={"CreationDate": None} if form == "pdf" else None)
    return drawn.getvalue()


def save(figure: Figure, file: Path) -> None:
    """Write a figure in the format that its name ends in."""
    file.write_bytes(encoded(figure, file.suffix.removeprefix(".")))


def pixels(figure: Figure) -> Pixels:
    """Draw a figure as a picture for a screen.

    Example:
        >>> pixels(new_figure(3.0, 2.0)).shape  # inches, at 100 pixels each
        (200, 300, 3)
    """
    figure.set_dpi(SCREEN_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def save_png(picture: Pixels, file: Path) -> None:
    """Write a picture as PNG."""
    # Without loss: the artefacts of JPEG would pass for the generator's.
    Image.fromarray(picture).save(file, format="PNG")


def read_picture(file: Path) -> Pixels:
    """Read a picture."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def save_animation(frames: Mapping[str, Path], file: Path) -> None:
    """Write an animation, a GIF, of pictures in their order; of more than FRAMES some are left out, evenly.

    Args:
        frames: PNG files, by what stands above each.
        file: to write.
    """
    kept = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), FRAMES)).round().astype(int))
    names = list(frames)
    first, *others = [_headed(read_picture(frames[names[i]]), names[i]) for i in kept]
    durations = [int(1000 * FRAME_SECONDS)] * len(others) + [int(4000 * FRAME_SECONDS)]  # the last one can be looked at
    first.save(file, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)


def save_caption(file: Path, title: str, lines: Sequence[str], facts: Mapping[str, str]) -> None:
    """Write the caption of a figure beside it: `caption_file(file)`.

    Args:
        file: of the figure.
        title: what it is, in a line.
        lines: what is shown, a paragraph each.
        facts: by name, how it was made: the command, the seeds, the recipe.
    """
    made = dict(facts) | {"made": f"rlgan {__version__}, {datetime.date.today().isoformat()}"}
    shown = "".join(f"{line}\n\n" for line in lines)
    listed = "".join(f"- {name}: {value}\n" for name, value in made.items())
    caption_file(file).write_text(f"# {title}\n\n![{title}]({file.name})\n\n{shown}{listed}", encoding="utf-8")


def _headed(picture: Pixels, head: str) -> Image.Image:
    height, width, _ = picture.shape
    page = Image.new("RGB", (width, height + HEAD), "white")
    ImageDraw.Draw(page).text((4, 2), head, "black", ImageFont.load_default(HEAD * 2 // 3))
    page.paste(Image.fromarray(picture), (0, HEAD))
    return page
