"""How a stream of tokens becomes rows of T."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rlgan.errors import DataError
from rlgan.settings import resolve
from rlgan.text.corpora import LAYOUTS
from rlgan.text.corpus import Rows
from rlgan.text.vocabulary import END
from rlgan.types import AnyTokens

CHUNK = 2**15  # rows that are laid out together


@dataclass(frozen=True)
class TokenStream:
    """A text as one stream, each line followed by `<eos>`."""

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
    """

    rows: Callable[[TokenStream, int], Rows]
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


def sentences(stream: TokenStream, length: int) -> Rows:
    """Give every line a row, with its `<eos>`: cut where it is longer, filled up with V where it is shorter.

    Example:
        >>> sentences(TokenStream("text", np.array([2, 1, 3, 3, 1]), end=1, vocab_size=4), length=3).tokens
        array([[2, 1, 4],
               [3, 3, 1]])
    """
    stops = np.flatnonzero(stream.tokens == stream.end)
    starts = np.concatenate([[0], stops[:-1] + 1])
    tokens = np.empty((len(stops), length), stream.tokens.dtype)
    mask = np.empty(tokens.shape, np.bool_)
    # By and by: the places of all rows at once would take as much memory as the text, four times.
    for first in range(0, len(stops), CHUNK):
        part = slice(first, first + CHUNK)
        places = starts[part, None] + np.arange(length)
        mask[part] = places <= stops[part, None]
        # Places behind the end of the stream are read from its last token, and do not count.
        read = stream.tokens[np.minimum(places, len(stream.tokens) - 1)]
        tokens[part] = np.where(mask[part], read, stream.vocab_size)
    return Rows(tokens, mask)


WINDOWS = Layout(windows, ends_with_eos=False)
SENTENCES = Layout(sentences, ends_with_eos=True)


def find_layout(name: str) -> Layout:
    """The layout of a name in `LAYOUTS`, or `module:object`."""
    layout: Layout = resolve(name, LAYOUTS)
    return layout


def stop_token(layout: str, words: Sequence[str]) -> int | None:
    """The token that ends a row: that of `<eos>`, or None where a row ends at its last place alone.

    Raises:
        DataError: the layout ends rows with `<eos>`, and the words have none.
    """
    if not find_layout(layout).ends_with_eos:
        return None
    if END not in words:
        raise DataError(f"the layout {layout} ends rows with {END}, which is none of the {len(words)} words")
    return words.index(END)
