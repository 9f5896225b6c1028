"""Pictures of a folder, or drawn ones, as arrays: found, split, and decoded once into a cache of what they hold.

The cache is named by the content of the files and by what is done to them, so no run reads another's pixels, and a
picture is decoded once, by whoever there is to do it.
"""

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import socket
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps

from rlgan.errors import DataError
from rlgan.images.faces import VERSION, draw
from rlgan.settings import absolute, printable
from rlgan.types import Map

Split = Literal["train", "test"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box"]
Pixels = NDArray[np.uint8]

BUILT_IN = "faces"
CELEBA_CROP = 108  # pixels of 178 x 218; papers have 108, 140, 148, 160 and 178 too
CELEBA_PICTURES = "img_align_celeba"
CELEBA_PARTITION = "list_eval_partition.txt"
HELD_OUT = 5  # one person of so many is for the test
FACES_HELD_OUT = 6  # one drawn face of so many
FEWEST_PEOPLE = 20  # names that give fewer than this are no names of people
ENDINGS = ("jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "gif")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")  # whatever the ending says
MAKING = ".making-"  # begins the name of a cache that is not there yet
CHUNK = 64  # pictures to a job: some 0.1 s, and 0.8 MB back
SPOKEN = 20_000  # pictures between lines of progress
SPLITS: tuple[Split, ...] = ("train", "test")
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}
# What Pillow raises on pictures that are broken in one way or another, beside its own errors.
BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, AttributeError, struct.error, zlib.error)


@dataclass(frozen=True)
class Made:
    """What came of a job."""

    pixels: Pixels  # [pictures, size, size, 3] without the bad ones
    bad: tuple[tuple[str, str], ...] = ()  # (name, what is wrong with it)
    digests: tuple[str, ...] = ()  # of each file, with its name


class Job(Protocol):
    """Some pictures to be made; small and picklable."""

    def make(self) -> Made:
        """Make them."""
        ...


class Source(Protocol):
    """What pictures are made of; small and picklable."""

    @property
    def settings(self) -> tuple[object, ...]:
        """All that the pixels depend on beside the files; for JSON."""
        ...

    def jobs(self) -> dict[Split, list[Job]]:
        """The work of making all of each split, in order."""
        ...


