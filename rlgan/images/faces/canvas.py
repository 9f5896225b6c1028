"""The canvas: shapes with soft edges, each a coverage in [0, 1] of every pixel, so that a face has any size.

Head coordinates (u, v): the face reaches from v = -1, the crown, to 1, the chin, v downwards.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]  # red, green and blue in [0, 1]
Field = NDArray[np.floating[Any]]  # float32 [h, w]: a number for each pixel

WHITE: Colour = (1.0, 1.0, 1.0)


class Canvas:
    """Pixels, and where each lies in the coordinates of the head (u, v) and of the body (x, y), which never rolls.

    Args:
        size: pixels a side.
        centre: of the head in the picture, whose sides reach from -1 to 1.
        scale: half the face's height, in half the picture's.
        roll: radians by which the head leans to a side.

    Example:
        >>> canvas = Canvas(size=4, centre=(0.0, 0.0), scale=1.0, roll=0.0)
        >>> canvas.u[0].tolist()  # the middle of each pixel
        [-0.75, -0.25, 0.25, 0.75]
        >>> Canvas(size=4, centre=(0.0, 0.0), scale=0.5, roll=0.0).u[0].tolist()  # the head is half as large
        [-1.5, -0.5, 0.5, 1.5]
    """

    def __init__(self, size: int, centre: tuple[float, float], scale: float, roll: float) -> None:
        # The centre of each pixel: by their corners, one face in two sizes would be shifted against itself.
        across = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
        self.size = size
        self.pixel = 2 / size / scale  # in half heights of the face
        # Not filled, because the background, which is painted first, covers every pixel.
        self.pixels: Field = np.empty((3, size, size), dtype=np.float32)  # by colour: three planes
        self.across = across  # [size] from -1 to 1, the picture's own coordinates
        # Views without memory of their own: x is the same in every row, and y in every column.
        self.x = np.broadcast_to((across[None, :] - centre[0]) / scale, (size, size))
        self.y = np.broadcast_to((across[:, None] - centre[1]) / scale, (size, size))
        cosine, sine = math.cos(roll), math.sin(roll)
        self.u: Field = cosine * self.x + sine * self.y
        self.v: Field = cosine * self.y - sine * self.x
        self._to_pixels = (centre, scale, cosine, sine)

    def window(self, u: float, v: float, reach_u: float, reach_v: float) -> "Window":
        """What lies around a point of the head: small things are painted on few pixels, which is most of the speed."""
        (centre_x, centre_y), scale, cosine, sine = self._to_pixels
        x, y = cosine * u - sine * v, sine * u + cosine * v
        reach_x = (abs(cosine) * reach_u + abs(sine) * reach_v) * scale
        reach_y = (abs(sine) * reach_u + abs(cosine) * reach_v) * scale
        half = self.size / 2
        # One pixel more on the far sides, which `int` would cut off.
        left, right = (int((centre_x + scale * x + sign * reach_x + 1) * half) + (sign > 0) for sign in (-1, 1))
        top, bottom = (int((centre_y + scale * y + sign * reach_y + 1) * half) + (sign > 0) for sign in (-1, 1))
        # Never below 0: numpy would count a negative bound from the far end of the picture.
        place = (slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
        return Window(self.pixels[:, *place], self.u[place] - u, self.v[place] - v, self.pixel, place)

    def whole(self) -> "Window":
        """All of the canvas, in the coordinates of the head."""
        return Window(self.pixels, self.u, self.v, self.pixel, (slice(None), slice(None)))


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the canvas, with coordinates of its own.

    Example:
        >>> canvas = Canvas(size=4, centre=(0.0, 0.0), scale=1.0, roll=0.0)
        >>> canvas.pixels[:] = 0
        >>> window = canvas.whole()
        >>> window.paint(window.inside(window.u), WHITE)  # where u is negative
        >>> canvas.pixels[0, 0].tolist()
        [1.0, 1.0, 0.0, 0.0]
    """

    pixels: Field  # [3, h, w] a view
    u: Field  # [h, w]
    v: Field
    pixel: float  # how large one is, in half heights of the face
    place: tuple[slice, slice]  # on the canvas

    def inside(self, distance: Field, softness: float = 1.0) -> Field:
        """How much of each pixel lies where a distance, negative inside, is below 0; softness in pixels."""
        # A ramp across the edge stands in for the exact share of each pixel: it is
        # smooth, and needs the distance alone.
        cover: Field = np.minimum(np.maximum(0.5 - distance * (1 / (softness * self.pixel)), 0), 1)
        return cover

    def paint(self, cover: Field, colour: Colour | Field) -> None:
        """Lay a colour, or one for each pixel [3, h, w], over what is covered."""
        # Plane by plane and in place: a stack of three would be as many temporary arrays.
        for plane, part in zip(self.pixels, colour, strict=True):
            plane += cover * (part - plane)

    def shade(self, cover: Field, strength: float, tint: Colour = WHITE) -> None:
        """Make lighter (above 0) or darker what is covered; the tint says which colours change how much."""
        for plane, part in zip(self.pixels, tint, strict=True):
            plane *= 1 + (strength * part) * cover

    def ellipse(self, u: float, v: float, width: float, height: float) -> Field:
        """Distance to an ellipse; see `ellipse_distance`."""
        return ellipse_distance(self.u - u, self.v - v, width, height)

    def bump(self, u: float, v: float, width: float, height: float) -> Field:
        """1 in the middle, falling smoothly to 0 at an ellipse."""
        across, down = (self.u - u) / width, (self.v - v) / height
        fall: Field = np.maximum(1 - across * across - down * down, 0)
        fall *= fall
        return fall


def ellipse_distance(u: Field, v: Field, width: float, height: float) -> Field:
    """Distance to an ellipse around (0, 0), negative inside: 0 on its edge, and exact along its shorter axis.

    Example:
        >>> down = np.array([0.0, 1.0, 3.0])  # from the middle over the edge to the outside
        >>> ellipse_distance(np.zeros(3), down, width=2.0, height=1.0).tolist()
        [-1.0, 0.0, 2.0]
    """
    across, down = u / width, v / height
    distance: Field = (np.sqrt(across * across + down * down) - 1) * min(width, height)
    return distance


def scaled(colour: Colour, red: float, green: float | None = None, blue: float | None = None) -> Colour:
    """A colour lighter or darker; with three numbers, each of its parts.

    Example:
        >>> scaled((1.0, 0.5, 0.25), 0.5)
        (0.5, 0.25, 0.125)
        >>> scaled((1.0, 0.5, 0.25), 1.0, 2.0, 4.0)
        (1.0, 1.0, 1.0)
    """
    return colour[0] * red, colour[1] * (red if green is None else green), colour[2] * (red if blue is None else blue)


def lit(light: Field, colour: Colour) -> Field:
    """A colour under a light that differs by pixel: [3, h, w].

    Example:
        >>> lit(np.array([[1.0, 0.5]]), (1.0, 0.5, 0.0)).tolist()  # red, green and blue of two pixels
        [[[1.0, 0.5]], [[0.5, 0.25]], [[0.0, 0.0]]]
    """
    return np.stack([light * part for part in colour])
