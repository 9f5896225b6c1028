"""Any directory of pictures: all below it, split by person where their names tell people apart."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from rlgan.errors import DataError
from rlgan.images.files import Layout, Listing, one_line
from rlgan.images.sources import hold_out

ENDINGS = ("jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "gif")
FEWEST_PEOPLE = 20  # fewer names than this are taken for names of files, not of people


def find(path: Path) -> Listing:
    """List the pictures below a directory; a fifth of the people is held out.

    A person is a folder and a name without the number at its end: `First_Last_0001.jpg`, as in Labeled Faces in the
    Wild. Pictures of one person on both sides of the split would reward a generator that copies.

    Raises:
        DataError: there are fewer than two, or a folder can't be read.
    """
    names = sorted(_walk(path))
    if not names:
        raise DataError(f"{one_line(path)} has no pictures ({', '.join(ENDINGS)}): give a directory that has some")
    if len(names) == 1:
        raise DataError(f"{one_line(path)} has one picture: give 2 or more, one of them is held out")
    people = [person(name) for name in names]
    count = len(set(people))
    if count < FEWEST_PEOPLE:
        about = f"split by picture: names without their numbers give {count} people, fewer than {FEWEST_PEOPLE}"
        people = names
    else:
        about = f"split by person: {count:,} by folder and name without its number"
    held_out = hold_out(people)
    pairs = list(zip(names, people, strict=True))
    return Listing(
        {
            "train": [name for name, who in pairs if who not in held_out],
            "test": [name for name, who in pairs if who in held_out],
        },
        (about,),
    )


def person(name: str) -> str:
    """The person in a picture, by the file's name.

    Example:
        >>> person("lfw/Ada_Lovelace_0002.jpg")
        'lfw/Ada_Lovelace'
    """
    return re.sub(r"_\d+$", "", os.path.splitext(name)[0])


def _walk(path: Path) -> Iterator[str]:
    """The names of all pictures below, but hidden ones (which macOS leaves); each directory once, also by links."""
    seen = set()

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
            if not name.startswith(".") and name.lower().endswith(tuple(f".{ending}" for ending in ENDINGS)):
                yield Path(folder, name).relative_to(path).as_posix()


LAYOUT = Layout(matches=lambda _: True, find=find)
