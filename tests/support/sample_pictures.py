"""Pictures that tests are about, as images, as files and as arrays."""

import io

import numpy as np
from PIL import Image

RED, GREEN = (200, 30, 40), (20, 180, 60)


def plain(colour=RED, size=(80, 80)):
    return Image.new("RGB", size, colour)


def noise(seed=0, size=(80, 80)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def both(pictures):
    """All pictures of both splits."""
    return np.concatenate([pictures.train(), pictures.test()])


def content(picture, kind, **settings):
    """What a file of this picture holds."""
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()
