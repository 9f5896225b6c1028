"""The words of a text: which ones are in the vocabulary, words to tokens, and tokens to words.

A token is the index of its word. `<unk>` stands for every word that the vocabulary does not have, `<eos>` ends each
line of a text.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.types import AnyTokens, Tokens

UNKNOWN = "<unk>"
END = "<eos>"
LARGEST_VOCABULARY = 10_000  # unless a size is asked for


def rank_words(words: Sequence[str], counts: NDArray[np.int64], size: int | None, name: str) -> tuple[str, ...]:
    """`<unk>`, `<eos>` and the most frequent other words; words of the same frequency in the order of Unicode.

    Args:
        words: all that there are, each once.
        counts: how often the text has each, int64 [words]; 0: it does not.
        size: of the vocabulary; None: all words, but at most 10,000.
        name: what errors call the text.

    Raises:
        DataError: the text does not have so many words, or none of its own.

    Example:
        >>> rank_words(["dog", "<eos>", "cat", "a", "and"], np.array([1, 1, 1, 2, 1]), size=4, name="pets")
        ('<unk>', '<eos>', 'a', 'and')
    """
    # A text may hold them itself; their places are the first ones in any case.
    own = np.fromiter((word not in (UNKNOWN, END) for word in words), np.bool_, len(words))
    counts = counts * own
    available = int(np.count_nonzero(counts)) + 2
    if available < 3:
        raise DataError(f"{name} has no words but <unk> and <eos>: give a text that has some")
    wanted = min(LARGEST_VOCABULARY, available) if size is None else size
    if not 3 <= wanted <= available:
        raise DataError(
            f"vocabulary of {wanted}: {name} has {available} words, <unk> and <eos> included: ask for 3 to {available}"
        )
    # Of millions of words only those that may be chosen are sorted.
    least = np.partition(counts, len(counts) - (wanted - 2))[len(counts) - (wanted - 2)]
    chosen = sorted((-int(counts[number]), words[number]) for number in np.flatnonzero(counts >= least).tolist())
    return (UNKNOWN, END, *(word for _, word in chosen[: wanted - 2]))


def to_tokens(text: Sequence[str], words: Sequence[str]) -> Tokens:
    """The tokens of the words of a text, int64 [words].

    Example:
        >>> to_tokens(["a", "yak", "<eos>"], ("<unk>", "<eos>", "a"))
        array([2, 0, 1])
    """
    index = {word: token for token, word in enumerate(words)}
    return np.array([index[word] if word in index else index[UNKNOWN] for word in text], dtype=np.int64)


def spoken_tokens(words: Sequence[str], tokens: AnyTokens) -> list[list[int]]:
    """Those tokens of rows [N, T] that stand for a word: without `<eos>` and the places where no word stands.

    Example:
        >>> spoken_tokens(("<unk>", "<eos>", "a", "cat"), np.array([[2, 3, 1, 4]]))
        [[2, 3]]
    """
    end = words.index(END) if END in words else -1
    return [[token for token in row if token < len(words) and token != end] for row in tokens.tolist()]


def to_words(words: Sequence[str], tokens: AnyTokens) -> list[list[str]]:
    """Write rows of tokens [N, T] out in words, without `<eos>` and without the places where no word stands.

    Example:
        >>> to_words(("<unk>", "<eos>", "a", "cat"), np.array([[2, 3, 1, 4]]))
        [['a', 'cat']]
    """
    return [[words[token] for token in row] for row in spoken_tokens(words, tokens)]


def to_text(words: Sequence[str], tokens: AnyTokens, join: str = " ") -> list[str]:
    """Write rows of tokens [N, T] out as texts, without `<eos>` and without the places where no word stands.

    Example:
        >>> to_text(("<unk>", "<eos>", "a", "cat"), np.array([[2, 3, 1, 4]]))
        ['a cat']

    Args:
        words: token -> word.
        tokens: [N, T].
        join: what stands between two words.
    """
    return [join.join(row) for row in to_words(words, tokens)]
