"""A directory of pictures as a source: CelebA, or any folder."""

from dataclasses import dataclass
from pathlib import Path

from rlgan.errors import DataError
from rlgan.images import celeba, folder
from rlgan.images.decode import DecodeJob
from rlgan.images.files import Find, Listing, one_line
from rlgan.images.known_files import KnownFiles
from rlgan.images.sources import CHUNK, SPLITS, Job, Request, Source, Split
from rlgan.images.tables import FILTERS, FORMER_SPLIT, SOURCES
from rlgan.images.tables import SPLITS as SPLIT_WAYS
from rlgan.settings import resolve

# All that there were when runs had Pillow's version in their fingerprint.
FORMER_PILLOWS = (
    *("11.0.0", "11.1.0", "11.2.1", "11.3.0"),
    *("12.0.0", "12.1.0", "12.1.1", "12.2.0", "12.3.0", "13.0.0"),
)


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
    split = request.split or _suitable_split(path)
    crop = (celeba.CROP if _is_celeba(path, split) else None) if request.crop is None else request.crop
    if crop is not None and crop < size:
        raise DataError(f"a crop of {crop} pixels is smaller than the pictures asked for, {size}: crop {size} or more")
    return DirectorySource(path, split, size, crop, request.filter, request.index)


def _is_celeba(path: Path, split: str) -> bool:
    parts = celeba.find_former(path) if split == FORMER_SPLIT else celeba.locate(path)
    # A partition by itself is half of it, and refused.
    return parts.pictures is not None or parts.partition is not None


def _suitable_split(path: Path) -> str:
    """The split that a directory's layout or its names tell."""
    if _is_celeba(path, "partition"):
        return "partition"
    folders = folder.split_folders(path)
    if "train" in folders and len(folders) > 1:
        return "folders"
    return "person" if folder.tells_people(folder.walk(path).names)[0] else "picture"


def find_by_picture(path: Path) -> Listing:
    """List the pictures of a directory; a fifth of them is held out.

    Raises:
        DataError: there are fewer than two, or a folder can't be read.
    """
    return celeba.find_by_picture(path) if celeba.locate(path).pictures else folder.find_by_picture(path)


def find_by_names(path: Path) -> Listing:
    """List the pictures of a directory as versions before 0.2.0 did.

    Raises:
        DataError: there are fewer than two, or the layout is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(10):
        ...         Path(folder, f"{number}.png").touch()
        ...     listing = find_by_names(Path(folder))
        >>> len(listing.names["train"]), len(listing.names["test"])  # no people: a fifth of the pictures
        (8, 2)
    """
    if _is_celeba(path, FORMER_SPLIT):
        return celeba.find_former_by_partition(path)
    return folder.find_by_names(path)


@dataclass(frozen=True)
class DirectorySource:
    """The pictures of a directory. It holds no names of files: there may be 200,000 of them."""

    path: Path
    split: str  # a name in `SPLITS` of rlgan.images.tables
    size: int
    crop: int | None
    filter: str  # a name in `FILTERS`
    index: Path | None = None  # the folder that keeps what files hold, by their sizes and times

    @property
    def name(self) -> str:
        """The directory's own name."""
        return self.path.resolve().name

    @property
    def former_settings(self) -> list[tuple[object, ...]]:
        """The settings of the same pictures in runs of before, which had Pillow's version in them."""
        if self.split != FORMER_SPLIT:
            return []
        return [("folder", self.size, self.crop, self.filter, version) for version in FORMER_PILLOWS]

    @property
    def settings(self) -> tuple[object, ...]:
        """What the pixels depend on beside the files and Pillow, another version of which may round otherwise."""
        return ("folder", self.size, self.crop, self.filter)

    def describe(self) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
        """Read every file that is new or has changed; counts, split, crop and filter.

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
        with KnownFiles(listing.root, self.index) as files:
            digests = files.digests(listing.names)
        return digests, about

    def jobs(self) -> dict[Split, list[Job]]:
        """Decode so many pictures at a time."""
        listing = self._list()
        return {split: self._chunks(listing.root, listing.names[split]) for split in SPLITS}

    def _list(self) -> Listing:
        find: Find = resolve(self.split, SPLIT_WAYS)
        return find(self.path)

    def _chunks(self, root: Path, names: list[str]) -> list[Job]:
        resampling = resolve(self.filter, FILTERS)
        return [
            DecodeJob(root, tuple(names[first : first + CHUNK]), self.size, self.crop, resampling)
            for first in range(0, len(names), CHUNK)
        ]
