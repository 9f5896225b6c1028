"""How a stream of tokens becomes rows of T."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.settings import resolve
from rlgan.text.corpora import LAYOUTS
from rlgan.text.corpus import Places, Rows, RowSource
from rlgan.text.vocabulary import END
from rlgan.types import AnyTokens

BLOCK = 2**20  # tokens that are looked at together


@dataclass(frozen=True)
class TokenStream:
    """A text as one stream, each line followed by `<eos>`.

    Example:
        >>> stream = TokenStream("two lines", np.array([2, 1, 3, 3, 1]), end=1, vocab_size=4)
        >>> windows(stream, length=3).shape, sentences(stream, length=3).shape
        ((1, 3), (2, 3))
    """

    name: str  # what errors call it
    tokens: AnyTokens  # [tokens]
    end: int  # the token of `<eos>`, which the last one is
    vocab_size: int  # stands in a row where no token does


@dataclass(frozen=True)
class Layout:
    """A way to lay out text.

    Args:
        rows: a stream and T -> rows; raises `DataError` where the stream is too short.
        ends_with_eos: whether `<eos>` ends a row, so that a generator which writes it has finished its row.

    Example:
        >>> def backwards(stream, length):  # windows that are read from the right
        ...     rows = windows(stream, length)
        ...     return Rows(rows.tokens[:, ::-1], rows.mask)
        >>> stream = TokenStream("text", np.array([2, 1, 3, 3]), end=1, vocab_size=4)
        >>> Layout(backwards, ends_with_eos=False).rows(stream, 2).tokens.tolist()
        [[1, 2], [3, 3]]
    """

    rows: Callable[[TokenStream, int], RowSource]
    ends_with_eos: bool


def windows(stream: TokenStream, length: int) -> Rows:
    """Cut the stream into windows in order, without overlap; the tail that fills none is dropped.

    Example:
        >>> windows(TokenStream("text", np.array([2, 1, 3, 3, 1]), end=1, vocab_size=4), length=2).tokens
        array([[2, 1],
               [3, 3]])

    Raises:
        DataError: there is not one window.
    """
    count = len(stream.tokens) // length
    if count == 0:
        raise DataError(
            f"{stream.name} has {len(stream.tokens)} tokens, not one window of {length}: give more text or a smaller "
            "--length"
        )
    rows = stream.tokens[: count * length].reshape(count, length)
    # A single value, seen at every place: the mask of a large text takes no memory.
    return Rows(rows, np.broadcast_to(np.True_, rows.shape))


def sentences(stream: TokenStream, length: int) -> RowSource:
    """Give every line a row, with its `<eos>`: cut where it is longer, filled up with V where it is shorter.

    Example:
        >>> sentences(TokenStream("text", np.array([2, 1, 3, 3, 1]), end=1, vocab_size=4), length=3).tokens
        array([[2, 1, 4],
               [3, 3, 1]])
    """
    return _Sentences(stream, _stops(stream), length)


def _stops(stream: TokenStream) -> NDArray[np.integer[Any]]:
    """Where each line has its `<eos>`, [N]: in blocks and in 4 bytes where that will do, since a text may be large."""
    kind = np.int32 if len(stream.tokens) < 2**31 else np.int64
    blocks = (
        (np.flatnonzero(stream.tokens[first : first + BLOCK] == stream.end) + first).astype(kind)
        for first in range(0, len(stream.tokens), BLOCK)
    )
    return np.concatenate([np.empty(0, kind), *blocks])


# Compared by identity: `==` of two arrays is an array.
@dataclass(frozen=True, eq=False)
class _Sentences:
    """Rows that are made of the text when they are asked for: filled up, all of them would take more than the text."""

    stream: TokenStream
    stops: NDArray[np.integer[Any]]  # [N] where each line has its `<eos>`
    length: int

    @property
    def tokens(self) -> AnyTokens:
        return self.take(slice(None)).tokens

    @property
    def mask(self) -> NDArray[np.bool_]:
        return self.take(slice(None)).mask

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.stops), self.length

    def take(self, places: Places, /) -> Rows:
        stream, count = self.stream, len(self.stops)
        which = np.arange(*places.indices(count)) if isinstance(places, slice) else places
        starts = np.where(which == 0, 0, self.stops[which - 1] + 1)
        stops = self.stops[which, None]
        read = starts[:, None] + np.arange(self.length)
        mask = read <= stops
        # Places behind the end of the stream are read from its last token, and do not count.
        tokens = stream.tokens[np.minimum(read, len(stream.tokens) - 1)]
        return Rows(np.where(mask, tokens, stream.vocab_size), mask)


WINDOWS = Layout(windows, ends_with_eos=False)
SENTENCES = Layout(sentences, ends_with_eos=True)


def find_layout(name: str) -> Layout:
    """The layout of a name in `LAYOUTS`, or `module:object`.

    Example:
        >>> find_layout("windows").ends_with_eos, find_layout("sentences").ends_with_eos
        (False, True)
    """
    layout: Layout = resolve(name, LAYOUTS)
    return layout


def stop_token(layout: str, words: Sequence[str]) -> int | None:
    """The token that ends a row: that of `<eos>`, or None where a row ends at its last place alone.

    Raises:
        DataError: the layout ends rows with `<eos>`, and the words have none.

    Example:
        >>> stop_token("windows", ("<unk>", "<eos>", "a")), stop_token("sentences", ("<unk>", "<eos>", "a"))
        (None, 1)
    """
    if not find_layout(layout).ends_with_eos:
        return None
    if END not in words:
        raise DataError(f"the layout {layout} ends rows with {END}, which is none of the {len(words)} words")
    return words.index(END)
