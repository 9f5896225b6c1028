"""Eyes with their brows, and glasses."""

import math
from dataclasses import dataclass

import numpy as np

from rlgan.images.faces.canvas import WHITE, Canvas, Colour, Field, Window, lit, scaled
from rlgan.images.faces.head import Head
from rlgan.images.faces.sampler import FRAME, IRIS, Sampler


@dataclass(frozen=True)
class _Eyes:
    """What both eyes of a face have in common."""

    apart: float  # from the middle of the face, u
    level: float  # v
    wide: float  # half of it
    open: float  # how far
    tilt: float  # how far the outer corners are up
    round: float  # how round the lids are, in [0, 1]
    closed: bool
    iris: Colour
    size: float  # of the iris
    look: tuple[float, float]  # where to, u and v
    lashes: float  # how dark
    lid: float  # how far the upper lid hangs
    shadow: Colour | None  # painted on the lids


@dataclass(frozen=True)
class _Brows:
    up: float  # above the eyes
    thick: float
    arch: float
    slope: float


def paint_eyes(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """Both eyes, alike, and their brows."""
    eyes = _draw_eyes(rng, head)
    brows = _Brows(
        up=rng.triangular(0.185, 0.05),
        thick=rng.triangular(0.030 + 0.018 * head.masculine, 0.015),
        arch=rng.triangular(0.05, 0.05),
        slope=rng.triangular(0.0, 0.22),
    )
    for side in (-1, 1):
        _paint_eye(canvas, head, eyes, side)
        _paint_brow(canvas, head, eyes, brows, side)


def _draw_eyes(rng: Sampler, head: Head) -> _Eyes:
    apart, level = rng.triangular(0.315, 0.04), rng.triangular(-0.02, 0.05)
    wide, open_ = rng.triangular(0.155, 0.03), rng.triangular(0.075 - 0.01 * head.age, 0.03)
    tilt, round_ = rng.triangular(0.05 * (1 - head.masculine), 0.16), rng.uniform(0.55, 1.0)
    closed = rng.happens(0.03)
    iris = rng.colour(IRIS, 0.03)
    # Light eyes with light skin, mostly: dark skin takes the dark end.
    if head.skin[0] < 0.7:
        iris = scaled(iris, 0.55)
    size = rng.triangular(0.082, 0.012)
    look = (rng.triangular(0, 0.075), rng.triangular(0, 0.03))
    lashes = rng.uniform(0.3, 0.6) + 0.35 * (1 - head.masculine)
    lid = rng.uniform(0, 0.35)
    painted = rng.happens(0.25 * (1 - head.masculine))
    shadow = rng.any_colour(0.3, 0.8, 0.6)
    return _Eyes(
        apart, level, wide, open_, tilt, round_, closed, iris, size, look, lashes, lid, shadow if painted else None
    )


def _paint_eye(canvas: Canvas, head: Head, eyes: _Eyes, side: int) -> None:
    narrow = head.narrowing(side * eyes.apart)
    eye = canvas.window(head.across(side * eyes.apart), eyes.level, 0.34, 0.24)
    out = eye.u * (side / narrow)  # from the nose outwards
    rise = eye.v + eyes.tilt * out
    along = out / eyes.wide
    # The lids: something between a parabola, which is pointed at the corners, and its root, an ellipse.
    arc = np.clip(1 - along * along, 0, 1)
    arc = eyes.round * np.sqrt(arc) + (1 - eyes.round) * arc
    top, bottom = -eyes.open * arc, 0.62 * eyes.open * arc
    limits = np.abs(out) - eyes.wide
    if eyes.shadow:
        eye.paint(0.4 * eye.bump(0.02 * side, -eyes.open - 0.02, eyes.wide * 1.3, 0.10), eyes.shadow)
    # The crease above the lid, and the bag below the eye.
    crease = np.abs(rise - top + 0.035) - 0.008
    eye.shade(eye.inside(np.maximum(crease, limits), 1.5), -0.30, (0.8, 1, 1))
    eye.shade(eye.bump(0, eyes.open + 0.05, eyes.wide, 0.06), -0.10 - 0.15 * head.age, (0.8, 1, 1))
    ball = eye.inside(np.maximum.reduce([top - rise, rise - bottom, limits]))
    if eyes.closed:
        eye.paint(ball, scaled(head.skin, 0.86))
    else:
        _paint_ball(eye, head, eyes, ball, rise - top, narrow)
    line = (rise - bottom if eyes.closed else rise - top) + 0.004
    lash = eye.inside(np.maximum(np.abs(line) - 0.014 - 0.006 * eyes.lashes, np.abs(out - 0.01) - eyes.wide - 0.015))
    eye.paint(eyes.lashes * lash, scaled(_brow_colour(head), 0.35))
    if eyes.lid and not eyes.closed:
        eye.paint(ball * eye.inside(rise - top - eyes.lid * eyes.open), scaled(head.skin, 0.80))


def _paint_ball(eye: Window, head: Head, eyes: _Eyes, ball: Field, below_lid: Field, narrow: float) -> None:
    """The white, the iris, the pupil, and the light that is mirrored in it."""
    eye.paint(ball, (0.93, 0.92, 0.90))
    # The shadow of the lid and its lashes.
    eye.shade(eye.inside(below_lid - 0.03, 2) * ball, -0.28)
    # Who turns the head looks further to that side.
    u, v = eyes.look[0] + 0.10 * math.sin(head.yaw), eyes.look[1] - 0.012
    disc = eye.ellipse(u, v, eyes.size * max(narrow, 0.5), eyes.size)
    eye.paint(ball * eye.inside(disc), eyes.iris)
    eye.shade(ball * eye.inside(np.abs(disc + 0.01) - 0.012), -0.4)
    eye.paint(ball * eye.inside(disc + 0.55 * eyes.size), (0.04, 0.03, 0.03))
    eye.paint(0.9 * ball * eye.bump(u + 0.03 * head.light, v - 0.03, 0.035, 0.035), (1.0, 1.0, 1.0))


def _paint_brow(canvas: Canvas, head: Head, eyes: _Eyes, brows: _Brows, side: int) -> None:
    brow = canvas.window(head.across(side * (eyes.apart + 0.01)), eyes.level - brows.up, 0.36, 0.22)
    out = brow.u * (side / head.narrowing(side * eyes.apart))
    reach = out / (eyes.wide * 1.45)
    curve = brow.v + brows.arch * (1 - (reach - 0.25) ** 2) - 0.03 + brows.slope * out
    # Thick by the nose, thin at the temple.
    thin = brows.thick * np.clip(1.15 - 0.55 * reach, 0.3, 1.2)
    hairs = brow.inside(np.maximum(np.abs(curve) - thin, np.abs(out) - eyes.wide * 1.45), 1.4)
    brow.paint((0.55 + 0.4 * head.masculine) * hairs, _brow_colour(head))


def _brow_colour(head: Head) -> Colour:
    return scaled(head.hair, 0.72)


@dataclass(frozen=True)
class _Glasses:
    dark: bool
    corner: float  # exponent of the outline: 2 is an ellipse
    wide: float  # half of a glass
    high: float
    thick: float  # half of the frame
    frame: Colour
    down: float = 0.01  # v


def paint_glasses(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """Glasses, some of them dark."""
    glasses = _Glasses(
        dark=rng.happens(0.22),
        corner=rng.uniform(2.0, 5.0),
        wide=rng.triangular(0.25, 0.03),
        high=rng.triangular(0.19, 0.04),
        thick=rng.uniform(0.014, 0.034),
        frame=rng.colour(FRAME, 0.03),
    )
    for side in (-1, 1):
        _paint_glass(canvas, head, glasses, side)
    thick = glasses.thick
    bridge = canvas.window(head.across(0), glasses.down - 0.03, 0.1, 0.08)
    bridge.paint(bridge.inside(np.maximum(np.abs(bridge.v) - thick, np.abs(bridge.u) - 0.075)), glasses.frame)


def _paint_glass(canvas: Canvas, head: Head, glasses: _Glasses, side: int) -> None:
    """A glass with its frame, and the arm to the ear."""
    high, corner, thick = glasses.high, glasses.corner, glasses.thick
    glass = canvas.window(head.across(side * 0.315), glasses.down, 0.36, 0.3)
    width = glasses.wide * head.narrowing(side * 0.315)
    # A superellipse, from round to nearly a rectangle.
    far = (np.abs(glass.u / width) ** corner + np.abs(glass.v / high) ** corner) ** (1 / corner) * high - high
    inside = glass.inside(far)
    if glasses.dark:
        tone = 0.10 + 0.16 * (glass.v + 0.2)
        glass.paint(0.92 * inside, lit(np.maximum(tone, 0), WHITE))
    gleam = glass.bump(-0.08, -0.06, 0.12, 0.06) * inside
    glass.paint(0.25 * gleam, (1.0, 1.0, 1.0))
    glass.paint(glass.inside(np.abs(far) - thick), glasses.frame)
    # The arm on the side that the head turns away from the viewer is hidden.
    temple = canvas.window(side * head.width * 0.9, glasses.down - 0.05, 0.2, 0.1)
    arm = np.maximum(np.abs(temple.v) - thick, np.abs(temple.u) - 0.16)
    temple.paint(temple.inside(arm) * (1 if side * head.yaw < 0.15 else 0), scaled(glasses.frame, 0.9))
