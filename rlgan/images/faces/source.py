"""Drawn faces as a source of pictures, which needs no files."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rlgan.errors import DataError
from rlgan.images.faces.draw import VERSION, draw
from rlgan.images.sources import CHUNK, SPLITS, Job, MadePictures, Request, Source, Split

# Of the 12,000 that are drawn by default 2,000 are held out, which is as many as an evaluation compares.
HELD_OUT = 6  # one face of so many


def open_faces(request: Request) -> Source:
    """The faces that are asked for.

    Raises:
        DataError: fewer than two.
    """
    if request.faces < 2:
        raise DataError(f"{request.faces} faces: ask for 2 or more, one of them is held out")
    return DrawnFaces(request.seed, request.faces, request.size)


@dataclass(frozen=True)
class DrawnFaces:
    """Faces 0 to `count` of a seed; the last sixth is held out."""

    seed: int
    count: int
    size: int
    name: ClassVar[str] = "faces"
    crop: ClassVar[None] = None

    @property
    def settings(self) -> tuple[object, ...]:
        """What the pixels depend on: the version of the drawing too."""
        return (self.name, VERSION, self.seed, self.count, self.size)

    def describe(self) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
        """No files; the counts and the seed."""
        train, test = self._train_count, self.count - self._train_count
        about = f"{train:,} faces drawn from seed {self.seed} to learn from, {test:,} held out"
        return {split: [] for split in SPLITS}, (about,)

    def jobs(self) -> dict[Split, list[Job]]:
        """Draw so many faces at a time."""
        return {"train": self._chunks(0, self._train_count), "test": self._chunks(self._train_count, self.count)}

    @property
    def _train_count(self) -> int:
        return self.count - max(self.count // HELD_OUT, 1)

    def _chunks(self, start: int, stop: int) -> list[Job]:
        return [DrawJob(self.seed, first, min(first + CHUNK, stop), self.size) for first in range(start, stop, CHUNK)]


@dataclass(frozen=True)
class DrawJob:
    """Faces from `start` to before `stop` to be drawn."""

    seed: int
    start: int
    stop: int
    size: int

    def make(self) -> MadePictures:
        """Draw them."""
        faces = [draw(self.seed, index, self.size) for index in range(self.start, self.stop)]
        return MadePictures(np.stack(faces))
