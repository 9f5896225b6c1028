"""A trained discriminator for agents of anybody's: an `envs.Scorer` that knows its vocabulary and reads text."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envs import Scorer, State
from rlgan.errors import UsageError
from rlgan.task import Reduction
from rlgan.text.vocabulary import END, UNKNOWN, to_text, to_tokens
from rlgan.types import AnyTokens, Float, Tokens

# [tokens of a text] -> its score
REDUCTIONS: dict[Reduction, Callable[[Float], float]] = {
    "sum": lambda log_odds: float(log_odds.sum()),
    "mean": lambda log_odds: float(log_odds.mean()),
    "last": lambda log_odds: float(log_odds[-1]),
}


class TextScorer:
    """A trained discriminator: implements `envs.Scorer`, and scores texts as a whole.

    Args:
        scorer: reads tokens with the discriminator; of a structured one (`rlgan.text.forms`), against tokens drawn
            uniformly, or against a generator's.
        vocabulary: its words, by token.
        max_length: T, the most tokens in a text.
        stop_token: `<eos>` where it ends a text, or None.
        split: cuts a text, of one line, into tokens.
        join: what stands between two of them in a text.

    Attributes:
        vocabulary: the words, by token.
        env_kwargs: `vocab_size`, `max_length` and `stop_token` of the environment that the discriminator was trained
            in: `gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs)`.

    Example:
        >>> from envs import PrefixScorer
        >>> likes_cats = PrefixScorer(lambda texts: np.where(texts[:, -1] == 2, 3.0, -1.0), context=1)
        >>> scorer = TextScorer(likes_cats, ("<unk>", "<eos>", "cat"), max_length=4, stop_token=1)
        >>> scorer.score_text(["cat", "a cat"])  # 3 - 1 and -1 + 3 - 1: <eos> is read too
        [2.0, 1.0]
        >>> scorer.score_text(["cat", "a cat"], reduce="last")
        [-1.0, -1.0]
    """

    def __init__(
        self,
        scorer: Scorer,
        vocabulary: Sequence[str],
        max_length: int,
        stop_token: int | None,
        split: Callable[[str], Sequence[str]] = str.split,
        join: str = " ",
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.env_kwargs: dict[str, Any] = {
            "vocab_size": len(self.vocabulary),
            "max_length": max_length,
            "stop_token": stop_token,
        }
        self._scorer = scorer
        self._max_length = max_length
        self._stop_token = stop_token
        self._split = split
        self._join = join

    def start(self, count: int) -> State:
        """The state before any token: arrays with leading axis `count`."""
        return self._scorer.start(count)

    def score(self, state: State, tokens: Tokens, /) -> tuple[State, Float]:
        """Read the next token of every sequence, int64 [N]; how real each looks so far, log-odds float32 [N]."""
        return self._scorer.score(state, tokens)

    def tokens(self, text: str) -> Tokens:
        """The tokens of the words of a text, int64 [n], of any length; those that are not known are `<unk>`.

        Raises:
            UsageError: a word is not known, and the vocabulary has no `<unk>`.
        """
        return self._numbers(self._words(text))

    def text(self, tokens: AnyTokens) -> str:
        """What tokens [n] say, without `<eos>`."""
        return to_text(self.vocabulary, tokens[np.newaxis], self._join)[0]

    def score_text(self, texts: Sequence[str], reduce: Reduction = "sum") -> list[float]:
        """Score texts by the log-odds that the discriminator gives after each token.

        Words stand between white space, unless the run's are characters; those that the vocabulary does not have are
        read as `<unk>`. Where `<eos>` ends the texts of the corpus, it is read behind every text that has room for it.

        Args:
            texts: each of `max_length` words at most.
            reduce: of the log-odds of a text's tokens, the "sum" (the return of an episode with the reward rule
                `log_odds`), the "mean", or the "last", which is of the text as a whole.

        Returns:
            A score for each text.

        Raises:
            UsageError: a text is longer, has no words where no `<eos>` ends a text, goes on after `<eos>`, or has a
                word for which the vocabulary has no `<unk>`; or there is no such reduction.
        """
        # A string is a sequence of letters, each of which would be scored as a text.
        if isinstance(texts, str):
            raise UsageError("score_text was given one text: give a list of texts")
        if reduce not in REDUCTIONS:
            raise UsageError(f"reduce is {reduce!r}: give one of {', '.join(REDUCTIONS)}")
        rows = [self._tokens(number, text) for number, text in enumerate(texts)]
        log_odds = self._log_odds(rows)
        return [REDUCTIONS[reduce](read[: len(row)]) for row, read in zip(rows, log_odds, strict=True)]

    def _tokens(self, number: int, text: str) -> Tokens:
        """The tokens of a text, with `<eos>` where it belongs."""
        words, room = self._words(text.strip()), self._max_length
        if self._stop_token is not None:
            words = words[:-1] if words[-1:] == [END] else words
            if END in words:
                raise UsageError(f"text {number} goes on after {END}, which ends a text: leave it out")
        if len(words) > room:
            raise UsageError(f"text {number} has {len(words)} words; the discriminator reads {room} at most: cut it")
        if self._stop_token is not None and len(words) < room:
            words = [*words, END]
        if not words:
            raise UsageError(f"text {number} has no words")
        try:
            return self._numbers(words)
        except UsageError as error:
            raise UsageError(f"text {number}: {error}") from None

    def _words(self, text: str) -> list[str]:
        # What splits marks the end of a line, which in a corpus ends a text; here it is white space as any other.
        return list(self._split(" ".join(text.splitlines())))

    def _numbers(self, words: Sequence[str]) -> Tokens:
        strange = [word for word in words if word not in self.vocabulary] if UNKNOWN not in self.vocabulary else []
        if strange:
            raise UsageError(f"there is the word {strange[0]!r}, and the vocabulary has no {UNKNOWN}")
        return to_tokens(words, self.vocabulary)

    def _log_odds(self, rows: Sequence[Tokens]) -> Float:
        """The log-odds after each token, float32 [N, T]; what stands behind the end of a row is not to be used."""
        longest = max(map(len, rows), default=0)
        # Filled up with 0, a token of every vocabulary: rows do not depend on each other, nor on what comes later.
        tokens = np.zeros((len(rows), longest), np.int64)
        for place, row in zip(tokens, rows, strict=True):
            place[: len(row)] = row
        log_odds = np.zeros(tokens.shape, np.float32)
        state = self.start(len(rows)) if rows else ()
        for t in range(longest):
            state, log_odds[:, t] = self.score(state, np.ascontiguousarray(tokens[:, t]))
        return log_odds
