"""Faces drawn by a program, each a pure function of (seed, index): a set of pictures that needs no download.

A face is painted from back to front out of shapes with soft edges, each a coverage in [0, 1] of every pixel, so that it
can be drawn at any size. Head coordinates (u, v): the face reaches from -1, the crown, to 1, the chin, v downwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlgan.rng import Purpose, stream

VERSION = 2  # of the drawing: another one where any pixel differs
NUMBERS = 400  # random numbers that a face may use

Colour = tuple[float, float, float]  # red, green and blue in [0, 1]
WHITE: Colour = (1.0, 1.0, 1.0)
Field = NDArray[np.floating[Any]]  # float32 [h, w]: a number for each pixel

SKIN = "fae0cd f1cbb1 e4b696 d09e78 b5815c 926242 6e4730 4e3224"
DARK_HAIR = "161212 2c1e18 4a3020 6a482c 8c6238"
LIGHT_HAIR = "8c6238 be9456 debe80 80341a b05226"
GREY_HAIR = "787674 a8a6a4 d6d4d2"
DYED_HAIR = "c45082 466ebe 5aa082 8250aa"
IRIS = "3a2416 54361e 74542e 62703e 487860 5482aa 6e8296"
CLOTH = "202430 3c4048 eceae6 96282c 2e568c 3a6e4c c4a054 785482 d27878 604634 468c96 e2be3c"


class _Dice:
    """Random numbers, one after the other: cheaper than as many calls of a generator."""

    def __init__(self, numbers: np.random.Generator) -> None:
        self._next = iter(numbers.random(NUMBERS).tolist())

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(next(self._next))

    def around(self, centre: float, reach: float) -> float:
        """Near the centre more often than at its reach."""
        return centre + reach * (float(next(self._next)) + float(next(self._next)) - 1)

    def happens(self, chance: float) -> bool:
        return float(next(self._next)) < chance

    def one(self, things: Sequence[str], weights: Sequence[float]) -> str:
        place = float(next(self._next)) * sum(weights)
        for thing, weight in zip(things, weights, strict=True):
            place -= weight
            if place < 0:
                return thing
        return things[-1]

    def colour(self, palette: str, spread: float = 0.05) -> Colour:
        """Between two neighbours of a palette, or near them."""
        colours = [bytes.fromhex(word) for word in palette.split()]
        place = self.between(0, len(colours) - 1)
        low = min(int(place), len(colours) - 2)
        red, green, blue = (
            min(max((one + (place - low) * (next_ - one)) / 255 + self.around(0, spread), 0.02), 1)
            for one, next_ in zip(colours[low], colours[low + 1], strict=True)
        )
        return red, green, blue

    def any_colour(self, low: float, high: float, saturation: float) -> Colour:
        """Of any hue."""
        hue, value, pale = self.between(0, 2 * math.pi), self.between(low, high), saturation * self.between(0, 1)
        red, green, blue = (
            value * (1 - pale * (0.5 - 0.5 * math.cos(hue - third * 2 * math.pi / 3))) for third in range(3)
        )
        return red, green, blue


def _times(colour: Colour, red: float, green: float | None = None, blue: float | None = None) -> Colour:
    """A colour lighter or darker; with three numbers, each of its parts."""
    return colour[0] * red, colour[1] * (red if green is None else green), colour[2] * (red if blue is None else blue)


def _lit(light: Field, colour: Colour) -> Field:
    """A colour under a light that differs by pixel: [3, h, w]."""
    return np.stack([light * part for part in colour])


@dataclass(frozen=True, eq=False)
class _Head:
    """What several parts of a face have to agree on."""

    skin: Colour
    hair: Colour
    width: float  # half of the face's, in half its height
    taper: float  # how much narrower the jaw is
    square: float  # exponent of the outline: 2 is an ellipse
    yaw: float  # radians, to the right
    man: float  # in [0, 1]
    age: float  # in [0, 1]
    light: float  # from the left (-1) or right (1)

    def across(self, u: float) -> float:
        """Where a point that lies at u on the face seen from the front is seen when the head turns."""
        reach = 1.25 * self.width
        return reach * math.sin(math.asin(u / reach) + self.yaw)

    def narrowing(self, u: float) -> float:
        """How wide things at u look when the head turns."""
        turned = math.asin(u / (1.25 * self.width))
        return math.cos(turned + self.yaw) / math.cos(turned)


class _Canvas:
    """Pixels, and where each lies in the coordinates of the head (u, v) and of the body (x, y), which never rolls."""

    def __init__(self, size: int, centre: tuple[float, float], scale: float, roll: float) -> None:
        across = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
        self.size = size
        self.pixel = 2 / size / scale  # in half heights of the face
        self.pixels: Field = np.empty((3, size, size), dtype=np.float32)  # by colour: three planes
        self.across = across
        self.x = np.broadcast_to((across[None, :] - centre[0]) / scale, (size, size))
        self.y = np.broadcast_to((across[:, None] - centre[1]) / scale, (size, size))
        cosine, sine = math.cos(roll), math.sin(roll)
        self.u: Field = cosine * self.x + sine * self.y
        self.v: Field = cosine * self.y - sine * self.x
        self._to_pixels = (centre, scale, cosine, sine)

    def window(self, u: float, v: float, reach_u: float, reach_v: float) -> "_Window":
        """What lies around a point of the head."""
        (centre_x, centre_y), scale, cosine, sine = self._to_pixels
        x, y = cosine * u - sine * v, sine * u + cosine * v
        reach_x = (abs(cosine) * reach_u + abs(sine) * reach_v) * scale
        reach_y = (abs(sine) * reach_u + abs(cosine) * reach_v) * scale
        half = self.size / 2
        left, right = (int((centre_x + scale * x + sign * reach_x + 1) * half) + (sign > 0) for sign in (-1, 1))
        top, bottom = (int((centre_y + scale * y + sign * reach_y + 1) * half) + (sign > 0) for sign in (-1, 1))
        place = (slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
        return _Window(self.pixels[:, *place], self.u[place] - u, self.v[place] - v, self.pixel, place)

    def whole(self) -> "_Window":
        return _Window(self.pixels, self.u, self.v, self.pixel, (slice(None), slice(None)))


@dataclass(frozen=True, eq=False)
class _Window:
    """A part of the canvas, with coordinates of its own."""

    pixels: Field  # [3, h, w] a view
    u: Field
    v: Field
    pixel: float
    place: tuple[slice, slice]  # on the canvas

    def inside(self, distance: Field, softness: float = 1.0) -> Field:
        """How much of each pixel lies where a distance, negative inside, is below 0; softness in pixels."""
        cover: Field = np.minimum(np.maximum(0.5 - distance * (1 / (softness * self.pixel)), 0), 1)
        return cover

    def paint(self, cover: Field, colour: Colour | Field) -> None:
        """Lay a colour, or one for each pixel [3, h, w], over what is covered."""
        for plane, part in zip(self.pixels, colour, strict=True):
            plane += cover * (part - plane)

    def shade(self, cover: Field, strength: float, tint: Colour = WHITE) -> None:
        """Make lighter (above 0) or darker what is covered; the tint says which colours change how much."""
        for plane, part in zip(self.pixels, tint, strict=True):
            plane *= 1 + (strength * part) * cover

    def ellipse(self, u: float, v: float, width: float, height: float) -> Field:
        """Distance to an ellipse, exact on its axes."""
        return _ellipse(self.u - u, self.v - v, width, height)

    def bump(self, u: float, v: float, width: float, height: float) -> Field:
        """1 in the middle, falling smoothly to 0 at an ellipse."""
        across, down = (self.u - u) / width, (self.v - v) / height
        fall: Field = np.maximum(1 - across * across - down * down, 0)
        fall *= fall
        return fall


def _ellipse(u: Field, v: Field, width: float, height: float) -> Field:
    across, down = u / width, v / height
    distance: Field = (np.sqrt(across * across + down * down) - 1) * min(width, height)
    return distance


def draw(seed: int, index: int, size: int = 64) -> NDArray[np.uint8]:
    """Draw face `index` of a seed: uint8 [size, size, 3]."""
    dice = _Dice(stream(seed, Purpose.FACES, index))
    man, age = dice.between(0, 1) ** 0.7 if dice.happens(0.5) else 0.3 * dice.between(0, 1), dice.between(0, 1)
    skin = dice.colour(SKIN, 0.03)
    head = _Head(
        skin=skin,
        hair=_hair_colour(dice, skin, age),
        width=dice.around(0.72 + 0.04 * man, 0.08),
        taper=dice.around(0.24 - 0.10 * man, 0.14),
        square=dice.around(2.15 + 0.25 * man, 0.25),
        yaw=dice.around(0, 0.42),
        man=man,
        age=age,
        light=dice.between(-1, 1),
    )
    canvas = _Canvas(
        size,
        centre=(dice.around(0, 0.10), dice.around(0.06, 0.08)),
        scale=dice.around(0.69, 0.10),
        roll=dice.around(0, 0.22),
    )
    style = _hair_style(dice, head)
    _paint_background(canvas, dice)
    texture = _hair_texture(canvas, head, style)
    if style.length > 0:
        _paint_hair_behind(canvas, head, style, texture)
    _paint_body(canvas, head, dice)
    if style.name != "scarf":
        _paint_ears(canvas, head, dice)
    _paint_face(canvas, head, dice)
    _paint_nose(canvas, head, dice)
    _paint_mouth(canvas, head, dice)
    _paint_beard(canvas, head, dice)
    _paint_eyes(canvas, head, dice)
    if dice.happens(0.12 + 0.2 * age):
        _paint_glasses(canvas, head, dice)
    _paint_hair(canvas, head, style, texture, dice)
    return _develop(canvas, head, dice)


def _develop(canvas: _Canvas, head: _Head, dice: _Dice) -> NDArray[np.uint8]:
    """The light of the place, on everything, and how the picture was taken."""
    side, above = 0.10 * head.light, dice.between(0.0, 0.10)
    field = 1 + side * canvas.across[None, :] - above * canvas.across[:, None]
    warmth, exposure, contrast = dice.around(0, 0.06), dice.around(1.0, 0.14), dice.around(1.05, 0.15)
    cast = (exposure * (1 + warmth), exposure, exposure * (1 - warmth))
    lit = np.stack([plane * (part * field) for plane, part in zip(canvas.pixels, cast, strict=True)], axis=-1)
    return (255 * np.clip((lit - 0.5) * contrast + 0.5, 0, 1) + 0.5).astype(np.uint8)


def _hair_colour(dice: _Dice, skin: Colour, age: float) -> Colour:
    # Whoever has dark skin mostly has dark hair.
    light = 1.2 * max(skin[0] - 0.65, 0)
    kind = dice.one(["dark", "light", "grey", "dyed"], [0.6, light, 2.0 * max(age - 0.6, 0), 0.03])
    return dice.colour({"dark": DARK_HAIR, "light": LIGHT_HAIR, "grey": GREY_HAIR, "dyed": DYED_HAIR}[kind], 0.02)


def _paint_background(canvas: _Canvas, dice: _Dice) -> None:
    first, second = dice.any_colour(0.25, 0.95, 0.7), dice.any_colour(0.15, 0.95, 0.7)
    across, down = canvas.across[None, :], canvas.across[:, None]
    kind = dice.one(["gradient", "spot", "horizon", "stripes", "lights"], [3, 2, 1.5, 1, 1.5])
    angle = dice.between(0, 2 * math.pi)
    along = math.cos(angle) * across + math.sin(angle) * down
    if kind == "gradient":
        share = 0.5 + 0.4 * along
    elif kind == "spot":
        share = 1 - np.exp(-((across - dice.around(0, 0.5)) ** 2 + (down - dice.around(-0.2, 0.5)) ** 2))
    elif kind == "horizon":
        share = np.clip((down - dice.around(0, 0.5) + 0.1 * across) / dice.between(0.1, 0.4), 0, 1)
        share = 0.15 * along + 0.8 * share
    elif kind == "stripes":
        share = 0.5 + dice.between(0.15, 0.4) * np.tanh(2 * np.sin(dice.between(4, 11) * along + angle))
    else:
        share = 0.2 + 0.1 * along
        for _ in range(4):
            far = (across - dice.between(-1, 1)) ** 2 + (down - dice.between(-1, 0.6)) ** 2
            share = share + dice.between(0.2, 0.7) * np.clip(1.5 - far / dice.between(0.01, 0.08), 0, 1)
    share = np.clip(share, 0, 1)
    for plane, one, other in zip(canvas.pixels, first, second, strict=True):
        plane[...] = one + share * (other - one)


def _paint_body(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    whole = canvas.whole()
    x, y = canvas.x, canvas.y
    neck = head.width * dice.around(0.56 + 0.12 * head.man, 0.08)
    cloth, other = dice.colour(CLOTH, 0.06), dice.colour(CLOTH, 0.06)
    shoulders = dice.around(1.22 - 0.04 * head.man, 0.08)
    slope = dice.around(0.28, 0.10)
    top = shoulders + slope * np.maximum(np.abs(x) - neck, 0)
    whole.paint(whole.inside(np.maximum(np.abs(x) - neck - 0.10 * (y - 0.9), 0.4 - y)), _times(head.skin, 0.84))
    whole.shade(whole.bump(0.15 * head.light, 0.82, neck * 1.6, 0.42), -0.32, (0.8, 1, 1))
    collar = dice.one(["round", "open", "shirt", "high", "suit"], [3, 2, 2, 1, 1.5])
    middle = shoulders + {"round": 0.10, "open": 0.36, "shirt": 0.16, "high": -0.16, "suit": 0.40}[collar]
    steep = {"round": 0.1, "open": 0.9, "shirt": 0.6, "high": -0.02, "suit": 0.9}[collar]
    neckline = np.minimum(middle - steep * np.abs(x), middle)
    edge = np.where(np.abs(x) < neck, np.maximum(neckline, shoulders - 0.2), top)
    if collar == "suit":
        whole.paint(whole.inside(np.maximum(shoulders + 0.04 - y, np.abs(x) - neck)), (0.92, 0.92, 0.94))
        whole.paint(whole.inside(np.maximum(shoulders + 0.12 - y, np.abs(x) - 0.08)), other)
    covered = whole.inside(edge - y)
    fold = 1 + 0.10 * np.sin(5 * x + 3 * y) - 0.18 * np.abs(x) + 0.12 * head.light * x
    pattern = dice.one(["plain", "stripes", "across"], [5, 1, 1])
    whole.paint(covered, _lit(fold, cloth))
    if pattern != "plain":
        along = x if pattern == "stripes" else y
        whole.paint(covered * (np.sin(dice.between(14, 26) * along) > 0.2), _lit(fold, other))
    if collar in ("shirt", "high"):
        rim = whole.inside(np.abs(edge + 0.06 - y) - 0.06) * (np.abs(x) < neck + 0.12)
        whole.shade(rim, 0.22)


def _paint_ears(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    size, out, down = dice.around(0.17, 0.04), dice.around(0.02, 0.04), dice.around(0.10, 0.05)
    ring = dice.happens(0.35 * (1 - head.man))
    metal = (0.95, 0.82, 0.45) if dice.happens(0.6) else (0.88, 0.90, 0.95)
    for side in (-1, 1):
        # The ear that the head turns away from the viewer hides behind the face.
        u = side * (head.width + out - 0.28 * max(side * head.yaw, 0))
        ear = canvas.window(u, down, 0.3, 0.45)
        ear.paint(ear.inside(ear.ellipse(0, 0, 0.6 * size, size)), _times(head.skin, 0.92 + 0.06 * side * head.light))
        ear.shade(ear.bump(-0.01 * side, 0, 0.4 * size, 0.7 * size), -0.3, (0.8, 1, 1))
        if ring:
            ear.paint(ear.inside(ear.ellipse(0.03 * side, size + 0.03, 0.05, 0.06)), metal)


def _outline(window: _Window, head: _Head) -> Field:
    """Distance to the face's outline, about, on the whole canvas."""
    jaw = np.clip(window.v, 0, 1)
    width = head.width * (1 - head.taper * jaw * jaw * jaw)
    square = head.square
    across, down = np.abs(window.u / width), np.abs(window.v)
    distance: Field = ((across**square + down**square) ** (1 / square) - 1) * head.width
    return distance


