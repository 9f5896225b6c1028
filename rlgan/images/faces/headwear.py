"""Hats and scarves."""

import numpy as np

from rlgan.images.faces.canvas import Canvas, ellipse_distance, lit
from rlgan.images.faces.head import Head, outline
from rlgan.images.faces.sampler import CLOTH, Sampler


def paint_hat(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """A hat of wool, a cap, or a hat with a brim, and its shadow on the forehead."""
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    cloth, other = rng.colour(CLOTH, 0.06), rng.colour(CLOTH, 0.06)
    kind = rng.choose(["wool", "cap", "brim"], [1, 1, 0.7])
    edge = rng.uniform(-0.52, -0.38)
    width, height = head.width + 0.12, rng.uniform(1.10, 1.28)
    # A brim is seen from a little below: it bends.
    bent = v + 0.10 * u * u
    body = np.maximum(ellipse_distance(u, v, width, height), bent - edge)
    shadow = np.maximum(np.abs(u) - head.width, np.maximum(bent - edge - 0.14, edge - bent))
    whole.shade(whole.inside(shadow, 3), -0.22)
    light = 0.95 + 0.18 * head.light * u - 0.12 * (np.abs(u) / width) ** 2
    if kind == "wool":
        light = light + 0.07 * np.sin(30 * u)
    whole.paint(whole.inside(body), lit(light, cloth))
    if kind == "wool":
        cuff = np.maximum(np.abs(bent - edge + 0.07) - 0.09, np.abs(u) - width - 0.01)
        whole.paint(whole.inside(cuff), lit(0.88 * light, other))
    else:
        out = width + (0.02 if kind == "cap" else 0.38)
        peak = ellipse_distance(u - head.across(0), bent - edge, out, 0.085)
        whole.paint(whole.inside(peak), lit(0.72 * light, cloth))
        if kind == "brim":
            whole.paint(whole.inside(np.maximum(np.abs(bent - edge + 0.12) - 0.05, np.abs(u) - width)), other)


def paint_scarf(canvas: Canvas, head: Head, rng: Sampler) -> None:
    """A scarf that leaves the face free."""
    whole = canvas.whole()
    u, v = canvas.u, canvas.v
    cloth = rng.colour(CLOTH, 0.06)
    width = head.width + rng.uniform(0.10, 0.20)
    outer = np.where(v < 0.2, ellipse_distance(u, v - 0.2, width, 1.38), np.abs(u) - width - 0.3 * (v - 0.2))
    hole = np.hypot((u - head.across(0)) / (0.88 * head.width), (v - 0.18) / rng.uniform(0.74, 0.82)) - 1
    # The opening leaves the face free, and never reaches beyond it.
    open_ = np.maximum(0.6 * head.width * hole, outline(whole, head) + 0.03)
    cover = whole.inside(np.maximum(outer, -open_))
    folds = 0.92 + 0.10 * np.sin(9 * u + 6 * np.abs(v - 0.3)) + 0.15 * head.light * u
    folds = folds - 0.1 * np.exp(-((hole / 0.15) ** 2))
    whole.shade(whole.inside(np.abs(open_) - 0.03, 3), -0.2)
    whole.paint(cover, lit(folds, cloth))
