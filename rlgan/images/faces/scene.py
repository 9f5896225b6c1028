"""What is around a head: the background, the body, and how the picture was taken."""

import math

import numpy as np
from numpy.typing import NDArray

from rlgan.images.faces.canvas import Canvas, Colour, Field, lit, scaled
from rlgan.images.faces.head import Head
from rlgan.images.faces.sampler import CLOTH, Sampler


def paint_background(canvas: Canvas, rng: Sampler) -> None:
    """Fill the canvas with two colours, in one of five patterns."""
    first, second = rng.any_colour(0.25, 0.95, 0.7), rng.any_colour(0.15, 0.95, 0.7)
    kind = rng.choose(["gradient", "spot", "horizon", "stripes", "lights"], [3, 2, 1.5, 1, 1.5])
    share = np.clip(_second_share(canvas, rng, kind), 0, 1)
    for plane, one, other in zip(canvas.pixels, first, second, strict=True):
        plane[...] = one + share * (other - one)


def _second_share(canvas: Canvas, rng: Sampler, kind: str) -> Field:
    """How much of the second colour each pixel of the background has."""
    across, down = canvas.across[None, :], canvas.across[:, None]
    angle = rng.uniform(0, 2 * math.pi)
    along = math.cos(angle) * across + math.sin(angle) * down
    share: Field
    if kind == "gradient":
        share = 0.5 + 0.4 * along
    elif kind == "spot":
        share = 1 - np.exp(-((across - rng.triangular(0, 0.5)) ** 2 + (down - rng.triangular(-0.2, 0.5)) ** 2))
    elif kind == "horizon":
        share = np.clip((down - rng.triangular(0, 0.5) + 0.1 * across) / rng.uniform(0.1, 0.4), 0, 1)
        share = 0.15 * along + 0.8 * share
    elif kind == "stripes":
        share = 0.5 + rng.uniform(0.15, 0.4) * np.tanh(2 * np.sin(rng.uniform(4, 11) * along + angle))
    else:
        share = 0.2 + 0.1 * along
        for _ in range(4):
            far = (across - rng.uniform(-1, 1)) ** 2 + (down - rng.uniform(-1, 0.6)) ** 2
            share = share + rng.uniform(0.2, 0.7) * np.clip(1.5 - far / rng.uniform(0.01, 0.08), 0, 1)
    return share


# How deep a collar goes below the shoulders, and how steeply its edge rises to the sides.
COLLARS = {"round": (0.10, 0.1), "open": (0.36, 0.9), "shirt": (0.16, 0.6), "high": (-0.16, -0.02), "suit": (0.40, 0.9)}


def paint_body(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """Neck and clothes."""
    whole = canvas.whole()
    x, y = canvas.x, canvas.y
    neck = head.width * rng.triangular(0.56 + 0.12 * head.masculine, 0.08)
    cloth, other = rng.colour(CLOTH, 0.06), rng.colour(CLOTH, 0.06)
    shoulders = rng.triangular(1.22 - 0.04 * head.masculine, 0.08)
    slope = rng.triangular(0.28, 0.10)
    top = shoulders + slope * np.maximum(np.abs(x) - neck, 0)
    whole.paint(whole.inside(np.maximum(np.abs(x) - neck - 0.10 * (y - 0.9), 0.4 - y)), scaled(head.skin, 0.84))
    # The shadow of the chin on the neck.
    whole.shade(whole.bump(0.15 * head.light, 0.82, neck * 1.6, 0.42), -0.32, (0.8, 1, 1))
    collar = rng.choose(list(COLLARS), [3, 2, 2, 1, 1.5])
    depth, steep = COLLARS[collar]
    middle = shoulders + depth
    neckline = np.minimum(middle - steep * np.abs(x), middle)
    # Where the cloth begins: at the collar, and beside the neck at the shoulders.
    edge = np.where(np.abs(x) < neck, np.maximum(neckline, shoulders - 0.2), top)
    if collar == "suit":
        whole.paint(whole.inside(np.maximum(shoulders + 0.04 - y, np.abs(x) - neck)), (0.92, 0.92, 0.94))
        whole.paint(whole.inside(np.maximum(shoulders + 0.12 - y, np.abs(x) - 0.08)), other)
    _paint_cloth(canvas, head, rng, whole.inside(edge - y), (cloth, other))
    if collar in ("shirt", "high"):
        rim = whole.inside(np.abs(edge + 0.06 - y) - 0.06) * (np.abs(x) < neck + 0.12)
        whole.shade(rim, 0.22)


def _paint_cloth(canvas: Canvas, head: Head, rng: Sampler, covered: Field, colours: tuple[Colour, Colour]) -> None:
    whole, x, y = canvas.whole(), canvas.x, canvas.y
    fold = 1 + 0.10 * np.sin(5 * x + 3 * y) - 0.18 * np.abs(x) + 0.12 * head.light * x
    pattern = rng.choose(["plain", "stripes", "across"], [5, 1, 1])
    whole.paint(covered, lit(fold, colours[0]))
    if pattern != "plain":
        along = x if pattern == "stripes" else y
        whole.paint(covered * (np.sin(rng.uniform(14, 26) * along) > 0.2), lit(fold, colours[1]))


def develop(canvas: Canvas, head: Head, rng: Sampler) -> NDArray[np.uint8]:
    """The picture uint8 [size, size, 3]: the light of the place on everything, and the camera's colours."""
    side, above = 0.10 * head.light, rng.uniform(0.0, 0.10)
    field = 1 + side * canvas.across[None, :] - above * canvas.across[:, None]
    warmth, exposure, contrast = rng.triangular(0, 0.06), rng.triangular(1.0, 0.14), rng.triangular(1.05, 0.15)
    # White balance and exposure of the camera, which differ by picture in real sets too.
    cast = (exposure * (1 + warmth), exposure, exposure * (1 - warmth))
    seen = np.stack([plane * (part * field) for plane, part in zip(canvas.pixels, cast, strict=True)], axis=-1)
    # With a half added, because astype cuts off what is behind the point.
    return (255 * np.clip((seen - 0.5) * contrast + 0.5, 0, 1) + 0.5).astype(np.uint8)
