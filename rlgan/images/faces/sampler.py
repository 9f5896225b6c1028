"""Random traits of a face: numbers, choices and colours, drawn one after the other from a random stream."""

import math
from collections.abc import Sequence

import numpy as np

from rlgan.images.faces.canvas import Colour

# To raise it changes no face, since a stream gives the same numbers first;
# a face that used more would end in an error.
COUNT = 400  # random numbers that a face may use

# Colours of a kind in an order in which neighbours can be mixed, as hexadecimal red, green and blue.
SKIN = "fae0cd f1cbb1 e4b696 d09e78 b5815c 926242 6e4730 4e3224"
DARK_HAIR = "161212 2c1e18 4a3020 6a482c 8c6238"
LIGHT_HAIR = "8c6238 be9456 debe80 80341a b05226"
GREY_HAIR = "787674 a8a6a4 d6d4d2"
DYED_HAIR = "c45082 466ebe 5aa082 8250aa"
IRIS = "3a2416 54361e 74542e 62703e 487860 5482aa 6e8296"
LIPSTICK = "c43040 aa283c d26e6e 963c46 dc465a"
CLOTH = "202430 3c4048 eceae6 96282c 2e568c 3a6e4c c4a054 785482 d27878 604634 468c96 e2be3c"
FRAME = "181618 503222 96969c c4a05a 821e28"


class Sampler:
    """Random traits. All numbers are drawn at once, which is cheaper than a call of the generator for each.

    Args:
        rng: a random stream of the face's own.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        # As Python's own numbers: arithmetic on one number at a time is several times as slow with numpy's.
        self._next = iter(rng.random(COUNT).tolist())

    def uniform(self, low: float, high: float) -> float:
        """A number from U[low, high)."""
        return low + (high - low) * float(next(self._next))

    def triangular(self, centre: float, reach: float) -> float:
        """A number within `reach` of the centre, near it more often than far from it."""
        return centre + reach * (float(next(self._next)) + float(next(self._next)) - 1)

    def happens(self, chance: float) -> bool:
        """Whether something of this probability happens."""
        return float(next(self._next)) < chance

    def choose(self, things: Sequence[str], weights: Sequence[float]) -> str:
        """One of the things, in proportion to the weights."""
        place = float(next(self._next)) * sum(weights)
        for thing, weight in zip(things, weights, strict=True):
            place -= weight
            if place < 0:
                return thing
        return things[-1]  # where rounding leaves a rest

    def colour(self, palette: str, spread: float = 0.05) -> Colour:
        """A colour between two neighbours of a palette, or near them."""
        colours = [bytes.fromhex(word) for word in palette.split()]
        place = self.uniform(0, len(colours) - 1)
        low = min(int(place), len(colours) - 2)
        red, green, blue = (
            min(max((one + (place - low) * (next_ - one)) / 255 + self.triangular(0, spread), 0.02), 1)
            for one, next_ in zip(colours[low], colours[low + 1], strict=True)
        )
        return red, green, blue

    def any_colour(self, low: float, high: float, saturation: float) -> Colour:
        """A colour of any hue, of a brightness in [low, high) and at most this saturation."""
        hue, value, pale = self.uniform(0, 2 * math.pi), self.uniform(low, high), saturation * self.uniform(0, 1)
        red, green, blue = (
            value * (1 - pale * (0.5 - 0.5 * math.cos(hue - third * 2 * math.pi / 3))) for third in range(3)
        )
        return red, green, blue
