"""Grids of pictures, themselves pictures: uint8 [height, width, 3]."""

import numpy as np
from numpy.typing import NDArray

from rlgan.learning.distances import Double

Pictures = NDArray[np.uint8]

GAP = 2  # white pixels between pictures
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


def cut(page: Pictures, size: int) -> Pictures:
    """Cut a grid apart into its pictures [N, S, S, 3], with the white ones that the last row may lack at its end.

    Example:
        >>> cut(grid(np.zeros((4, 8, 8, 3), np.uint8), columns=2), size=8).shape
        (4, 8, 8, 3)
    """
    rows, columns = ((length + GAP) // (size + GAP) for length in page.shape[:2])
    padded = np.pad(page, ((0, GAP), (0, GAP), (0, 0)))
    cells = padded.reshape(rows, size + GAP, columns, size + GAP, 3)[:, :size, :, :size]
    return cells.transpose(0, 2, 1, 3, 4).reshape(-1, size, size, 3)


def nearest(made: Pictures, train: Pictures, count: int) -> NDArray[np.int64]:
    """Find the indices [N, count] of the training pictures nearest to each generated one by pixels, nearest first.

    Args:
        made: generated pictures, uint8 [N, S, S, 3].
        train: uint8 [M, S, S, 3]; may be a memory map: it is read once, a chunk at a time.
        count: how many, at most M.

    Example:
        >>> train = np.repeat(np.array([0, 90, 255], np.uint8), 3).reshape(3, 1, 1, 3)  # three pictures of one pixel
        >>> nearest(np.full((1, 1, 1, 3), 100, np.uint8), train, count=2).tolist()
        [[1, 0]]
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

    Example:
        >>> made, train = np.zeros((2, 4, 4, 3), np.uint8), np.zeros((9, 4, 4, 3), np.uint8)
        >>> neighbours(made, train, count=2).shape  # 2 rows of 1 + 2, with gaps of 2
        (10, 16, 3)
    """
    found = nearest(made, train, count)
    rows = np.concatenate([made[:, None], train[found.ravel()].reshape(*found.shape, *made.shape[1:])], axis=1)
    return grid(rows.reshape(-1, *made.shape[1:]), columns=found.shape[1] + 1)


def _vectors(pictures: Pictures) -> Double:
    return pictures.reshape(len(pictures), -1).astype(np.float64)
