"""Action masks: which tokens an agent may choose next; for forbidden words, or for a grammar.

A mask is advice to the agent, as everywhere in Gymnasium: `info["action_mask"]`, int8 with 1 where a token is allowed,
fits `action_space.sample(mask=...)`, and `action_masks()` is what sb3-contrib's MaskablePPO asks for. The environment
takes a forbidden token all the same.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.arrays import Tokens

ActionMasks: TypeAlias = NDArray[np.int8]
MaskFunction: TypeAlias = Callable[[Tokens], ArrayLike]  # the text so far, int64 [t] -> true where allowed, [V]


def forbidding(forbidden: Sequence[int], vocab_size: int) -> ActionMasks | None:
    """Return the mask, int8 [V], that forbids these tokens always; None where there are none.

    Raises:
        ValueError: if one of them is not a token, or nothing would be left.

    Example:
        >>> forbidding([0, 2], 4)
        array([0, 1, 0, 1], dtype=int8)
    """
    if not len(forbidden):
        return None
    mask = np.ones(vocab_size, np.int8)
    for token in forbidden:
        if isinstance(token, bool) or not isinstance(token, int | np.integer) or not 0 <= token < vocab_size:
            raise ValueError(f"forbidden holds {token!r}, which is not a token: give 0 to {vocab_size - 1}.")
        mask[token] = 0
    if not mask.any():
        raise ValueError(f"forbidden holds all {vocab_size} tokens: leave at least one that is allowed.")
    return mask
