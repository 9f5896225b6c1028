"""A scorer from a function of the text so far: a rule, a language model, a classifier."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.arrays import Float, Tokens, is_integer

PrefixFunction: TypeAlias = Callable[[Tokens], ArrayLike]  # texts of one length so far, int64 [n, t] -> scores [n]
State: TypeAlias = tuple[NDArray[Any], ...]


class PrefixScorer:
    """Score texts by a function of the text so far: an `envs.Scorer` whose state is the last tokens of each text.

    Each step reads the texts anew: what has a state of its own, as a recurrent network has, is better given `start` and
    `score`.

    Args:
        function: of texts of one length, int64 [n, t] with t from 1 to `context`, the newest token last, to log-odds
            [n]: above 0 where the text looks good. It must not depend on anything else.
        context: the most tokens that it is given; of longer texts the last ones.

    Raises:
        ValueError: if `context` is not a positive integer, or, in `score`, the function returns another shape.

    Example:
        >>> scorer = PrefixScorer(lambda texts: np.where(texts[:, -1] == 3, 2.0, -2.0), context=8)
        >>> scorer.score(scorer.start(2), np.array([3, 4]))[1]
        array([ 2., -2.], dtype=float32)
    """

    def __init__(self, function: PrefixFunction, context: int) -> None:
        if not is_integer(context) or context < 1:
            raise ValueError(f"context {context!r} is not a positive integer: give at least 1.")
        self._function = function
        self._context = context

    def start(self, count: int) -> State:
        """Return the state before any token: the last tokens, int64 [count, context], and how many there are."""
        return np.zeros((count, self._context), np.int64), np.zeros(count, np.int64)

    def score(self, state: State, tokens: Tokens, /) -> tuple[State, Float]:
        """Read the next token of every text, int64 [N]; what the function says of it so far, float32 [N]."""
        texts, lengths = state
        # The newest stands last, so that texts of any length end in the same place.
        texts = np.concatenate([texts[:, 1:], tokens[:, np.newaxis]], axis=1)
        lengths = np.minimum(lengths + 1, self._context)
        log_odds = np.zeros(len(tokens), np.float32)
        # In groups of one length, since texts start at different times and a function should not meet blanks.
        for length in np.unique(lengths):
            rows = lengths == length
            log_odds[rows] = self._ask(texts[rows, self._context - length :])
        return (texts, lengths), log_odds

    def _ask(self, texts: Tokens) -> NDArray[Any]:
        returned = np.asarray(self._function(texts))
        if returned.shape != (len(texts),):
            raise ValueError(
                f"The function returned shape {returned.shape}, not ({len(texts)},): give one score for each text."
            )
        return returned
