"""Hair: its colour, its style, what is behind the head and what is before it."""

from dataclasses import dataclass

import numpy as np

from rlgan.images.faces.canvas import Canvas, Colour, Field, ellipse_distance, lit
from rlgan.images.faces.head import Head
from rlgan.images.faces.headwear import paint_hat, paint_scarf
from rlgan.images.faces.sampler import DARK_HAIR, DYED_HAIR, GREY_HAIR, LIGHT_HAIR, Sampler


@dataclass(frozen=True)
class HairStyle:
    """A style by its name, and its measures in head coordinates."""

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


def hair_colour(rng: Sampler, skin: Colour, age: float) -> Colour:
    """A colour of hair; who has dark skin mostly has dark hair, and who is old may have grey."""
    light = 1.2 * max(skin[0] - 0.65, 0)
    kind = rng.choose(["dark", "light", "grey", "dyed"], [0.6, light, 2.0 * max(age - 0.6, 0), 0.03])
    return rng.colour({"dark": DARK_HAIR, "light": LIGHT_HAIR, "grey": GREY_HAIR, "dyed": DYED_HAIR}[kind], 0.02)


def _style_weights(head: Head) -> dict[str, float]:
    man, woman = head.masculine, 1 - head.masculine
    return {
        "short": 0.6 + 1.6 * man,
        "side": 0.5 + 1.4 * man,
        "fringe": 0.7 + 0.4 * woman,
        "long": 2.2 * woman,
        "bob": 1.3 * woman,
        "curly": 0.9,
        "buzz": 0.2 + 0.8 * man,
        "bald": 0.7 * man * (0.4 + head.age),
        "receding": 1.2 * man * head.age,
        "bun": 0.8 * woman,
        "hat": 0.45,
        "scarf": 0.25 * woman,
    }


def hair_style(rng: Sampler, head: Head) -> HairStyle:
    """A style that suits the head."""
    weights = _style_weights(head)
    name = rng.choose(list(weights), list(weights.values()))
    part = rng.triangular(0, 0.40)
    length = _length(rng, head, name)
    # Where a style has its own measure, the number for the others is drawn all the same: see `draw`.
    volumes = {"buzz": 0.02, "bald": 0.0, "receding": 0.04, "curly": rng.uniform(0.16, 0.42), "bun": 0.05}
    volume = volumes.get(name, rng.uniform(0.06, 0.20))
    lines = {"fringe": rng.uniform(-0.42, -0.26), "receding": rng.uniform(-0.92, -0.78), "hat": -0.42}
    line = lines.get(name, rng.triangular(-0.60, 0.10))
    left, right = rng.uniform(0.15, 0.65), rng.uniform(0.15, 0.65)
    if name == "side":
        part = rng.uniform(0.25, 0.5) * (1 if rng.happens(0.5) else -1)
        left, right = (0.25, 0.9) if part > 0 else (0.9, 0.25)
    fall = {"fringe": 0.04, "buzz": 0.16, "receding": 0.5, "bun": 0.3}.get(name)
    if fall is not None:
        left = right = fall
    short = name in ("short", "side", "buzz", "receding", "hat")
    sides = rng.uniform(-0.05, 0.22) if short else (rng.uniform(0.2, 0.6) if length else 0.0)
    curl = {"curly": rng.uniform(0.6, 1.0)}.get(name, rng.uniform(0.0, 0.35))
    return HairStyle(name, volume, length, line, part, left, right, sides, curl, 0.75 if name == "buzz" else 1.0)


def _length(rng: Sampler, head: Head, name: str) -> float:
    length = {"long": rng.uniform(1.1, 1.9), "bob": rng.uniform(0.5, 1.0)}.get(name, 0.0)
    if name == "fringe":
        return rng.uniform(0.5, 1.7) * rng.happens(0.6 * (1 - head.masculine) + 0.1)
    if name == "curly":
        return rng.uniform(0.2, 1.3) * rng.happens(0.7)
    return length