@dataclass(frozen=True)
class Pictures:
    """Where a run's pictures come from; small and picklable, the pixels lie in a cache."""

    name: str  # for people
    fingerprint: str  # SHA-256 of the files' names and bytes, split, crop, size, filter and Pillow's version
    about: tuple[str, ...]  # lines for people: counts, split, crop, filter, what was left out
    cache: Path  # the folder of this fingerprint
    size: int  # pixels a side
    crop: int | None  # pixels a side in the source; None where it is the largest square, or nothing is cropped
    skip_bad: bool  # leave pictures out that can't be used, instead of stopping at the first
    source: Source

    def prepare(self, map_: Map, say: Callable[[str], None]) -> None:
        """Make the cache, unless it is there and whole. Several processes may do this at once.

        Args:
            map_: applies a function to each of some jobs, in parallel or not.
            say: takes lines for people.

        Raises:
            DataError: a picture can't be used, or the cache can't be written.
        """
        manifest = self._manifest(check=True)
        if manifest is None:
            self._make(map_, say)
            manifest = self._manifest(check=False)
        bad = manifest["bad"] if manifest else []
        if bad and not self.skip_bad:
            raise _unusable(*bad[0])
        if bad:
            more = f" and {len(bad) - 3:,} more" if len(bad) > 3 else ""
            say(f"{len(bad):,} pictures skipped: " + "; ".join(f"{name} {what}" for name, what in bad[:3]) + more)

    def train(self) -> Pixels:
        """The pictures to learn from: uint8 [N, size, size, 3], memory-mapped, read-only."""
        return self._open("train")

    def test(self) -> Pixels:
        """The held-out pictures: uint8 [N, size, size, 3], memory-mapped, read-only."""
        return self._open("test")

    def _open(self, split: Split) -> Pixels:
        try:
            count = json.loads((self.cache / "manifest.json").read_bytes())["splits"][split]["count"]
            return np.memmap(self.cache / split, np.uint8, "r", shape=(count, self.size, self.size, 3))
        except (OSError, ValueError, LookupError, TypeError) as error:
            if not self.cache.is_dir():
                raise DataError(
                    f"no cache {_named(self.cache)} on {socket.gethostname()}: start again if it was removed; "
                    "--cache must be the same on all nodes"
                ) from error
            raise DataError(f"{self.cache} is no whole cache of {self.name}: start again, to make it anew") from error

    def _manifest(self, check: bool) -> dict[str, Any] | None:
        """What the cache has; None where it is not there or, if that is to be checked, not whole."""
        try:
            manifest: dict[str, Any] = json.loads((self.cache / "manifest.json").read_bytes())
            for split in SPLITS if check else ():
                with (self.cache / split).open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != manifest["splits"][split]["sha256"]:
                        return None
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return manifest if manifest.get("fingerprint") == self.fingerprint else None

    def _make(self, map_: Map, say: Callable[[str], None]) -> None:
        jobs = self.source.jobs()
        say(f"making the pictures of {self.name}, once, into {self.cache}")
        try:
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self.cache.parent)
            # Beside its place, under a name of its own: only a whole one ever gets the name that others look for.
            folder = Path(tempfile.mkdtemp(prefix=MAKING, dir=self.cache.parent))
            held = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise _unwritable(self.cache.parent, error) from error
        with suppress(OSError):  # of file systems that can't, none is removed either
            fcntl.flock(held, fcntl.LOCK_EX)
        try:
            bad: list[tuple[str, str]] = []
            digests: dict[Split, list[str]] = {}
            splits = {}
            for split in SPLITS:
                made = self._watch(map_(_make, jobs[split]), split, bad, digests.setdefault(split, []), say)
                count, sum_ = _write(folder / split, made)
                if count == 0:
                    raise DataError(
                        f"{self.name}: no picture of the {split} split can be used; {bad[0][0]} {bad[0][1]}"
                    )
                splits[split] = {"count": count, "sha256": sum_}
            if _fingerprint(self.source.settings, digests) != self.fingerprint:
                raise DataError(f"{self.name} changed while it was read: wait until nothing writes to it, start again")
            manifest = {"fingerprint": self.fingerprint, "splits": splits, "bad": bad}
            try:
                (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
                self._put_in_place(folder)
            except OSError as error:
                raise _unwritable(self.cache, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)

    def _watch(
        self,
        results: Iterable[Made],
        split: Split,
        bad: list[tuple[str, str]],
        digests: list[str],
        say: Callable[[str], None],
    ) -> Iterator[Pixels]:
        """Pass pixels on; keep what is bad, and the files' digests."""
        count, spoken = 0, SPOKEN
        for result in results:
            if result.bad and not self.skip_bad:
                raise _unusable(*result.bad[0])
            bad.extend(result.bad)
            digests.extend(result.digests)
            count += len(result.pixels)
            if count >= spoken:
                say(f"{count:,} pictures of the {split} split made")
                spoken += SPOKEN
            yield result.pixels

    def _put_in_place(self, folder: Path) -> None:
        for _ in range(10):  # as often as another process may come in between
            try:
                folder.rename(self.cache)
                return
            except OSError:
                if not self.cache.exists():
                    raise
            if self._manifest(check=True):  # another made the same
                return
            damaged = Path(tempfile.mkdtemp(prefix=".damaged-", dir=self.cache.parent))
            self.cache.rename(damaged / "cache")
            shutil.rmtree(damaged, ignore_errors=True)
        raise OSError(0, "other processes keep making it too")


def _remove_abandoned(caches: Path) -> None:
    """Remove what processes were making when they were killed."""
    for folder in caches.glob(f"{MAKING}*"):
        with suppress(OSError):
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if any(folder.iterdir()):  # else one may be about to hold it
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


def open_pictures(
    data: str,
    *,
    size: int = 64,
    crop: int | None = None,
    filter: Filter = "lanczos",  # noqa: A002 - what Pillow calls it
    cache: Path | None = None,
    skip_bad: bool = False,
    faces: int = 12_000,
    seed: int = 0,
) -> Pictures:
    """Find pictures, and read every file once for the fingerprint; nothing is decoded yet.

    CelebA's own layout (`img_align_celeba/`, `list_eval_partition.txt`) has its own split. Any other folder's pictures,
    also those below it, are split by person, that is by folder and name without a number at its end
    (`First_Last_0001.jpg`): a fifth of the people are held out, chosen by a hash.

    Args:
        data: `faces`, which are drawn, or a directory.
        size: pixels a side of what is made.
        crop: pixels a side of the centre square that is cut out; None: 108 of CelebA, the largest square of others.
        filter: that resizes the square.
        cache: where caches lie; None: `$XDG_CACHE_HOME/rlgan` or `~/.cache/rlgan`.
        skip_bad: leave pictures out that can't be used, instead of stopping at the first.
        faces: how many are drawn.
        seed: of the drawn faces, not of the run, so that runs can be compared.

    Raises:
        DataError: no such directory, nothing in it, or a partition that is none.
    """
    if cache is None:
        cache = absolute("--cache", os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rlgan"
    if data == BUILT_IN:
        if faces < 2:
            raise DataError(f"{faces} faces: ask for 2 or more, one of them is held out")
        drawn = _Faces(seed, faces, size)
        fingerprint = _fingerprint(drawn.settings, {split: [] for split in SPLITS})
        about = (f"{drawn.train_count:,} faces drawn from seed {seed} to learn from, {drawn.test_count:,} held out",)
        return Pictures(BUILT_IN, fingerprint, about, cache / fingerprint[:32], size, None, skip_bad, drawn)

    path = Path(data)
    if not path.is_dir():
        if path.exists():
            raise DataError(f"{_named(path)} is a file: give a directory of pictures; unpack it if it is an archive")
        raise DataError(f"no directory {_named(path)}: give one with pictures, or {BUILT_IN}, which are drawn")
    celeba = (path / CELEBA_PARTITION).exists() or (path / CELEBA_PICTURES).is_dir()
    if crop is None and celeba:
        crop = CELEBA_CROP
    if crop is not None and crop < size:
        raise DataError(f"a crop of {crop} pixels is smaller than the pictures asked for, {size}: crop {size} or more")
    folder = _Folder(path, celeba, size, crop, filter)
    names, said = folder.find()
    fingerprint = _fingerprint(
        folder.settings,
        {split: [_digest(name, _read(folder.path / name)) for name in names[split]] for split in SPLITS},
    )
    square = "the largest centre square" if crop is None else f"the centre {crop} x {crop} pixels"
    lines = (
        f"{len(names['train']):,} pictures to learn from, {len(names['test']):,} held out",
        *said,
        f"crop: {square}, to {size} x {size} with {filter}",
    )
    return Pictures(path.resolve().name, fingerprint, lines, cache / fingerprint[:32], size, crop, skip_bad, folder)


@dataclass(frozen=True)
class _Faces:
    seed: int
    count: int
    size: int

    @property
    def test_count(self) -> int:
        return max(self.count // FACES_HELD_OUT, 1)

    @property
    def train_count(self) -> int:
        return self.count - self.test_count

    @property
    def settings(self) -> tuple[object, ...]:
        return (BUILT_IN, VERSION, self.seed, self.count, self.size)

    def jobs(self) -> dict[Split, list[Job]]:
        return {
            "train": self._draws(0, self.train_count),
            "test": self._draws(self.train_count, self.count),
        }

    def _draws(self, start: int, stop: int) -> list[Job]:
        return [_Draw(self.seed, first, min(first + CHUNK, stop), self.size) for first in range(start, stop, CHUNK)]


@dataclass(frozen=True)
class _Draw:
    seed: int
    start: int
    stop: int
    size: int

    def make(self) -> Made:
        return Made(np.stack([draw(self.seed, index, self.size) for index in range(self.start, self.stop)]))


@dataclass(frozen=True)
class _Folder:
    path: Path
    celeba: bool
    size: int
    crop: int | None
    filter: Filter

    @property
    def settings(self) -> tuple[object, ...]:
        return ("folder", self.size, self.crop, self.filter, PIL.__version__)

    def find(self) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
        """The names of each split's files, below the path, and what there is to say of the split."""
        return _find_celeba(self.path) if self.celeba else _find_people(self.path)

    def jobs(self) -> dict[Split, list[Job]]:
        names, _ = self.find()
        return {split: self._decodes(names[split]) for split in SPLITS}

    def _decodes(self, names: list[str]) -> list[Job]:
        return [
            _Decode(self.path, tuple(names[first : first + CHUNK]), self.size, self.crop, self.filter)
            for first in range(0, len(names), CHUNK)
        ]


@dataclass(frozen=True)
class _Decode:
    folder: Path
    names: tuple[str, ...]
    size: int
    crop: int | None
    filter: Filter

    def make(self) -> Made:
        # Pillow only warns of a picture that is too large to be one, and of metadata that nobody here reads. Set, not
        # lent: threads share the filters.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
        pixels, bad, digests = [], [], []
        if not any(os.path.lexists(self.folder / name) for name in self.names):
            raise DataError(
                f"{_named(self.folder)} has no {_named(self.names[0])} on {socket.gethostname()}: --data must be the "
                "same on all nodes"
            )
        for name in self.names:
            content = _read(self.folder / name)
            digests.append(_digest(name, content))
            try:
                if isinstance(content, OSError):
                    raise content
                pixels.append(_decode(content, self.size, self.crop, self.filter))
            except _BadPictureError as error:
                bad.append((_named(self.folder / name), str(error)))
            except (Image.DecompressionBombWarning, Image.DecompressionBombError):
                bad.append((_named(self.folder / name), f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels"))
            except PIL.UnidentifiedImageError:
                bad.append((_named(self.folder / name), f"is no picture that we read ({', '.join(FORMATS)})"))
            except BROKEN as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                bad.append((_named(self.folder / name), f"can't be read: {reason}"))
        shape = (len(pixels), self.size, self.size, 3)
        return Made(np.array(pixels, dtype=np.uint8).reshape(shape), tuple(bad), tuple(digests))


class _BadPictureError(Exception):
    """A picture that can be read but not used."""


def _make(job: Job) -> Made:
    return job.make()


def _decode(content: bytes, size: int, crop: int | None, filter: Filter) -> Pixels:  # noqa: A002
    """The centre square of a picture, resized: uint8 [size, size, 3]."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        picture = _in_colour(ImageOps.exif_transpose(opened))
    width, height = picture.size
    side = min(width, height) if crop is None else crop
    if side > min(width, height):
        raise _BadPictureError(f"has {width} x {height} pixels, fewer than the crop of {side}")
    if side < size:
        raise _BadPictureError(f"has {width} x {height} pixels, fewer than {size} a side")
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), FILTERS[filter], reducing_gap=None))


def _in_colour(picture: Image.Image) -> Image.Image:
    """As RGB of 8 bits: 16 bits scaled, what is transparent on white."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray(((np.asarray(picture).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise _BadPictureError("has 32 bits a pixel, whose black and white are not said: make it one of 8 or 16 bits")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return picture.convert("RGB")


def _find_people(path: Path) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
    names = sorted(_walk(path))
    if not names:
        raise DataError(f"{_named(path)} has no pictures ({', '.join(ENDINGS)}): give a directory that has some")
    if len(names) == 1:
        raise DataError(f"{_named(path)} has one picture: give 2 or more, one of them is held out")
    people = [re.sub(r"_\d+$", "", os.path.splitext(name)[0]) for name in names]
    count = len(set(people))
    if count < FEWEST_PEOPLE:
        said = f"split by picture: names without their numbers give {count} people, fewer than {FEWEST_PEOPLE}"
        people = names
    else:
        said = f"split by person: {count:,} by folder and name without its number"
    held_out = _held_out(people)
    return {
        "train": [name for name, person in zip(names, people, strict=True) if person not in held_out],
        "test": [name for name, person in zip(names, people, strict=True) if person in held_out],
    }, (said,)


def _find_celeba(path: Path) -> tuple[dict[Split, list[str]], tuple[str, ...]]:
    partition, folder = path / CELEBA_PARTITION, path / CELEBA_PICTURES
    if not folder.is_dir():
        raise DataError(f"{_named(path)} has {CELEBA_PARTITION} but no {CELEBA_PICTURES}/: unpack the pictures there")
    if not partition.exists():
        raise DataError(
            f"{_named(path)} has {CELEBA_PICTURES}/ but no {CELEBA_PARTITION}: put it there, or give "
            f"{_named(folder)} to have it split by a hash"
        )
    listed = _read_partition(partition)
    try:
        files = set(os.listdir(folder))
    except OSError as error:
        raise DataError(f"{_named(folder)}: {error.strerror}") from error
    train, validation, test = (
        [f"{CELEBA_PICTURES}/{name}" for name, number in listed.items() if number == split and name in files]
        for split in range(3)
    )
    missing = sum(name not in files for name in listed)
    if not train:
        due = sum(split == 0 for split in listed.values())
        raise DataError(
            f"{_named(folder)} has no picture of the train split, which has {due:,} in {CELEBA_PARTITION}: unpack the "
            "pictures there"
        )
    said = [f"split by CelebA's partition: {len(train):,} train, {len(validation):,} validation, {len(test):,} test"]
    if missing:
        said.append(f"{missing:,} of the {len(listed):,} names in {CELEBA_PARTITION} have no file")
    if not test and validation:
        test = validation
        said.append("no picture of the test split is there: the validation split is held out instead")
    elif not test and len(train) > 1:
        chosen = _held_out(train)
        test = [name for name in train if name in chosen]
        train = [name for name in train if name not in chosen]
        said.append("no picture but of the train split is there: a fifth of it is held out instead, by a hash")
    elif not test:
        raise DataError(f"{_named(folder)} has one picture: give 2 or more, one of them is held out")
    return {"train": train, "test": test}, tuple(said)


def _read_partition(file: Path) -> dict[str, int]:
    """The split of each name: 0 train, 1 validation, 2 test."""
    content = _read(file)
    if isinstance(content, OSError):
        raise DataError(f"{_named(file)}: {content.strerror}") from content
    if content.lstrip()[:1] == b"<":
        raise DataError(
            f"{_named(file)} is an HTML page, as comes where too many download: download CelebA's partition again"
        )
    splits: dict[str, int] = {}
    for number, line in enumerate(content.decode("utf-8", "backslashreplace").split("\n"), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or words[1] not in ("0", "1", "2") or os.path.basename(words[0]) != words[0]:
            raise DataError(
                f"{_named(file)}, line {number} is {line.strip()[:60]!r}: due is a file's name and 0 (train), 1 or 2"
            )
        if words[0] in splits:
            raise DataError(f"{_named(file)}, line {number} names {words[0]} again: each name stands once")
        splits[words[0]] = int(words[1])
    if not splits:
        raise DataError(f"{_named(file)} is empty: download CelebA's partition again")
    return splits


def _held_out(people: Iterable[str]) -> set[str]:
    """A fifth of them, at least one: those whose hashes come first."""
    ranked = sorted(set(people), key=lambda person: hashlib.sha256(os.fsencode(person)).digest())
    return set(ranked[: max(len(ranked) // HELD_OUT, 1)])


def _walk(path: Path) -> Iterator[str]:
    """The names of all pictures below, but hidden ones (which macOS leaves); each directory once, also by links."""
    seen = set()

    def stop(error: OSError) -> None:
        raise DataError(f"{_named(error.filename)}: {error.strerror}") from error

    for folder, subfolders, files in os.walk(path, onerror=stop, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        place = os.path.realpath(folder)
        if place in seen:
            subfolders.clear()
            continue
        seen.add(place)
        for name in files:
            if not name.startswith(".") and name.lower().endswith(tuple(f".{ending}" for ending in ENDINGS)):
                yield Path(folder, name).relative_to(path).as_posix()


def _fingerprint(settings: Sequence[object], digests: dict[Split, list[str]]) -> str:
    return hashlib.sha256(json.dumps([settings, digests]).encode()).hexdigest()


def _read(file: Path) -> bytes | OSError:
    """A file's content, or why there is none: whether that matters is for later."""
    try:
        return file.read_bytes()
    except OSError as error:
        return error


def _digest(name: str, content: bytes | OSError) -> str:
    return f"{'-' if isinstance(content, OSError) else hashlib.sha256(content).hexdigest()} {name}"


def _write(file: Path, arrays: Iterable[Pixels]) -> tuple[int, str]:
    """Write arrays one after the other; how many pictures, and SHA-256."""
    count, digest = 0, hashlib.sha256()
    with file.open("wb") as out:
        for array in arrays:
            content = array.tobytes()
            try:
                out.write(content)
                out.flush()  # here, where the disk may be full, and not when the file is closed
            except OSError as error:
                raise _unwritable(file, error) from error
            digest.update(content)
            count += len(array)
    return count, digest.hexdigest()


def _named(path: str | Path) -> str:
    """A path on one line."""
    return printable(str(path)).replace("\n", "\\n")


def _unusable(name: str, what: str) -> DataError:
    return DataError(f"{name} {what}: mend it or take it away, or skip such pictures with --skip-bad")


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(f"the cache {_named(path)} can't be written: {error.strerror}: give another folder for it")