def _paint_face(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    whole = canvas.whole()
    far = _outline(whole, head)
    inside = whole.inside(far)
    u, v = whole.u, whole.v
    # A ball, lit from the side and above: what faces away is darker and redder.
    round_ = np.clip(1 + far / (0.75 * head.width), 0, 1)
    turned = head.light * (u / head.width) * round_ - 0.5 * v * round_
    light = 1.0 - 0.22 * round_**3 + dice.between(0.06, 0.16) * turned
    red, green, blue = head.skin
    whole.paint(inside, np.stack([light * red, (light - 0.02 * round_) * green, (light - 0.035 * round_) * blue]))
    middle = head.across(0)
    red = dice.between(0.02, 0.16)
    for side in (-1, 1):
        cheek = canvas.window(head.across(side * 0.42), 0.34, 0.32, 0.26)
        cheek.shade(cheek.bump(0, 0, 0.32, 0.26) * inside[cheek.place], red, (0.5, -1, -0.8))
        socket = canvas.window(head.across(side * 0.31), -0.02, 0.30, 0.20)
        socket.shade(socket.bump(0, 0, 0.30, 0.20) * inside[socket.place], -0.12 - 0.10 * head.age, (0.9, 1, 1))
        if head.age > 0.6:
            fold = canvas.window(head.across(side * 0.30), 0.48, 0.2, 0.25)
            line = np.abs(fold.u - side * (0.02 + 0.35 * fold.v)) - 0.015
            fold.shade(fold.inside(line, 2) * fold.bump(0, 0, 0.18, 0.24), -0.35 * head.age)
    brow = canvas.window(middle + 0.12 * head.light, -0.48, 0.42, 0.24)
    brow.shade(brow.bump(0, 0, 0.42, 0.24) * inside[brow.place], 0.10)
    chin = canvas.window(middle, 0.86, 0.22, 0.2)
    chin.shade(chin.bump(0, -0.06, 0.16, 0.10) * inside[chin.place], -0.07)
    chin.shade(chin.bump(0, 0.07, 0.22, 0.13) * inside[chin.place], 0.05)
    freckles = dice.happens(0.07)
    if freckles:
        for _ in range(14):
            spot = canvas.window(head.across(dice.around(0, 0.5)), dice.around(0.26, 0.2), 0.06, 0.06)
            spot.shade(spot.bump(0, 0, 0.035, 0.035), -0.3, (0.6, 1, 1))


def _paint_nose(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    middle, turn = head.across(0), 0.30 * math.sin(head.yaw)
    tip, width = dice.around(0.36, 0.06), dice.around(0.135 + 0.02 * head.man, 0.045)
    tip_u = middle + turn * 0.5
    nose = canvas.window(tip_u, tip, 0.45, 0.6)
    dark = -1.0 if head.light > 0 else 1.0
    nose.shade(nose.bump(0.10 * dark, -0.16, 0.10, 0.34), -0.16, (0.85, 1, 1))
    nose.shade(nose.bump(-0.02 * dark, -0.18, 0.06, 0.30), dice.between(0.05, 0.16))
    nose.shade(nose.bump(0, 0.07, width * 1.5, 0.10), -0.30, (0.8, 1, 1))
    nose.shade(nose.bump(0, -0.02, width * 0.9, 0.11), 0.12)
    for side in (-1, 1):
        nose.shade(nose.bump(side * width, 0.0, 0.07, 0.09), -0.12, (0.8, 1, 1))
        nose.shade(nose.bump(side * 0.55 * width, 0.055, 0.055, 0.04), -0.65, (0.85, 1, 1))


def _paint_mouth(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    middle = head.across(0) + 0.04 * math.sin(head.yaw)
    down, half = dice.around(0.62, 0.04), dice.around(0.27, 0.06) * math.cos(head.yaw)
    smile = dice.around(0.08, 0.16)
    opening = max(dice.around(-0.02, 0.14), 0) + (0.04 if smile > 0.15 else 0)
    upper, lower = dice.around(0.055 - 0.02 * head.man, 0.025), dice.around(0.08 - 0.02 * head.man, 0.03)
    painted = dice.happens(0.45 * (1 - head.man))
    lips = _times(head.skin, 0.86, 0.66, 0.64)
    if painted:
        lips = dice.colour("c43040 aa283c d26e6e 963c46 dc465a", 0.04)
    mouth = canvas.window(middle, down, half + 0.12, 0.45)
    along = mouth.u / half
    bend = smile * (along * along - 0.35)
    ends = np.clip(1 - along * along, 0, 1)
    across = mouth.v + bend
    bow = 1 - 0.35 * np.exp(-((along / 0.16) ** 2))
    above, below = -(upper * bow + 0.5 * opening) * np.sqrt(ends), (lower + 0.5 * opening) * np.sqrt(ends)
    limits = np.abs(mouth.u) - half
    mouth.shade(mouth.bump(0, lower + opening + 0.10, half * 0.7, 0.08), -0.16, (0.8, 1, 1))
    mouth.paint(mouth.inside(np.maximum.reduce([above - across, across - below, limits])), lips)
    mouth.shade(mouth.bump(0, lower * 0.6 + opening * 0.5, half * 0.5, 0.05), 0.16)
    gap = 0.5 * opening * ends + 0.008
    hole = mouth.inside(np.maximum(np.abs(across) - gap, limits))
    mouth.paint(0.85 * hole, _times(head.skin, 0.32, 0.16, 0.15))
    if opening > 0.05 and dice.happens(0.85):
        teeth = np.maximum.reduce([-gap - across, across - (0.5 * gap), np.abs(along) - 0.82])
        mouth.paint(mouth.inside(teeth) * 0.92, (0.93, 0.91, 0.87))
    for side in (-1, 1):
        mouth.shade(mouth.bump(side * half, -0.65 * smile, 0.06, 0.05), -0.30, (0.8, 1, 1))


def _paint_beard(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    kind = dice.one(["none", "stubble", "moustache", "goatee", "full"], [2.2, 1.3, 0.5, 0.6, 1.0])
    thickness = dice.between(0.55, 0.95)
    if head.man < 0.45 or kind == "none":
        return
    colour = _times(head.hair, dice.between(0.75, 1.0))
    whole = canvas.whole()
    u, v = whole.u - head.across(0), whole.v
    mouth = np.clip(2.2 - (u / 0.30) ** 2 * 1.6 - ((v - 0.64) / 0.085) ** 2, 0, 1)
    lip = np.clip(1.6 * whole.bump(head.across(0), 0.515, 0.34, 0.10), 0, 1)
    cover: Field
    if kind in ("stubble", "full"):
        line = dice.around(0.30, 0.1) + 0.10 * (0.45 - np.abs(u)) / 0.45
        far = _outline(whole, head)
        chin = np.clip((v - line) / 0.14 - 1.4 * np.clip(0.42 - np.abs(u), 0, 1) * (v < 0.5), 0, 1)
        reach = 0.02 if kind == "stubble" else dice.between(0.04, 0.14) * (v > 0.4)
        cover = np.maximum(chin * whole.inside(far - reach, 2), lip) * (1 - mouth)
        thickness = dice.between(0.12, 0.30) if kind == "stubble" else thickness
    elif kind == "moustache":
        cover = lip
    else:
        chin = np.clip(1.7 * whole.bump(head.across(0), 0.84, 0.30, 0.26), 0, 1)
        cover = np.maximum(chin, lip if dice.happens(0.7) else 0 * lip) * (1 - mouth)
    grain = 1 + 0.08 * np.sin(31 * whole.u + 7 * np.sin(9 * whole.v))
    whole.paint(thickness * cover, _lit(grain, colour))


def _paint_eyes(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    apart, level = dice.around(0.315, 0.04), dice.around(-0.02, 0.05)
    wide, open_ = dice.around(0.155, 0.03), dice.around(0.075 - 0.01 * head.age, 0.03)
    tilt, round_ = dice.around(0.05 * (1 - head.man), 0.16), dice.between(0.55, 1.0)
    closed = dice.happens(0.03)
    iris = dice.colour(IRIS, 0.03)
    # Light eyes with light skin, mostly: dark skin takes the dark end.
    if head.skin[0] < 0.7:
        iris = _times(iris, 0.55)
    size = dice.around(0.082, 0.012)
    look_u, look_v = dice.around(0, 0.075), dice.around(0, 0.03)
    lashes = dice.between(0.3, 0.6) + 0.35 * (1 - head.man)
    lid = dice.between(0, 0.35)
    shadow = dice.happens(0.25 * (1 - head.man))
    shadow_colour = dice.any_colour(0.3, 0.8, 0.6)
    brow_up, brow_thick = dice.around(0.185, 0.05), dice.around(0.030 + 0.018 * head.man, 0.015)
    brow_arch, brow_slope = dice.around(0.05, 0.05), dice.around(0.0, 0.22)
    brow_colour = _times(head.hair, 0.72)
    for side in (-1, 1):
        narrow = head.narrowing(side * apart)
        eye = canvas.window(head.across(side * apart), level, 0.34, 0.24)
        out = eye.u * (side / narrow)  # from the nose outwards
        rise = eye.v + tilt * out
        along = out / wide
        arc = np.clip(1 - along * along, 0, 1)
        arc = round_ * np.sqrt(arc) + (1 - round_) * arc
        top, bottom = -open_ * arc, 0.62 * open_ * arc
        limits = np.abs(out) - wide
        if shadow:
            eye.paint(0.4 * eye.bump(0.02 * side, -open_ - 0.02, wide * 1.3, 0.10), shadow_colour)
        crease = np.abs(rise - top + 0.035) - 0.008
        eye.shade(eye.inside(np.maximum(crease, limits), 1.5), -0.30, (0.8, 1, 1))
        eye.shade(eye.bump(0, open_ + 0.05, wide, 0.06), -0.10 - 0.15 * head.age, (0.8, 1, 1))
        ball = eye.inside(np.maximum.reduce([top - rise, rise - bottom, limits]))
        if not closed:
            eye.paint(ball, (0.93, 0.92, 0.90))
            eye.shade(eye.inside(rise - top - 0.03, 2) * ball, -0.28)
            at_u, at_v = look_u + 0.10 * math.sin(head.yaw), look_v - 0.012
            disc = eye.ellipse(at_u, at_v, size * max(narrow, 0.5), size)
            eye.paint(ball * eye.inside(disc), iris)
            eye.shade(ball * eye.inside(np.abs(disc + 0.01) - 0.012), -0.4)
            eye.paint(ball * eye.inside(disc + 0.55 * size), (0.04, 0.03, 0.03))
            eye.paint(0.9 * ball * eye.bump(at_u + 0.03 * head.light, at_v - 0.03, 0.035, 0.035), (1.0, 1.0, 1.0))
        else:
            eye.paint(ball, _times(head.skin, 0.86))
        line = (rise - bottom if closed else rise - top) + 0.004
        lash = eye.inside(np.maximum(np.abs(line) - 0.014 - 0.006 * lashes, np.abs(out - 0.01) - wide - 0.015))
        eye.paint(lashes * lash, _times(brow_colour, 0.35))
        if lid and not closed:
            eye.paint(ball * eye.inside(rise - top - lid * open_), _times(head.skin, 0.80))
        brow = canvas.window(head.across(side * (apart + 0.01)), level - brow_up, 0.36, 0.22)
        out = brow.u * (side / narrow)
        reach = out / (wide * 1.45)
        curve = brow.v + brow_arch * (1 - (reach - 0.25) ** 2) - 0.03 + brow_slope * out
        thin = brow_thick * np.clip(1.15 - 0.55 * reach, 0.3, 1.2)
        hairs = brow.inside(np.maximum(np.abs(curve) - thin, np.abs(out) - wide * 1.45), 1.4)
        brow.paint((0.55 + 0.4 * head.man) * hairs, brow_colour)


@dataclass(frozen=True)
class _Style:
    name: str
    volume: float  # above and beside the skull
    length: float  # how far it falls, v; 0: no further than the ears
    line: float  # of the hair above the face, v
    part: float  # u
    left: float  # how steeply the line falls from the part on either side
    right: float
    sides: float  # how far it comes down beside the face, v
    curl: float  # in [0, 1]
    cover: float  # 1 hides the skin


def _hair_style(dice: _Dice, head: _Head) -> _Style:
    woman = 1 - head.man
    name = dice.one(
        ["short", "side", "fringe", "long", "bob", "curly", "buzz", "bald", "receding", "bun", "hat", "scarf"],
        [
            0.6 + 1.6 * head.man,
            0.5 + 1.4 * head.man,
            0.7 + 0.4 * woman,
            2.2 * woman,
            1.3 * woman,
            0.9,
            0.2 + 0.8 * head.man,
            0.7 * head.man * (0.4 + head.age),
            1.2 * head.man * head.age,
            0.8 * woman,
            0.45,
            0.25 * woman,
        ],
    )
    part = dice.around(0, 0.40)
    short = name in ("short", "side", "buzz", "receding", "hat")
    length = {"long": dice.between(1.1, 1.9), "bob": dice.between(0.5, 1.0)}.get(name, 0.0)
    if name == "fringe":
        length = dice.between(0.5, 1.7) * dice.happens(0.6 * woman + 0.1)
    if name == "curly":
        length = dice.between(0.2, 1.3) * dice.happens(0.7)
    volume = {"buzz": 0.02, "bald": 0.0, "receding": 0.04, "curly": dice.between(0.16, 0.42), "bun": 0.05}.get(
        name, dice.between(0.06, 0.20)
    )
    line = {"fringe": dice.between(-0.42, -0.26), "receding": dice.between(-0.92, -0.78), "hat": -0.42}.get(
        name, dice.around(-0.60, 0.10)
    )
    fall = {"fringe": 0.04, "buzz": 0.16, "receding": 0.5, "bun": 0.3}.get(name)
    left, right = dice.between(0.15, 0.65), dice.between(0.15, 0.65)
    if name == "side":
        part = dice.between(0.25, 0.5) * (1 if dice.happens(0.5) else -1)
        left, right = (0.25, 0.9) if part > 0 else (0.9, 0.25)
    if fall is not None:
        left = right = fall
    sides = dice.between(-0.05, 0.22) if short else (dice.between(0.2, 0.6) if length else 0.0)
    curl = {"curly": dice.between(0.6, 1.0)}.get(name, dice.between(0.0, 0.35))
    return _Style(name, volume, length, line, part, left, right, sides, curl, 0.75 if name == "buzz" else 1.0)


def _hair_texture(canvas: _Canvas, head: _Head, style: _Style) -> Field:
    """Colour of hair wherever it may lie: strands, and a gloss; float32 [3, size, size]."""
    u, v = canvas.u, canvas.v
    bent = u * (1.0 + 0.25 * v) + 0.05 * np.sin(5 * v + 3 * style.part)
    straight = np.sin(24 * bent + 2 * np.sin(11 * u)) * 0.09
    if style.curl > 0.5:
        straight = 0.11 * np.sin(15 * u + 3 * np.sin(9 * v)) * np.sin(15 * v + 3 * np.sin(8 * u + 1))
    gloss = 0.30 * np.exp(-(((v + 0.74 - 0.35 * u * u) / 0.13) ** 2)) * (1 + 0.5 * head.light * u)
    light = 0.95 + straight + gloss + 0.12 * head.light * u - 0.08 * np.maximum(v, 0)
    return np.maximum(_lit(light, head.hair) + 0.04 * gloss, 0)


def _paint_hair_behind(canvas: _Canvas, head: _Head, style: _Style, texture: Field) -> None:
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    wave = style.curl * 0.07 * np.sin(9 * v + 2) * np.sin(7 * u + 1)
    width = head.width + style.volume + 0.05 + 0.05 * np.clip(v, 0, 2) + wave
    far = np.maximum(np.abs(u) - width, v - style.length + 0.25 * np.abs(u))
    crown = np.where(v < 0, np.hypot(u / width, v / (1.02 + style.volume)) * head.width - head.width, far)
    whole.paint(whole.inside(crown), 0.62 * texture)


def _paint_hair(canvas: _Canvas, head: _Head, style: _Style, texture: Field, dice: _Dice) -> None:
    if style.name == "bald":
        _paint_baldness(canvas, head)
        return
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    if style.name == "scarf":
        _paint_scarf(canvas, head, dice)
        return
    turned = u - head.across(0)
    wave = style.curl * 0.06 * (np.sin(13 * u + 3) + np.sin(12 * v + 5 * u))
    width, height = head.width + 0.03 + style.volume * 0.8, 1.02 + style.volume
    outer = _ellipse(u, v, width, height) - wave
    off = turned - style.part
    fall = np.where(off < 0, style.left, style.right) * (off / head.width) ** 2
    line = style.line + fall + 0.025 * np.sin(17 * u + 5) + 0.5 * wave
    above = v - line
    if style.name == "receding":
        above = above + 0.16 * np.cos(turned * 7)
    # Beside the face: from the temples down, at its edge.
    inner = head.width * (0.93 if style.length == 0 else 0.84) - 0.10 * np.clip(v, -1, 0)
    sides = np.maximum(inner - np.abs(turned), v - max(style.sides, style.length * 0.8))
    if style.length > 0.4:
        outer = np.where(v > 0, np.abs(u) - width, outer)
    region = np.maximum(outer, np.minimum(above, sides))
    # Its shadow on the forehead comes first.
    whole.shade(whole.inside(region - 0.05, 4), -0.16, (0.9, 1, 1))
    cover = whole.inside(region, 1.3) * style.cover
    whole.paint(cover, texture)
    if style.name == "side" or (style.length > 0 and abs(style.part) > 0.05):
        seam = np.maximum(np.abs(off) - 0.012, v - style.line)
        whole.shade(whole.inside(np.maximum(seam, -0.98 - v), 1.5), -0.25)
    if style.name == "bun":
        top = canvas.window(dice.around(0, 0.3), -1.1, 0.4, 0.4)
        bun = top.inside(top.ellipse(0, 0, 0.28, 0.24))
        light = 0.9 + 0.25 * top.bump(0.08 * head.light, -0.08, 0.2, 0.16) + 0.1 * np.sin(30 * top.u + 20 * top.v)
        top.paint(bun, _lit(light, head.hair))
    if style.name == "hat":
        _paint_hat(canvas, head, dice)


def _paint_baldness(canvas: _Canvas, head: _Head) -> None:
    shine = canvas.window(head.across(0) + 0.15 * head.light, -0.72, 0.4, 0.3)
    shine.shade(shine.bump(0, 0, 0.32, 0.18), 0.20)


def _paint_hat(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    cloth, other = dice.colour(CLOTH, 0.06), dice.colour(CLOTH, 0.06)
    kind = dice.one(["wool", "cap", "brim"], [1, 1, 0.7])
    edge = dice.between(-0.52, -0.38)
    width, height = head.width + 0.12, dice.between(1.10, 1.28)
    bent = v + 0.10 * u * u
    body = np.maximum(_ellipse(u, v, width, height), bent - edge)
    shadow = np.maximum(np.abs(u) - head.width, np.maximum(bent - edge - 0.14, edge - bent))
    whole.shade(whole.inside(shadow, 3), -0.22)
    light = 0.95 + 0.18 * head.light * u - 0.12 * (np.abs(u) / width) ** 2
    if kind == "wool":
        light = light + 0.07 * np.sin(30 * u)
    whole.paint(whole.inside(body), _lit(light, cloth))
    if kind == "wool":
        cuff = np.maximum(np.abs(bent - edge + 0.07) - 0.09, np.abs(u) - width - 0.01)
        whole.paint(whole.inside(cuff), _lit(0.88 * light, other))
    else:
        out = width + (0.02 if kind == "cap" else 0.38)
        peak = _ellipse(u - head.across(0), bent - edge, out, 0.085)
        whole.paint(whole.inside(peak), _lit(0.72 * light, cloth))
        if kind == "brim":
            whole.paint(whole.inside(np.maximum(np.abs(bent - edge + 0.12) - 0.05, np.abs(u) - width)), other)


def _paint_scarf(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    cloth = dice.colour(CLOTH, 0.06)
    width = head.width + dice.between(0.10, 0.20)
    outer = np.where(v < 0.2, _ellipse(u, v - 0.2, width, 1.38), np.abs(u) - width - 0.3 * (v - 0.2))
    hole = np.hypot((u - head.across(0)) / (0.88 * head.width), (v - 0.18) / dice.between(0.74, 0.82)) - 1
    open_ = np.maximum(0.6 * head.width * hole, _outline(whole, head) + 0.03)
    cover = whole.inside(np.maximum(outer, -open_))
    folds = (
        0.92 + 0.10 * np.sin(9 * u + 6 * np.abs(v - 0.3)) + 0.15 * head.light * u - 0.1 * np.exp(-((hole / 0.15) ** 2))
    )
    whole.shade(whole.inside(np.abs(open_) - 0.03, 3), -0.2)
    whole.paint(cover, _lit(folds, cloth))


def _paint_glasses(canvas: _Canvas, head: _Head, dice: _Dice) -> None:
    dark = dice.happens(0.22)
    corner = dice.between(2.0, 5.0)
    wide, high = dice.around(0.25, 0.03), dice.around(0.19, 0.04)
    thick = dice.between(0.014, 0.034)
    frame = dice.colour("181618 503222 96969c c4a05a 821e28", 0.03)
    down = 0.01
    for side in (-1, 1):
        at = head.across(side * 0.315)
        narrow = head.narrowing(side * 0.315)
        glass = canvas.window(at, down, 0.36, 0.3)
        far = (np.abs(glass.u / (wide * narrow)) ** corner + np.abs(glass.v / high) ** corner) ** (
            1 / corner
        ) * high - high
        inside = glass.inside(far)
        if dark:
            tone = 0.10 + 0.16 * (glass.v + 0.2)
            glass.paint(0.92 * inside, _lit(np.maximum(tone, 0), WHITE))
        gleam = glass.bump(-0.08, -0.06, 0.12, 0.06) * inside
        glass.paint(0.25 * gleam, (1.0, 1.0, 1.0))
        glass.paint(glass.inside(np.abs(far) - thick), frame)
        temple = canvas.window(side * head.width * 0.9, down - 0.05, 0.2, 0.1)
        arm = np.maximum(np.abs(temple.v) - thick, np.abs(temple.u) - 0.16)
        temple.paint(temple.inside(arm) * (1 if side * head.yaw < 0.15 else 0), _times(frame, 0.9))
    bridge = canvas.window(head.across(0), down - 0.03, 0.1, 0.08)
    bridge.paint(bridge.inside(np.maximum(np.abs(bridge.v) - thick, np.abs(bridge.u) - 0.075)), frame)
