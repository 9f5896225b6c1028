"""The head: what its parts have to agree on, the skin, the ears."""

import math
from dataclasses import dataclass

import numpy as np

from rlgan.images.faces.canvas import Canvas, Colour, Field, Window, scaled
from rlgan.images.faces.sampler import Sampler


@dataclass(frozen=True, eq=False)
class Head:
    """What several parts of a face have to agree on."""

    skin: Colour
    hair: Colour
    width: float  # half of the face's, in half its height
    taper: float  # how much narrower the jaw is
    square: float  # exponent of the outline: 2 is an ellipse
    yaw: float  # radians, to the right
    masculine: float  # in [0, 1]
    age: float  # in [0, 1]
    light: float  # from the left (-1) or right (1)

    def across(self, u: float) -> float:
        """Where a point that lies at u on the face seen from the front is seen when the head turns."""
        # The face lies on a sphere that is wider than the face, so that its edge turns away too.
        reach = 1.25 * self.width
        return reach * math.sin(math.asin(u / reach) + self.yaw)

    def narrowing(self, u: float) -> float:
        """How wide things at u look when the head turns."""
        turned = math.asin(u / (1.25 * self.width))
        return math.cos(turned + self.yaw) / math.cos(turned)


def outline(window: Window, head: Head) -> Field:
    """Distance to the face's outline, about, negative inside: a superellipse that narrows at the jaw.

    Args:
        window: the whole canvas.
        head: whose face.
    """
    jaw = np.clip(window.v, 0, 1)
    # A product and not a power: numpy's power is fast for squares alone.
    width = head.width * (1 - head.taper * jaw * jaw * jaw)
    square = head.square
    across, down = np.abs(window.u / width), np.abs(window.v)
    distance: Field = ((across**square + down**square) ** (1 / square) - 1) * head.width
    return distance


def paint_face(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """Skin, its light and shadow, freckles."""
    whole = canvas.whole()
    far = outline(whole, head)
    inside = whole.inside(far)
    u, v = whole.u, whole.v
    # A ball, lit from the side and above: what faces away is darker and redder.
    round_ = np.clip(1 + far / (0.75 * head.width), 0, 1)
    turned = head.light * (u / head.width) * round_ - 0.5 * v * round_
    light = 1.0 - 0.22 * round_**3 + rng.uniform(0.06, 0.16) * turned
    red, green, blue = head.skin
    whole.paint(inside, np.stack([light * red, (light - 0.02 * round_) * green, (light - 0.035 * round_) * blue]))
    blush = rng.uniform(0.02, 0.16)
    for side in (-1, 1):
        _shade_cheek(canvas, head, inside, side, blush)
    middle = head.across(0)
    # Light on the forehead, shadow between lip and chin, light on the chin.
    brow = canvas.window(middle + 0.12 * head.light, -0.48, 0.42, 0.24)
    brow.shade(brow.bump(0, 0, 0.42, 0.24) * inside[brow.place], 0.10)
    chin = canvas.window(middle, 0.86, 0.22, 0.2)
    chin.shade(chin.bump(0, -0.06, 0.16, 0.10) * inside[chin.place], -0.07)
    chin.shade(chin.bump(0, 0.07, 0.22, 0.13) * inside[chin.place], 0.05)
    if rng.happens(0.07):
        for _ in range(14):
            spot = canvas.window(head.across(rng.triangular(0, 0.5)), rng.triangular(0.26, 0.2), 0.06, 0.06)
            spot.shade(spot.bump(0, 0, 0.035, 0.035), -0.3, (0.6, 1, 1))


def _shade_cheek(canvas: Canvas, head: Head, inside: Field, side: int, blush: float) -> None:
    """A cheek, the socket of the eye above it, and the fold that comes with age."""
    cheek = canvas.window(head.across(side * 0.42), 0.34, 0.32, 0.26)
    cheek.shade(cheek.bump(0, 0, 0.32, 0.26) * inside[cheek.place], blush, (0.5, -1, -0.8))
    socket = canvas.window(head.across(side * 0.31), -0.02, 0.30, 0.20)
    socket.shade(socket.bump(0, 0, 0.30, 0.20) * inside[socket.place], -0.12 - 0.10 * head.age, (0.9, 1, 1))
    if head.age > 0.6:
        fold = canvas.window(head.across(side * 0.30), 0.48, 0.2, 0.25)
        line = np.abs(fold.u - side * (0.02 + 0.35 * fold.v)) - 0.015
        fold.shade(fold.inside(line, 2) * fold.bump(0, 0, 0.18, 0.24), -0.35 * head.age)


def paint_ears(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """Both ears, with rings or without."""
    size, out, down = rng.triangular(0.17, 0.04), rng.triangular(0.02, 0.04), rng.triangular(0.10, 0.05)
    ring = rng.happens(0.35 * (1 - head.masculine))
    metal = (0.95, 0.82, 0.45) if rng.happens(0.6) else (0.88, 0.90, 0.95)
    for side in (-1, 1):
        # The ear that the head turns away from the viewer hides behind the face.
        u = side * (head.width + out - 0.28 * max(side * head.yaw, 0))
        ear = canvas.window(u, down, 0.3, 0.45)
        ear.paint(ear.inside(ear.ellipse(0, 0, 0.6 * size, size)), scaled(head.skin, 0.92 + 0.06 * side * head.light))
        ear.shade(ear.bump(-0.01 * side, 0, 0.4 * size, 0.7 * size), -0.3, (0.8, 1, 1))
        if ring:
            ear.paint(ear.inside(ear.ellipse(0.03 * side, size + 0.03, 0.05, 0.06)), metal)
