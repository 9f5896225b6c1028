"""CelebA's own layout (Liu et al. 2015): `img_align_celeba/000001.jpg`, and its split in `list_eval_partition.txt`."""

import os
from pathlib import Path

from rlgan.errors import DataError
from rlgan.images.files import Layout, Listing, one_line, read
from rlgan.images.sources import hold_out

CROP = 108  # pixels of 178 x 218, the commonest; papers have 108, 140, 148, 160 and 178
PICTURES = "img_align_celeba"
PARTITION = "list_eval_partition.txt"
TRAIN, VALIDATION, TEST = range(3)  # as the partition numbers them


def matches(path: Path) -> bool:
    """Whether a directory has a part of CelebA's layout; `find` tells what is missing."""
    return (path / PARTITION).exists() or (path / PICTURES).is_dir()


def find(path: Path) -> Listing:
    """List the pictures of CelebA's train and test split, those whose files are there.

    Raises:
        DataError: the partition or the pictures are missing, or the partition is damaged.
    """
    partition, folder = path / PARTITION, path / PICTURES
    if not folder.is_dir():
        raise DataError(f"{one_line(path)} has {PARTITION} but no {PICTURES}/: unpack the pictures there")
    if not partition.exists():
        raise DataError(
            f"{one_line(path)} has {PICTURES}/ but no {PARTITION}: put it there, or give {one_line(folder)} to have it "
            "split by a hash"
        )
    listed = read_partition(partition)
    try:
        # Listed once: to ask for each of 200,000 files takes long on a network's disk.
        files = set(os.listdir(folder))
    except OSError as error:
        raise DataError(f"{one_line(folder)}: {error.strerror}") from error
    train, validation, test = (
        [f"{PICTURES}/{name}" for name, number in listed.items() if number == split and name in files]
        for split in (TRAIN, VALIDATION, TEST)
    )
    if not train:
        due = sum(split == TRAIN for split in listed.values())
        raise DataError(
            f"{one_line(folder)} has no picture of the train split, which has {due:,} in {PARTITION}: unpack the "
            "pictures there"
        )
    about = [f"split by CelebA's partition: {len(train):,} train, {len(validation):,} validation, {len(test):,} test"]
    missing = sum(name not in files for name in listed)
    if missing:
        about.append(f"{missing:,} of the {len(listed):,} names in {PARTITION} have no file")
    if not test:
        train, test, instead = _hold_out_others(train, validation, folder)
        about.append(instead)
    return Listing({"train": train, "test": test}, tuple(about))


def _hold_out_others(train: list[str], validation: list[str], folder: Path) -> tuple[list[str], list[str], str]:
    """The train and the test split, and a line for people, where no picture of the test split is there."""
    if validation:
        return train, validation, "no picture of the test split is there: the validation split is held out instead"
    if len(train) == 1:
        raise DataError(f"{one_line(folder)} has one picture: give 2 or more, one of them is held out")
    chosen = hold_out(train)
    return (
        [name for name in train if name not in chosen],
        [name for name in train if name in chosen],
        "no picture but of the train split is there: a fifth of it is held out instead, by a hash",
    )


def read_partition(file: Path) -> dict[str, int]:
    """Read the split of each name: 0 train, 1 validation, 2 test.

    Raises:
        DataError: it can't be read, or is no partition.
    """
    content = read(file)
    if isinstance(content, OSError):
        raise DataError(f"{one_line(file)}: {content.strerror}") from content
    # The page that says "quota exceeded", saved under the partition's name, is the commonest fault.
    if content.lstrip()[:1] == b"<":
        raise DataError(
            f"{one_line(file)} is an HTML page, which is what a server sends when too many people download the file: "
            "download CelebA's partition again"
        )
    splits: dict[str, int] = {}
    # Bytes that are no text are kept, as escapes, for the error that shows the line.
    for number, line in enumerate(content.decode("utf-8", "backslashreplace").split("\n"), start=1):
        words = line.split()
        if not words:
            continue
        # Each name is one in the folder beside the partition, never a path that leads elsewhere.
        if len(words) != 2 or words[1] not in ("0", "1", "2") or os.path.basename(words[0]) != words[0]:
            raise DataError(
                f"{one_line(file)}, line {number} is {line.strip()[:60]!r}: due is a file's name and 0 (train), 1 or 2"
            )
        if words[0] in splits:
            raise DataError(f"{one_line(file)}, line {number} names {words[0]} again: each name stands once")
        splits[words[0]] = int(words[1])
    if not splits:
        raise DataError(f"{one_line(file)} is empty: download CelebA's partition again")
    return splits


LAYOUT = Layout(matches, find, CROP)
