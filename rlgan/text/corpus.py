"""A corpus: rows of tokens in three splits, and the batches that training reads from them.

Where its text comes from, and how it is laid out, is in `rlgan.text.corpora`.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rlgan.rng import Purpose, stream
from rlgan.text.corpora.account import Account
from rlgan.types import AnyTokens

CHUNK = 2**12  # rows of a large corpus that are copied at a time: they fit into a processor's cache

Places = slice | NDArray[np.int64]


class RowSource(Protocol):
    """N rows of a text, which are there or are made when they are asked for; V is the size of the vocabulary."""

    @property
    def tokens(self) -> AnyTokens:
        """Of all rows [N, T], V where nothing stands: for held-out rows, or where there is memory for all of them."""
        ...

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Of all rows [N, T], true where a token counts: the first tokens of a row, or all."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """N and T."""
        ...

    def take(self, places: Places, /) -> "Rows":
        """The rows at some places."""
        ...


# Compared by identity (eq=False), here and below: `==` of two arrays is an array.
@dataclass(frozen=True, eq=False)
class Rows:
    """N rows of a text; V is the size of the vocabulary.

    Example:
        >>> rows = Rows(np.array([[2, 1], [3, 4], [1, 5]]), np.array([[True, True], [True, True], [True, False]]))
        >>> rows.shape, rows.take(np.array([2, 0])).tokens.tolist()
        ((3, 2), [[1, 5], [2, 1]])
    """

    tokens: AnyTokens  # [N, T] V where nothing stands
    mask: NDArray[np.bool_]  # [N, T] true where a token counts: the first tokens of a row, or all

    @property
    def shape(self) -> tuple[int, ...]:
        """N and T."""
        return self.tokens.shape

    def take(self, places: Places, /) -> "Rows":
        """The rows at some places."""
        return Rows(self.tokens[places], self.mask[places])


def chunks(rows: RowSource) -> Iterator[Rows]:
    """All rows, some at a time: of a large corpus there is no memory for a copy.

    Example:
        >>> [some.shape for some in chunks(Rows(np.zeros((5000, 3), int), np.ones((5000, 3), bool)))]
        [(4096, 3), (904, 3)]
    """
    for first in range(0, rows.shape[0], CHUNK):
        yield rows.take(slice(first, first + CHUNK))


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text in three splits, in one vocabulary.

    Example:
        >>> rows = Rows(np.array([[0, 1, 1]]), np.ones((1, 3), bool))
        >>> of_a_coin = lambda rows: rows.mask.sum(axis=1) * np.log(0.5)
        >>> corpus = Corpus("coin", ("heads", "tails"), rows, rows, rows, stop_token=None, true_log_probs=of_a_coin)
        >>> round(corpus.floor_perplexity(rows), 4)
        2.0
    """

    name: str
    words: tuple[str, ...]  # token -> word, with `<unk>` and `<eos>` where it is a text
    train: RowSource
    validation: Rows
    test: Rows
    stop_token: int | None  # `<eos>` where it ends a row, None where rows are windows
    true_log_probs: Callable[[Rows], NDArray[np.float64]] | None = None  # rows -> ln P [N], of a known language
    layout: str = "windows"  # of the rows, a name in LAYOUTS
    split: str = "tail"  # of a file, a name in SPLITS
    account: Account | None = None  # of a text of people
    notes: tuple[str, ...] = ()  # lines for people: what was chosen for this text, and what is off

    def floor_perplexity(self, rows: Rows) -> float | None:
        """The perplexity of the language itself on `rows` of this corpus, per counted token; None where unknown."""
        if self.true_log_probs is None:
            return None
        return float(np.exp(-self.true_log_probs(rows).sum() / rows.mask.sum()))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the vocabulary and of all rows: the same exactly where the data is the same."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        for rows in (self.train, self.validation, self.test):
            digest.update(f"\n{rows.shape}".encode())
            # In one byte order on every machine, so that the fingerprint is the same.
            for some in chunks(rows):
                digest.update(some.tokens.astype("<i8").tobytes())
            for some in chunks(rows):
                digest.update(some.mask.tobytes())
        return digest.hexdigest()


def seen_in_training(corpus: Corpus) -> Iterator[AnyTokens]:
    """What a generator may have learned by heart, tokens [N, T] in parts.

    The training rows; of windows, those from any place of the text.

    Example:
        >>> rows = Rows(np.array([[0, 1], [2, 0]]), np.ones((2, 2), bool))
        >>> corpus = Corpus("letters", ("a", "b", "c"), rows, rows, rows, stop_token=None)
        >>> [tokens.tolist() for tokens in seen_in_training(corpus)]  # from any place of the text
        [[[0, 1], [1, 2], [2, 0]]]
    """
    if corpus.stop_token is not None:
        for rows in chunks(corpus.train):
            yield rows.tokens
        return
    tokens = corpus.train.tokens
    # Windows of a text were cut in order and without a gap, so that they are the text again. Of rows that have other
    # neighbours, as the oracle's, some windows that were never there count as seen too. A view, which needs no memory.
    yield sliding_window_view(tokens.reshape(-1), tokens.shape[1])


def batch(rows: RowSource, size: int, index: int, seed: int) -> Rows:
    """Batch `index` of the endless reading of `rows`: pass after pass, each in an order of its own.

    A pure function of its arguments. Batches follow each other without gap or overlap, also from one pass to the next.

    Example:
        >>> rows = Rows(np.arange(6).reshape(6, 1), np.ones((6, 1), bool))
        >>> read = [batch(rows, 4, index, seed=0).tokens.ravel().tolist() for index in range(3)]
        >>> sorted(read[0] + read[1] + read[2])  # two passes in three batches
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
        >>> sorted(read[0] + read[1][:2])
        [0, 1, 2, 3, 4, 5]
    """
    count = rows.shape[0]
    passes, places = np.divmod(np.arange(index * size, (index + 1) * size), count)
    chosen = np.concatenate([_order(count, seed, int(pass_))[places[passes == pass_]] for pass_ in np.unique(passes)])
    return rows.take(chosen)


# Kept, because every batch of a pass asks for it; a batch may reach from one pass into the next.
@lru_cache(maxsize=4)
def _order(count: int, seed: int, pass_: int) -> NDArray[np.int64]:
    order = stream(seed, Purpose.REAL, pass_).permutation(count)
    order.setflags(write=False)  # the cache gives the same array to all
    return order
