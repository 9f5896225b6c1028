"""Any directory of pictures: all below it, in the way that it is split."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import features

from rlgan.errors import DataError
from rlgan.images.files import Listing, one_line
from rlgan.images.sources import hold_out

_AVIF = ("avif",) if features.check("avif") else ()
ENDINGS = ("jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "gif", "jfif", "jpe", "ppm", "pgm", "pnm", *_AVIF)
FORMER_ENDINGS = ENDINGS[:8]  # of runs that were made before there were others
UNREAD_ENDINGS = tuple({"avif", "heic", "heif", "jxl", "jp2"} - set(_AVIF))  # pictures all the same

FEWEST_PEOPLE = 20  # fewer names than this are taken for names of files, not of people
# Pictures of a person, in the median: where names have many more, they are taken for classes.
MOST_OF_A_PERSON = 20
MOST_IN_A_PERSONS_FOLDER = 2  # where each name has a folder of its own, as most classes have

# What subfolders call the splits.
FOLDERS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation", "dev"),
}


@dataclass(frozen=True)
class Found:
    """The pictures below a directory."""

    names: list[str]  # in order
    unread: Counter[str]  # how many have an ending that is not read, by ending

    @property
    def about(self) -> tuple[str, ...]:
        """A line for people on what is not read, if there is such."""
        if not self.unread:
            return ()
        endings = ", ".join(f".{ending}" for ending in sorted(self.unread))
        return (f"{self.unread.total():,} pictures can't be read here ({endings}): make them PNG or JPEG to have them",)


def find_by_person(path: Path) -> Listing:
    """List the pictures below a directory; a fifth of the people is held out.

    A person is a folder and a name without the number at its end: `First_Last_0001.jpg`, as in Labeled Faces in the
    Wild. Pictures of one person on both sides of the split would reward a generator that copies.

    Raises:
        DataError: there are fewer than two people, or a folder can't be read.
    """
    found = _found(path)
    people = [person(name) for name in found.names]
    count = len(set(people))
    if count == 1:
        raise DataError(f"--split person: all pictures of {one_line(path)} are of one; give --split picture")
    said = f"split by person: {count:,} by folder and name without its number"
    return _held_out(path, found, people, said)


def find_by_picture(path: Path) -> Listing:
    """List the pictures below a directory; a fifth of them is held out.

    Raises:
        DataError: there are fewer than two, or a folder can't be read.
    """
    found = _found(path)
    said = f"split by picture: {tells_people(found.names)[1]}"
    return _held_out(path, found, found.names, said)


def find_by_names(path: Path) -> Listing:
    """List the pictures below a directory as versions before 0.2.0 did: by person where there are 20 of them.

    Raises:
        DataError: there are fewer than two, or a folder can't be read.
    """
    found = _found(path, FORMER_ENDINGS)
    people = [person(name) for name in found.names]
    count = len(set(people))
    if count < FEWEST_PEOPLE:
        said = f"split by picture: names without their numbers give {count} people, fewer than {FEWEST_PEOPLE}"
        return _held_out(path, found, found.names, said)
    return _held_out(path, found, people, f"split by person: {count:,} by folder and name without its number")


def find_by_folders(path: Path) -> Listing:
    """List the pictures of `train/` and of `test/`, or of `val/` where there is no `test/`.

    Raises:
        DataError: there are no such folders, or one has no picture.
    """
    folders = split_folders(path)
    held_out = folders.get("test") or folders.get("validation")
    if "train" not in folders or held_out is None:
        raise DataError(f"--split folders: {one_line(path)} has no train/ and test/: leave it out")
    found = walk(path)
    parts = {
        name: [each for each in found.names if each.startswith(f"{name}/")] for name in (folders["train"], held_out)
    }
    for name, names in parts.items():
        if not names:
            raise DataError(f"{one_line(path / name)} has no pictures ({', '.join(ENDINGS)})")
    about = [f"split by folder: {folders['train']}/ to learn from, {held_out}/ held out", *found.about]
    left = len(found.names) - sum(map(len, parts.values()))
    if left:
        about.append(f"{left:,} pictures outside of {folders['train']}/ and {held_out}/ are left out")
    return Listing({"train": parts[folders["train"]], "test": parts[held_out]}, tuple(about), path)


def split_folders(path: Path) -> dict[str, str]:
    """The names of the subfolders that are splits, by split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("Train", "valid", "notes"):
        ...         Path(folder, name).mkdir()
        ...     split_folders(Path(folder))
        {'train': 'Train', 'validation': 'valid'}
    """
    there = {entry.name.lower(): entry.name for entry in sorted(path.iterdir()) if entry.is_dir()}
    found = {split: next((there[name] for name in names if name in there), None) for split, names in FOLDERS.items()}
    return {split: name for split, name in found.items() if name is not None}


def tells_people(names: Iterable[str]) -> tuple[bool, str]:
    """Whether names of pictures tell people apart, or else why not.

    Example:
        >>> tells_people(["Ada_1.png", "Ada_2.png", "Bea_1.png"])
        (False, 'names without their numbers give 2 people, fewer than 20')
        >>> tells_people(f"person{each}_{number}.png" for each in range(20) for number in (1, 2))
        (True, '')
    """
    counts = Counter(map(person, names))
    folders = defaultdict(set)
    for key in counts:
        folder, _, name = key.rpartition("/")
        folders[name].add(folder)
    if max(counts.values(), default=1) == 1:
        return False, "no name without its number is there twice"
    if len(counts) < FEWEST_PEOPLE:
        return False, f"names without their numbers give {len(counts)} people, fewer than {FEWEST_PEOPLE}"
    if any(len(places) > 1 for places in folders.values()):
        return (
            False,
            "the same names are in several folders, which are then classes; --split person holds whole ones out",
        )
    own_folders = len({folder for places in folders.values() for folder in places}) == len(counts)
    most = MOST_IN_A_PERSONS_FOLDER if own_folders else MOST_OF_A_PERSON
    if median(counts.values()) > most:
        return False, "names have many pictures each, and are then classes; --split person holds whole ones out"
    return True, ""


def person(name: str) -> str:
    """The person in a picture, by the file's name.

    Example:
        >>> person("lfw/Ada_Lovelace_0002.jpg")
        'lfw/Ada_Lovelace'
    """
    return re.sub(r"_\d+$", "", os.path.splitext(name)[0])


def _found(path: Path, endings: tuple[str, ...] = ENDINGS) -> Found:
    """The pictures below a directory, at least two.

    Raises:
        DataError: there are fewer, or a folder can't be read.
    """
    found = walk(path, endings)
    if not found.names:
        more = f"; {found.about[0]}" if found.about else ""
        raise DataError(
            f"{one_line(path)} has no pictures ({', '.join(endings)}): give a directory that has some{more}"
        )
    if len(found.names) == 1:
        raise DataError(f"{one_line(path)} has one picture: give ten or more, of which some are held out")
    return found


def _held_out(path: Path, found: Found, people: list[str], about: str) -> Listing:
    held_out = hold_out(people)
    pairs = list(zip(found.names, people, strict=True))
    return Listing(
        {
            "train": [name for name, who in pairs if who not in held_out],
            "test": [name for name, who in pairs if who in held_out],
        },
        (about, *found.about),
        path,
    )


def walk(path: Path, endings: tuple[str, ...] = ENDINGS) -> Found:
    """All pictures below, but hidden ones (which macOS leaves); each directory once, also by links.

    Raises:
        DataError: a folder can't be read.
    """
    seen: set[str] = set()
    names: list[str] = []
    unread: Counter[str] = Counter()

    def stop(error: OSError) -> None:
        raise DataError(f"{one_line(error.filename)}: {error.strerror}") from error

    # os.walk would pass over a folder that it can't read, and follow a circle of links for ever.
    for folder, subfolders, files in os.walk(path, onerror=stop, followlinks=True):
        # In place, because os.walk goes into the folders that are left in this very list.
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        place = os.path.realpath(folder)
        if place in seen:
            subfolders.clear()
            continue
        seen.add(place)
        for name in files:
            ending = name.lower().rpartition(".")[2]
            if name.startswith("."):
                continue
            if ending in endings:
                names.append(Path(folder, name).relative_to(path).as_posix())
            elif ending in UNREAD_ENDINGS:
                unread[ending] += 1
    return Found(sorted(names), unread)
