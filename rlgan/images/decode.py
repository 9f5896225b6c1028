"""One picture: from a file's bytes to pixels of the size that is asked for, or to the reason why it can't be used.

Workers of every kind run this: it imports neither torch nor Ray.
"""

import io
import os
import socket
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps, features

from rlgan.errors import DataError
from rlgan.images.files import one_line, read
from rlgan.images.sources import MadePictures, Pixels, digest

# No others: some of Pillow's decoders run another program on what they are given, as that of EPS runs Ghostscript.
FORMATS = (  # by content, whatever the file's ending says
    *("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM"),
    *(("AVIF",) if features.check("avif") else ()),
)
# What Pillow raises on pictures that are broken in one way or another, beside its own errors: its decoders read what a
# file claims, and fail where it lies. Found by damaging files of each format by chance, as the tests do.
BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, AttributeError, struct.error, zlib.error)


class BadPictureError(Exception):
    """A picture that can't be used; the message goes on after its name: `has 32 bits a pixel`."""


@dataclass(frozen=True)
class DecodeJob:
    """Some files of a directory to be decoded."""

    folder: Path
    names: tuple[str, ...]  # below the folder
    size: int
    crop: int | None
    resampling: Image.Resampling

    def make(self) -> MadePictures:
        """Decode them.

        Raises:
            DataError: none of the files is there, as on a node that does not see the directory.
        """
        if not any(os.path.lexists(self.folder / name) for name in self.names):
            raise DataError(
                f"{one_line(self.folder)} has no {one_line(self.names[0])} on {socket.gethostname()}: --data must be "
                "the same on all nodes"
            )
        pixels, bad, digests = [], [], []
        for name in self.names:
            content = read(self.folder / name)
            digests.append(digest(name, content))
            try:
                pixels.append(decode(content, self.size, self.crop, self.resampling))
            except BadPictureError as error:
                bad.append((one_line(self.folder / name), str(error)))
        # Reshaped, because an array of no pictures has no other axes.
        shape = (len(pixels), self.size, self.size, 3)
        return MadePictures(np.array(pixels, dtype=np.uint8).reshape(shape), tuple(bad), tuple(digests))


def decode(content: bytes | OSError, size: int, crop: int | None, resampling: Image.Resampling) -> Pixels:
    """Cut out the centre square of a picture and resize it: uint8 [size, size, 3].

    Args:
        content: of its file, or why that can't be read.
        size: pixels a side of what is made.
        crop: pixels a side of the square; None: the largest there is.
        resampling: Pillow's filter for the resizing.

    Raises:
        BadPictureError: it can't be read, or is too small.
    """
    # Pillow only warns of a picture that is too large to be one, and of metadata that nobody here reads. Set, not lent:
    # filters belong to the process, so threads that put them back would take them away from each other.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    try:
        if isinstance(content, OSError):
            raise content
        return _square(_open(content), size, crop, resampling)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadPictureError(f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels") from error
    except PIL.UnidentifiedImageError as error:
        raise BadPictureError(f"is no picture that we read ({', '.join(FORMATS)})") from error
    except BROKEN as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadPictureError(f"can't be read: {reason}") from error


def _open(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        # Cameras store what they saw as it fell on the chip, and a tag that says how to turn it.
        return _in_colour(ImageOps.exif_transpose(opened))


def _square(picture: Image.Image, size: int, crop: int | None, resampling: Image.Resampling) -> Pixels:
    width, height = picture.size
    side = min(width, height) if crop is None else crop
    if side > min(width, height):
        raise BadPictureError(f"has {width} x {height} pixels, fewer than the crop of {side}")
    if side < size:
        raise BadPictureError(f"has {width} x {height} pixels, fewer than {size} a side")
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    # Without reducing_gap: it would first shrink by a whole factor, faster but to other pixels.
    return np.asarray(square.resize((size, size), resampling, reducing_gap=None))


def _in_colour(picture: Image.Image) -> Image.Image:
    """Convert a picture to RGB of 8 bits: 16 bits are scaled, transparent pixels are put on white."""
    if picture.mode.startswith("I;16"):
        # Pillow's own conversion cuts everything above 255 off.
        return Image.fromarray(((np.asarray(picture).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise BadPictureError(
            "has 32 bits a pixel, and does not say which values are black and white: make it one of 8 or 16 bits"
        )
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return picture.convert("RGB")
