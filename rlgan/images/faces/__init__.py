"""Faces drawn by a program: a set of pictures that needs no download. `draw.py` shows how a face comes about."""

from rlgan.images.faces.draw import VERSION, draw

__all__ = ["VERSION", "draw"]
