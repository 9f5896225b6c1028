"""A finite-state automaton that says one word per transition: text without end, of known probability."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rlgan.text.vocabulary import END

Belief = tuple[tuple[int, float], ...]  # what a reader knows, as (state, probability), sorted


@dataclass(frozen=True, eq=False)
class Automaton:
    """Says one word per transition, tells a story from state 0 to `<eos>` and begins again in state 0, for ever.

    The transitions are sorted by source, then word, then target. The last state, `anywhere`, leads where the middle of
    the endless text leads: its transitions are those of all others, weighted by the stationary distribution.
    """

    words: tuple[str, ...]  # `<unk>` (never said), `<eos>`, then by alphabet
    sources: NDArray[np.int64]  # [E]
    emitted: NDArray[np.int64]  # [E] indices into words
    targets: NDArray[np.int64]  # [E]
    probabilities: NDArray[np.float64]  # [E] of the transition, given its source
    mean_length: float  # words in a story, with `<eos>`

    @property
    def anywhere(self) -> int:
        """The state of which nothing is known but that the text has gone on for ever."""
        return int(self.sources[-1])

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Tell `count` stories, one after another: int64 [tokens], each story with its `<eos>`."""
        end = self.words.index(END)
        # Source + distribution function rises over all transitions, so that one search serves every state.
        cumulative = np.cumsum(self.probabilities)
        first = np.searchsorted(self.sources, self.sources)
        scale = self.sources + (cumulative - cumulative[first] + self.probabilities[first])
        last = np.append(self.sources[1:] != self.sources[:-1], True)
        # Exact, since a sum that is rounded below 1 would let a draw fall into the next state's transitions.
        scale[last] = self.sources[last] + 1.0
        states = np.zeros(count, dtype=np.int64)
        telling = np.arange(count)
        columns = []
        while len(telling):
            # From the right: a draw on a boundary belongs to what begins there.
            edges = np.searchsorted(scale, states[telling] + rng.random(len(telling)), side="right")
            column = np.full(count, -1)
            column[telling] = self.emitted[edges]
            states[telling] = self.targets[edges]
            columns.append(column)
            telling = telling[self.emitted[edges] != end]
        stories = np.stack(columns, axis=1)
        return stories[stories >= 0]

    def log_probs(self, tokens: NDArray[np.int64], mask: NDArray[np.bool_], *, from_start: bool) -> NDArray[np.float64]:
        """The log-probability of each row: the forward algorithm, a sum over every path that says these words.

        Args:
            tokens: int64 [N, T], indices into `words`, or len(words) where nothing stands.
            mask: bool [N, T], true for a row's tokens and false after them; what stands there does not count.
            from_start: rows begin where a story does; else anywhere in the endless text.

        Returns:
            float64 [N], natural logarithm, -inf where no path says the row.
        """
        count, length = tokens.shape
        radix = len(self.words) + 1  # the blank counts as a word that is never said
        keys = self.sources * radix + self.emitted
        result = np.zeros(count)
        # One entry for each state that a row may be in; the weights of a row sum to 1.
        rows = np.arange(count)
        states = np.full(count, 0 if from_start else self.anywhere)
        weights = np.ones(count)
        for t in range(length):
            wanted = states * radix + tokens[rows, t]
            first = np.searchsorted(keys, wanted, side="left")
            fan = np.searchsorted(keys, wanted, side="right") - first
            edges = np.arange(fan.sum()) + np.repeat(first - (np.cumsum(fan) - fan), fan)
            rows = np.repeat(rows, fan)
            weights = np.repeat(weights, fan) * self.probabilities[edges]
            places, entry = np.unique(rows * (self.anywhere + 1) + self.targets[edges], return_inverse=True)
            arriving, weights = weights, np.zeros(len(places))
            # Not `weights[entry] +=`, which counts one alone of several paths that arrive in the same state.
            np.add.at(weights, entry, arriving)
            rows, states = np.divmod(places, self.anywhere + 1)
            likelihood = np.zeros(count)
            np.add.at(likelihood, rows, weights)
            # A row that no path says has no entry left: its likelihood is 0, and its logarithm rightly minus infinity.
            with np.errstate(divide="ignore"):
                result += np.where(mask[:, t], np.log(likelihood), 0.0)
            # Back to a sum of 1 at each word: a long row's probability underflows, the sum of logarithms does not.
            weights /= likelihood[rows]
        return result

    @cached_property
    def entropy(self) -> float:
        """Bits per story, exactly; divided by `mean_length` it is the entropy rate of the endless text.

        The state is hidden, so this follows what a reader knows, a distribution over states. Stories are finite, and so
        is the tree of what can be known.
        """
        moves = self._moves()
        end = self.words.index(END)
        bits = 0.0
        reached: dict[Belief, float] = {((0, 1.0),): 1.0}
        while reached:
            following: dict[Belief, float] = defaultdict(float)
            for belief, mass in reached.items():
                heard: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
                for state, weight in belief:
                    for word, target, probability in moves[state]:
                        heard[word][target] += weight * probability
                for word, targets in heard.items():
                    likelihood = sum(targets.values())
                    bits -= mass * likelihood * np.log2(likelihood)
                    if word != end:
                        # Rounded, so that what is known in two ways is met as one.
                        known = tuple(sorted((state, round(p / likelihood, 12)) for state, p in targets.items()))
                        following[known] += mass * likelihood
            reached = following
        return float(bits)

    def _moves(self) -> dict[int, list[tuple[int, int, float]]]:
        """The (word, target, probability) of each transition, by source."""
        moves: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
        columns = (self.sources, self.emitted, self.targets, self.probabilities)
        for source, word, target, probability in zip(*(column.tolist() for column in columns), strict=True):
            moves[source].append((word, target, probability))
        return moves
