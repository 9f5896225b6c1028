"""The spaces of a page, and the numbers that it is shown in."""

from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

Observation: TypeAlias = NDArray[Any]  # of obs_dtype


def number_type(name: str, largest: int) -> np.dtype[Any]:
    """Return the numpy type of that name, which must hold every whole number up to `largest`.

    Raises:
        ValueError: if there is no such type, or it does not.

    Example:
        >>> number_type("float32", largest=10_000)
        dtype('float32')
    """
    try:
        dtype = np.dtype(name)
    except TypeError as error:
        raise ValueError(f"obs_dtype {name!r} is not a type of numpy: give int64 or float32, for example.") from error
    if dtype.kind not in "iuf":
        raise ValueError(f"obs_dtype {name!r} is not a type of numbers: give int64 or float32, for example.")
    # One more bit than is stored: a mantissa begins with a 1 that is not written.
    exact = 2 ** (np.finfo(dtype).nmant + 1) if dtype.kind == "f" else np.iinfo(dtype).max
    if exact < largest:
        raise ValueError(f"obs_dtype {name!r} is exact up to {exact}, vocab_size is {largest}: give a wider type.")
    return dtype


def page_space(vocab_size: int, max_length: int, dtype: np.dtype[Any]) -> Box:
    """Return the space of a page's tokens, `vocab_size` where it is blank.

    Example:
        >>> space = page_space(vocab_size=4, max_length=2, dtype=np.dtype(np.int64))
        >>> np.array([3, 4]) in space, np.array([3, 5]) in space  # 4 is a blank, 5 is nothing
        (True, False)
    """
    return Box(0, vocab_size, (max_length,), dtype.type)


def vocab_size_of(actions: gymnasium.Space[Any] | None) -> int:
    """Return the number of tokens of a text environment's action space.

    Raises:
        ValueError: if its actions are not tokens.

    Example:
        >>> vocab_size_of(Discrete(7))
        7
    """
    if not isinstance(actions, Discrete):
        raise ValueError(f"The action space is {actions}, not Discrete(V): the actions must be tokens.")
    return int(actions.n)
