"""A face, a pure function of (seed, index), painted from back to front."""

import numpy as np
from numpy.typing import NDArray

from rlgan.images.faces.canvas import Canvas
from rlgan.images.faces.eyes import paint_eyes, paint_glasses
from rlgan.images.faces.features import paint_beard, paint_mouth, paint_nose
from rlgan.images.faces.hair import hair_colour, hair_style, hair_texture, paint_hair, paint_hair_behind
from rlgan.images.faces.head import Head, paint_ears, paint_face
from rlgan.images.faces.sampler import SKIN, Sampler
from rlgan.images.faces.scene import develop, paint_background, paint_body
from rlgan.rng import Purpose, stream

VERSION = 2  # of the drawing: another one where any pixel differs; caches are named by it


def draw(seed: int, index: int, size: int = 64) -> NDArray[np.uint8]:
    """Draw face `index` of a seed: uint8 [size, size, 3]. The order is from back to front.

    Example:
        >>> draw(seed=0, index=7, size=32).shape
        (32, 32, 3)
    """
    # What a face draws from its stream, and when, is part of what it is: a number more, and all after it differ.
    rng = Sampler(stream(seed, Purpose.FACES, index))
    head = _draw_head(rng)
    canvas = Canvas(
        size,
        centre=(rng.triangular(0, 0.10), rng.triangular(0.06, 0.08)),
        scale=rng.triangular(0.69, 0.10),
        roll=rng.triangular(0, 0.22),
    )
    style = hair_style(rng, head)
    paint_background(canvas, rng)
    texture = hair_texture(canvas, head, style)
    if style.length > 0:
        paint_hair_behind(canvas, head, style, texture)
    paint_body(canvas, head, rng)
    if style.name != "scarf":
        paint_ears(canvas, head, rng)
    paint_face(canvas, head, rng)
    paint_nose(canvas, head, rng)
    paint_mouth(canvas, head, rng)
    paint_beard(canvas, head, rng)
    paint_eyes(canvas, head, rng)
    if rng.happens(0.12 + 0.2 * head.age):
        paint_glasses(canvas, head, rng)
    paint_hair(canvas, head, style, texture, rng)
    return develop(canvas, head, rng)


def _draw_head(rng: Sampler) -> Head:
    masculine = rng.uniform(0, 1) ** 0.7 if rng.happens(0.5) else 0.3 * rng.uniform(0, 1)
    age = rng.uniform(0, 1)
    skin = rng.colour(SKIN, 0.03)
    return Head(
        skin=skin,
        hair=hair_colour(rng, skin, age),
        width=rng.triangular(0.72 + 0.04 * masculine, 0.08),
        taper=rng.triangular(0.24 - 0.10 * masculine, 0.14),
        square=rng.triangular(2.15 + 0.25 * masculine, 0.25),
        yaw=rng.triangular(0, 0.42),
        masculine=masculine,
        age=age,
        light=rng.uniform(-1, 1),
    )
