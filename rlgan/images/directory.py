"""A directory of pictures as a source: CelebA in its own layout, or any folder."""

from dataclasses import dataclass
from pathlib import Path

import PIL

from rlgan.errors import DataError
from rlgan.images import celeba, folder
from rlgan.images.decode import DecodeJob
from rlgan.images.files import Layout, Listing, one_line, read
from rlgan.images.sources import CHUNK, SPLITS, Job, Request, Source, Split, digest
from rlgan.images.tables import FILTERS, SOURCES
from rlgan.settings import resolve

# The first that matches is taken; any directory is a folder of pictures.
LAYOUTS: dict[str, Layout] = {"celeba": celeba.LAYOUT, "folder": folder.LAYOUT}


def open_directory(request: Request) -> Source:
    """Find out how a directory is laid out; its files are not read yet.

    Raises:
        DataError: no such directory, or a crop smaller than the pictures that are asked for.
    """
    path, size = Path(request.data), request.size
    if not path.is_dir():
        if path.exists():
            raise DataError(f"{one_line(path)} is a file: give a directory of pictures; unpack it if it is an archive")
        known = " or ".join(SOURCES)
        raise DataError(f"no directory {one_line(path)}: give one with pictures, or {known}, which are drawn")
    name, layout = next((name, layout) for name, layout in LAYOUTS.items() if layout.matches(path))
    crop = layout.crop if request.crop is None else request.crop
    if crop is not None and crop < size:
        raise DataError(f"a crop of {crop} pixels is smaller than the pictures asked for, {size}: crop {size} or more")
    return DirectorySource(path, name, size, crop, request.filter)


@dataclass(frozen=True)
class DirectorySource:
    """The pictures of a directory. It holds no names of files: there may be 200,000 of them."""

    path: Path
    layout: str  # a name in `LAYOUTS`
    size: int
    crop: int | None
    filter: str  # a name in `FILTERS`

    @property
    def name(self) -> str:
        """The directory's own name."""
        return self.path.resolve().name

    @property
    def settings(self) -> tuple[object, ...]:
        """What the pixels depend on: Pillow's version too, whose decoders and filters may change."""
        return ("folder", self.size, self.crop, self.filter, PIL.__version__)

    def describe(self) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
        """Read every file once; counts, split, crop and filter.

        Raises:
            DataError: there is nothing to learn from, or the layout is damaged.
        """
        listing = self._list()
        square = "the largest centre square" if self.crop is None else f"the centre {self.crop} x {self.crop} pixels"
        about = (
            f"{len(listing.names['train']):,} pictures to learn from, {len(listing.names['test']):,} held out",
            *listing.about,
            f"crop: {square}, to {self.size} x {self.size} with {self.filter}",
        )
        # Of the content, not of times or sizes: a copy of a data set finds the cache that was made of the first.
        digests = {split: [digest(name, read(self.path / name)) for name in listing.names[split]] for split in SPLITS}
        return digests, about

    def jobs(self) -> dict[Split, list[Job]]:
        """Decode so many pictures at a time."""
        names = self._list().names
        return {split: self._chunks(names[split]) for split in SPLITS}

    def _list(self) -> Listing:
        return LAYOUTS[self.layout].find(self.path)

    def _chunks(self, names: list[str]) -> list[Job]:
        resampling = resolve(self.filter, FILTERS)
        return [
            DecodeJob(self.path, tuple(names[first : first + CHUNK]), self.size, self.crop, resampling)
            for first in range(0, len(names), CHUNK)
        ]
