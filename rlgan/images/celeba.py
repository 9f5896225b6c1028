"""CelebA (Liu et al. 2015): `img_align_celeba/000001.jpg`, and its split in `list_eval_partition.txt`.

That is its own layout. Others unpack it otherwise: as Kaggle does, `img_align_celeba/img_align_celeba/` and
`list_eval_partition.csv`; as it is offered, `Img/` and `Eval/`; or one names the folder of the pictures itself. All of
them are the same data set.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from rlgan.errors import DataError
from rlgan.images.files import Listing, one_line, read
from rlgan.images.folder import walk
from rlgan.images.sources import Split, hold_out

CROP = 108  # pixels of 178 x 218, the commonest; papers have 108, 140, 148, 160 and 178
PICTURES = "img_align_celeba"
PARTITION = "list_eval_partition.txt"
PARTITIONS = (PARTITION, "list_eval_partition.csv")
HEADER = ["image_id", "partition"]  # of Kaggle's
TRAIN, VALIDATION, TEST = range(3)  # as the partition numbers them


@dataclass(frozen=True)
class Parts:
    """The parts of CelebA that a directory has."""

    pictures: Path | None  # the folder, called `img_align_celeba`
    partition: Path | None


def locate(path: Path) -> Parts:
    """Find CelebA's pictures and its partition, wherever they lie in one of its layouts."""
    inner = [Path(PICTURES, PICTURES), Path(PICTURES), Path("Img", PICTURES), Path("celeba", PICTURES)]
    folders = [path / each for each in inner]
    beside = [path, path / "Eval", path / "Anno", path / PICTURES, path / "celeba"]
    if path.name == PICTURES:
        if not any(folder.is_dir() for folder in folders):
            folders.append(path)
        # Of Kaggle's two folders of one name this may be the outer or the inner one.
        above = [path.parent, path.parent.parent]
        beside += [place for each in above for place in (each, each / "Eval")]
    return Parts(
        next((folder for folder in folders if folder.is_dir()), None),
        next((place / name for place in beside for name in PARTITIONS if (place / name).is_file()), None),
    )


def find_former(path: Path) -> Parts:
    """The parts of CelebA's own layout alone, as versions before 0.2.0 found them."""
    pictures, partition = path / PICTURES, path / PARTITION
    return Parts(pictures if pictures.is_dir() else None, partition if partition.exists() else None)


def find_by_partition(path: Path) -> Listing:
    """List the pictures of CelebA's train and test split, those whose files are there.

    Raises:
        DataError: the partition or the pictures are missing, or the partition is damaged.
    """
    return _listed(path, locate(path))


def find_former_by_partition(path: Path) -> Listing:
    """The same of CelebA's own layout alone.

    Raises:
        DataError: as `find_by_partition`.
    """
    return _listed(path, find_former(path))


def find_by_picture(path: Path) -> Listing:
    """List CelebA's pictures without its partition; a fifth of them is held out.

    Raises:
        DataError: there are fewer than two.
    """
    folder = locate(path).pictures
    assert folder is not None, "a directory without CelebA's pictures is listed otherwise"
    names = [f"{PICTURES}/{name}" for name in walk(folder).names]
    if len(names) < 2:
        raise DataError(f"{one_line(folder)} has {len(names)} pictures: give ten or more, of which some are held out")
    chosen = hold_out(names)
    parts: dict[Split, list[str]] = {
        "train": [name for name in names if name not in chosen],
        "test": [name for name in names if name in chosen],
    }
    return Listing(parts, ("split by picture, not by CelebA's partition",), folder.parent)


def _listed(path: Path, parts: Parts) -> Listing:
    folder, partition = parts.pictures, parts.partition
    if folder is None and partition is None:
        raise DataError(f"{one_line(path)} has no {PICTURES}/ and no {PARTITION}, as CelebA has: leave --split out")
    if folder is None:
        raise DataError(f"{one_line(path)} has {PARTITION} but no {PICTURES}/: unpack the pictures there")
    if partition is None:
        raise DataError(
            f"{one_line(path)} has {PICTURES}/ but no {PARTITION}: put it there, or hold out a fifth of the pictures, "
            "by a hash, with --split picture"
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
    return Listing({"train": train, "test": test}, tuple(about), folder.parent)


def _hold_out_others(train: list[str], validation: list[str], folder: Path) -> tuple[list[str], list[str], str]:
    """The train and the test split, and a line for people, where no picture of the test split is there."""
    if validation:
        return train, validation, "no picture of the test split is there: the validation split is held out instead"
    if len(train) == 1:
        raise DataError(f"{one_line(folder)} has one picture: give ten or more, of which some are held out")
    chosen = hold_out(train)
    return (
        [name for name in train if name not in chosen],
        [name for name in train if name in chosen],
        "no picture but of the train split is there: a fifth of it is held out instead, by a hash",
    )


def read_partition(file: Path) -> dict[str, int]:
    r"""Read the split of each name: 0 train, 1 validation, 2 test.

    Raises:
        DataError: it can't be read, or is no partition.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, PARTITION)
        ...     _ = file.write_text("000001.jpg 0\n000002.jpg 2\n")
        ...     read_partition(file)
        {'000001.jpg': 0, '000002.jpg': 2}
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
        # Kaggle's partition has commas, and a line above all others that says what stands where.
        words = re.split(r"[\s,]+", line.strip())
        if words == [""] or (number == 1 and words == HEADER):
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
