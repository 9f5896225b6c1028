"""Grids of pictures, themselves pictures: uint8 [height, width, 3]."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rlgan.learning.distances import Double

Pictures = NDArray[np.uint8]

GAP = 2  # white pixels between pictures
MARGIN = 16  # between panels with titles
TITLE = 20  # pixels of a title's height
CHUNK = 512  # training pictures read at a time: 50 MB as float64, which holds their squares exactly


def grid(pictures: Pictures, columns: int) -> Pictures:
    """Lay pictures [N, S, S, 3] out in rows of `columns`, N >= 1; what the last row lacks stays white.

    Example:
        >>> grid(np.zeros((5, 4, 4, 3), np.uint8), columns=3).shape  # 2 rows of 3, with gaps of 2
        (10, 16, 3)
    """
    count, height, width, _ = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    page = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        page[top : top + height, left : left + width] = picture
    return page


def labelled(panels: Mapping[str, Pictures]) -> Pictures:
    """Lay pictures [height, width, 3] out in a row, pixel for pixel, each under its title."""
    font = ImageFont.load_default(TITLE * 3 // 4)
    widths = [max(panel.shape[1], math.ceil(font.getbbox(title)[2]) + 1) for title, panel in panels.items()]
    height = TITLE + max(panel.shape[0] for panel in panels.values())
    page = Image.new("RGB", (sum(widths) + MARGIN * (len(widths) - 1), height), "white")
    left = 0
    for (title, panel), width in zip(panels.items(), widths, strict=True):
        ImageDraw.Draw(page).text((left, 0), title, "black", font)
        page.paste(Image.fromarray(panel), (left, TITLE))
        left += width + MARGIN
    return np.asarray(page)


def nearest(made: Pictures, train: Pictures, count: int) -> NDArray[np.int64]:
    """Find the indices [N, count] of the training pictures nearest to each generated one by pixels, nearest first.

    Args:
        made: generated pictures, uint8 [N, S, S, 3].
        train: uint8 [M, S, S, 3]; may be a memory map: it is read once, a chunk at a time.
        count: how many, at most M.
    """
    ours = _vectors(made)
    distances, indices = np.zeros((len(made), 0)), np.zeros((len(made), 0), dtype=np.int64)
    for i in range(0, len(train), CHUNK):
        theirs = _vectors(train[i : i + CHUNK])
        # Squared distances less the squared length of our own, which changes no order.
        distances = np.concatenate([distances, (theirs**2).sum(axis=1) - 2 * ours @ theirs.T], axis=1)
        added = np.broadcast_to(np.arange(i, i + len(theirs)), (len(made), len(theirs)))
        indices = np.concatenate([indices, added], axis=1)
        # Stable, so that of pictures equally near the first one wins, whatever CHUNK is.
        best = np.argsort(distances, axis=1, kind="stable")[:, :count]
        distances = np.take_along_axis(distances, best, axis=1)
        indices = np.take_along_axis(indices, best, axis=1)
    return indices


def neighbours(made: Pictures, train: Pictures, count: int) -> Pictures:
    """Draw a row per generated picture: itself, then its `count` nearest training pictures, as `nearest` finds them.

    A generator that copies shows the same picture twice.
    """
    found = nearest(made, train, count)
    rows = np.concatenate([made[:, None], train[found.ravel()].reshape(*found.shape, *made.shape[1:])], axis=1)
    return grid(rows.reshape(-1, *made.shape[1:]), columns=found.shape[1] + 1)


def save_png(picture: Pictures, file: Path) -> None:
    """Write a picture [height, width, 3] as PNG."""
    # Without loss: the artefacts of JPEG would pass for the generator's.
    Image.fromarray(picture).save(file, format="PNG")


def _vectors(pictures: Pictures) -> Double:
    return pictures.reshape(len(pictures), -1).astype(np.float64)
