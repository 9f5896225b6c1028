"""The pictures of a run: found, split, and made once into a cache that is named by all that they depend on.

No run reads another's pixels, and a picture is decoded once, by the rollout workers or by processes of this machine.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rlgan.images.cache import Cache, unusable
from rlgan.images.directory import DirectorySource, open_directory
from rlgan.images.sources import OpenSource, Pixels, Request, Source, fingerprint
from rlgan.images.tables import DRAWN_SPLITS, FORMER_SPLIT, SOURCES
from rlgan.settings import is_import_here, resolve
from rlgan.types import Map

NAMED = 3  # bad pictures that are named where some are skipped


@dataclass(frozen=True)
class Pictures:
    """Where a run's pictures come from; small and picklable, the pixels lie in a cache."""

    source: Source
    fingerprint: str  # SHA-256 of the files' names and bytes, of the split and of the source's settings
    about: tuple[str, ...]  # lines for people: counts, split, crop, filter, what is missing
    cache: Path  # the folder of this fingerprint
    skip_bad: bool  # leave pictures out that can't be used, instead of stopping at the first
    former_fingerprints: tuple[str, ...] = ()  # that earlier versions gave to the same
    test_set: "Pictures | None" = None  # what stands in place of the held-out pictures

    @property
    def crop(self) -> int | None:
        """Pixels a side in the source; None where it is the largest square, or nothing is cropped."""
        return self.source.crop

    @property
    def split(self) -> str:
        """How a directory is split."""
        return self.source.split if isinstance(self.source, DirectorySource) else FORMER_SPLIT

    def prepare(self, map_: Map, say: Callable[[str], None]) -> None:
        """Make the cache, unless it is there and whole. Several processes may do this at once.

        Args:
            map_: applies a function to each of some jobs, in parallel or not.
            say: takes lines for people.

        Raises:
            DataError: a picture can't be used, or the cache can't be written.
        """
        cache = Cache(self.cache, self.fingerprint)
        manifest = cache.manifest(check=True)
        if manifest is None:
            cache.make(self.source, map_, say, skip_bad=self.skip_bad)
            # Without the checksums: the pixels were summed while they were written.
            manifest = cache.manifest(check=False)
        bad = manifest["bad"] if manifest else []
        # A run that skips bad pictures may have made the cache, for one that does not.
        if bad and not self.skip_bad:
            raise unusable(*bad[0])
        if bad:
            more = f" and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
            named = "; ".join(f"{name} {what}" for name, what in bad[:NAMED])
            say(f"{len(bad):,} pictures skipped: {named}{more}")

    def train(self) -> Pixels:
        """The pictures to learn from: uint8 [N, size, size, 3], memory-mapped, read-only."""
        return Cache(self.cache, self.fingerprint).open("train", self.source.size)

    def test(self) -> Pixels:
        """The held-out pictures, or those of the test set in their place: uint8 [N, size, size, 3], read-only."""
        if self.test_set is not None:
            # A part that was drawn by a hash, of pictures that nobody learned from, is no better than all of them.
            drawn = self.test_set.split in DRAWN_SPLITS and isinstance(self.test_set.source, DirectorySource)
            parts = [self.test_set.train(), self.test_set.test()] if drawn else [self.test_set.test()]
            return np.concatenate(parts)
        return Cache(self.cache, self.fingerprint).open("test", self.source.size)


def open_pictures(request: Request, *, cache: Path | None = None, skip_bad: bool = False) -> Pictures:
    """Find pictures, and read every file that is new or has changed for the fingerprint; nothing is decoded yet.

    CelebA (`img_align_celeba/`, `list_eval_partition.txt`) has its own split, and so has a folder with `train/` and
    `test/`. Of any other folder, with what lies below it, a fifth is held out, chosen by a hash: by person, that is by
    folder and name without a number at its end (`First_Last_0001.jpg`), where such names tell people apart, or else by
    picture.

    Example:
        >>> open_pictures(Request("faces", faces=12)).about
        ('10 faces drawn from seed 0 to learn from, 2 held out',)

    Args:
        request: a name in `SOURCES` or a directory, and what is to be made of it.
        cache: where caches lie; None: `$XDG_CACHE_HOME/rlgan` or `~/.cache/rlgan`, or a temporary folder where
            these can't be made.
        skip_bad: leave pictures out that can't be used, instead of stopping at the first.

    Raises:
        DataError: no such directory, nothing in it, or a partition that is none.
    """
    open_: OpenSource = (
        resolve(request.data, SOURCES) if request.data in SOURCES or is_import_here(request.data) else open_directory
    )
    cache = _default_cache() if cache is None else cache
    pictures = open_source(open_(replace(request, index=cache)), cache=cache, skip_bad=skip_bad)
    if request.data in SOURCES and Path(request.data).exists():
        note = f"{request.data} are drawn by this program; what lies here by that name is ./{request.data}"
        return replace(pictures, about=(*pictures.about, note))
    return pictures


def open_source(source: Source, *, cache: Path | None = None, skip_bad: bool = False) -> Pictures:
    """The pictures of a source of your own; see `open_pictures`, which does the same with those of this package.

    Raises:
        DataError: the source's data can't be used.
    """
    if cache is None:
        cache = _default_cache()
    digests, about = source.describe()
    name = fingerprint(source.settings, digests)
    # Half of the sum is enough to tell folders apart; the manifest has all of it, and all of it is compared.
    former = source.former_settings if isinstance(source, DirectorySource) else []
    formerly = tuple(fingerprint(settings, digests) for settings in former)
    return Pictures(source, name, about, cache / name[:32], skip_bad, formerly)


def _default_cache() -> Path:
    """Where caches lie: in the user's folder for such, or where that can't be made, among temporary files."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")).absolute()
    # Of a user without an entry, as containers have, nothing is put in the place of `~`. It is made and not asked for:
    # the superuser is told that everything can be written.
    if "~" not in folder.parts:
        with suppress(OSError):
            (folder / "rlgan").mkdir(parents=True, exist_ok=True)
            if os.access(folder / "rlgan", os.W_OK):
                return folder.resolve() / "rlgan"
    # With the user's number, because this folder is shared with other users, who can't write to each other's.
    return Path(tempfile.gettempdir()).resolve() / f"rlgan-cache-{os.getuid()}"
