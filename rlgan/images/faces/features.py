"""Nose, mouth and beard."""

import math
from dataclasses import dataclass

import numpy as np

from rlgan.images.faces.canvas import Canvas, Colour, Field, Window, lit, scaled
from rlgan.images.faces.head import Head, outline
from rlgan.images.faces.sampler import LIPSTICK, Sampler


def paint_nose(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """The nose, by its light and shadow alone."""
    middle, turn = head.across(0), 0.30 * math.sin(head.yaw)
    tip, width = rng.triangular(0.36, 0.06), rng.triangular(0.135 + 0.02 * head.masculine, 0.045)
    tip_u = middle + turn * 0.5
    nose = canvas.window(tip_u, tip, 0.45, 0.6)
    # Which side lies in the shadow.
    dark = -1.0 if head.light > 0 else 1.0
    # The shadow beside the bridge, the bridge itself, the shadow below the tip, the tip.
    nose.shade(nose.bump(0.10 * dark, -0.16, 0.10, 0.34), -0.16, (0.85, 1, 1))
    nose.shade(nose.bump(-0.02 * dark, -0.18, 0.06, 0.30), rng.uniform(0.05, 0.16))
    nose.shade(nose.bump(0, 0.07, width * 1.5, 0.10), -0.30, (0.8, 1, 1))
    nose.shade(nose.bump(0, -0.02, width * 0.9, 0.11), 0.12)
    for side in (-1, 1):
        # A wing, and its nostril.
        nose.shade(nose.bump(side * width, 0.0, 0.07, 0.09), -0.12, (0.8, 1, 1))
        nose.shade(nose.bump(side * 0.55 * width, 0.055, 0.055, 0.04), -0.65, (0.85, 1, 1))


@dataclass(frozen=True)
class _Mouth:
    half: float  # of its width
    smile: float  # how far its corners are up
    opening: float
    upper: float  # height of each lip
    lower: float
    lips: Colour


def paint_mouth(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """Lips, and what is between them where they are open."""
    down, half = rng.triangular(0.62, 0.04), rng.triangular(0.27, 0.06) * math.cos(head.yaw)
    smile = rng.triangular(0.08, 0.16)
    opening = max(rng.triangular(-0.02, 0.14), 0) + (0.04 if smile > 0.15 else 0)
    upper = rng.triangular(0.055 - 0.02 * head.masculine, 0.025)
    lower = rng.triangular(0.08 - 0.02 * head.masculine, 0.03)
    painted = rng.happens(0.45 * (1 - head.masculine))
    lips = rng.colour(LIPSTICK, 0.04) if painted else scaled(head.skin, 0.86, 0.66, 0.64)
    window = canvas.window(head.across(0) + 0.04 * math.sin(head.yaw), down, half + 0.12, 0.45)
    mouth = _Mouth(half, smile, opening, upper, lower, lips)
    _paint_lips(window, mouth)
    _paint_opening(window, mouth, head, rng)
    for side in (-1, 1):
        # The corner of the mouth, which a smile lifts.
        window.shade(window.bump(side * half, -0.65 * smile, 0.06, 0.05), -0.30, (0.8, 1, 1))


def _paint_lips(window: Window, mouth: _Mouth) -> None:
    half, opening, lower = mouth.half, mouth.opening, mouth.lower
    along = window.u / half
    across = window.v + mouth.smile * (along * along - 0.35)
    ends = np.clip(1 - along * along, 0, 1)
    # The dent in the middle of the upper lip: Cupid's bow.
    bow = 1 - 0.35 * np.exp(-((along / 0.16) ** 2))
    above, below = -(mouth.upper * bow + 0.5 * opening) * np.sqrt(ends), (lower + 0.5 * opening) * np.sqrt(ends)
    limits = np.abs(window.u) - half
    # The shadow below the lips comes first, the gloss of the lower one last.
    window.shade(window.bump(0, lower + opening + 0.10, half * 0.7, 0.08), -0.16, (0.8, 1, 1))
    window.paint(window.inside(np.maximum.reduce([above - across, across - below, limits])), mouth.lips)
    window.shade(window.bump(0, lower * 0.6 + opening * 0.5, half * 0.5, 0.05), 0.16)


def _paint_opening(window: Window, mouth: _Mouth, head: Head, rng: Sampler) -> None:
    along = window.u / mouth.half
    across = window.v + mouth.smile * (along * along - 0.35)
    gap = 0.5 * mouth.opening * np.clip(1 - along * along, 0, 1) + 0.008
    hole = window.inside(np.maximum(np.abs(across) - gap, np.abs(window.u) - mouth.half))
    window.paint(0.85 * hole, scaled(head.skin, 0.32, 0.16, 0.15))
    if mouth.opening > 0.05 and rng.happens(0.85):
        teeth = np.maximum.reduce([-gap - across, across - (0.5 * gap), np.abs(along) - 0.82])
        window.paint(window.inside(teeth) * 0.92, (0.93, 0.91, 0.87))


def paint_beard(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """No beard, stubble, a moustache, a goatee, or a full beard."""
    kind = rng.choose(["none", "stubble", "moustache", "goatee", "full"], [2.2, 1.3, 0.5, 0.6, 1.0])
    thickness = rng.uniform(0.55, 0.95)
    if head.masculine < 0.45 or kind == "none":
        return
    colour = scaled(head.hair, rng.uniform(0.75, 1.0))
    whole = canvas.whole()
    u, v = whole.u - head.across(0), whole.v
    # Where nothing grows, the lips; and where the moustache does.
    mouth = np.clip(2.2 - (u / 0.30) ** 2 * 1.6 - ((v - 0.64) / 0.085) ** 2, 0, 1)
    lip = np.clip(1.6 * whole.bump(head.across(0), 0.515, 0.34, 0.10), 0, 1)
    cover: Field
    if kind in ("stubble", "full"):
        # Below a line over the cheeks, along the jaw and, if it is full, beyond it.
        line = rng.triangular(0.30, 0.1) + 0.10 * (0.45 - np.abs(u)) / 0.45
        far = outline(whole, head)
        chin = np.clip((v - line) / 0.14 - 1.4 * np.clip(0.42 - np.abs(u), 0, 1) * (v < 0.5), 0, 1)
        reach = 0.02 if kind == "stubble" else rng.uniform(0.04, 0.14) * (v > 0.4)
        cover = np.maximum(chin * whole.inside(far - reach, 2), lip) * (1 - mouth)
        thickness = rng.uniform(0.12, 0.30) if kind == "stubble" else thickness
    elif kind == "moustache":
        cover = lip
    else:
        chin = np.clip(1.7 * whole.bump(head.across(0), 0.84, 0.30, 0.26), 0, 1)
        cover = np.maximum(chin, lip if rng.happens(0.7) else 0 * lip) * (1 - mouth)
    # Hairs, from waves that interfere: cheaper than noise, and the same at any size.
    grain = 1 + 0.08 * np.sin(31 * whole.u + 7 * np.sin(9 * whole.v))
    whole.paint(thickness * cover, lit(grain, colour))