def hair_texture(canvas: Canvas, head: Head, style: HairStyle) -> Field:
    """Colour of hair wherever it may lie: strands, and a gloss; float32 [3, size, size]."""
    u, v = canvas.u, canvas.v
    # Strands run down and apart; those of curls are spots, from waves in both directions.
    bent = u * (1.0 + 0.25 * v) + 0.05 * np.sin(5 * v + 3 * style.part)
    straight = np.sin(24 * bent + 2 * np.sin(11 * u)) * 0.09
    if style.curl > 0.5:
        straight = 0.11 * np.sin(15 * u + 3 * np.sin(9 * v)) * np.sin(15 * v + 3 * np.sin(8 * u + 1))
    # A band of light around the crown, as smooth hair has.
    gloss = 0.30 * np.exp(-(((v + 0.74 - 0.35 * u * u) / 0.13) ** 2)) * (1 + 0.5 * head.light * u)
    light = 0.95 + straight + gloss + 0.12 * head.light * u - 0.08 * np.maximum(v, 0)
    return np.maximum(lit(light, head.hair) + 0.04 * gloss, 0)


def paint_hair_behind(canvas: Canvas, head: Head, style: HairStyle, texture: Field) -> None:
    """Long hair behind the head and on the shoulders."""
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    wave = style.curl * 0.07 * np.sin(9 * v + 2) * np.sin(7 * u + 1)
    width = head.width + style.volume + 0.05 + 0.05 * np.clip(v, 0, 2) + wave
    far = np.maximum(np.abs(u) - width, v - style.length + 0.25 * np.abs(u))
    crown = np.where(v < 0, np.hypot(u / width, v / (1.02 + style.volume)) * head.width - head.width, far)
    whole.paint(whole.inside(crown), 0.62 * texture)


def paint_hair(canvas: Canvas, head: Head, style: HairStyle, texture: Field, rng: Sampler) -> None:
    """Hair around the face, and what is worn on it."""
    if style.name == "bald":
        shine = canvas.window(head.across(0) + 0.15 * head.light, -0.72, 0.4, 0.3)
        shine.shade(shine.bump(0, 0, 0.32, 0.18), 0.20)
        return
    if style.name == "scarf":
        paint_scarf(canvas, head, rng)
        return
    whole = canvas.whole()
    region = _region(canvas, head, style)
    # Its shadow on the forehead comes first.
    whole.shade(whole.inside(region - 0.05, 4), -0.16, (0.9, 1, 1))
    whole.paint(whole.inside(region, 1.3) * style.cover, texture)
    if style.name == "side" or (style.length > 0 and abs(style.part) > 0.05):
        off = canvas.u - head.across(0) - style.part
        seam = np.maximum(np.abs(off) - 0.012, canvas.v - style.line)
        whole.shade(whole.inside(np.maximum(seam, -0.98 - canvas.v), 1.5), -0.25)
    if style.name == "bun":
        _paint_bun(canvas, head, rng)
    if style.name == "hat":
        paint_hat(canvas, head, rng)


def _region(canvas: Canvas, head: Head, style: HairStyle) -> Field:
    """Distance to where there is hair before the head: on the skull and above the face, or beside it."""
    u, v = canvas.u, canvas.v
    turned = u - head.across(0)
    wave = style.curl * 0.06 * (np.sin(13 * u + 3) + np.sin(12 * v + 5 * u))
    # The outside of the hair: an ellipse around the skull.
    width, height = head.width + 0.03 + style.volume * 0.8, 1.02 + style.volume
    outer = ellipse_distance(u, v, width, height) - wave
    # The hair line above the face falls from the part to both sides.
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
    region: Field = np.maximum(outer, np.minimum(above, sides))
    return region


def _paint_bun(canvas: Canvas, head: Head, rng: Sampler) -> None:
    top = canvas.window(rng.triangular(0, 0.3), -1.1, 0.4, 0.4)
    bun = top.inside(top.ellipse(0, 0, 0.28, 0.24))
    light = 0.9 + 0.25 * top.bump(0.08 * head.light, -0.08, 0.2, 0.16) + 0.1 * np.sin(30 * top.u + 20 * top.v)
    top.paint(bun, lit(light, head.hair))
