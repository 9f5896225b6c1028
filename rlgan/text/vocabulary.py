"""The words of a text: which ones are in the vocabulary, words to tokens, and tokens to words.

A token is the index of its word. `<unk>` stands for every word that the vocabulary does not have, `<eos>` ends each
line of a text.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from rlgan.errors import DataError
from rlgan.types import Tokens

UNKNOWN = "<unk>"
END = "<eos>"
LARGEST_VOCABULARY = 10_000  # unless a size is asked for


def build_vocabulary(sentences: Sequence[Sequence[str]], size: int | None, name: str) -> tuple[str, ...]:
    """`<unk>`, `<eos>` and the most frequent other words; words of the same frequency in the order of Unicode.

    Args:
        sentences: the words of each line.
        size: of the vocabulary; None: all words, but at most 10,000.
        name: what errors call the text.

    Raises:
        DataError: the text does not have so many words.

    Example:
        >>> build_vocabulary([["a", "cat", "and", "a", "dog", "<eos>"]], size=4, name="pets")
        ('<unk>', '<eos>', 'a', 'and')
    """
    counts = Counter(word for sentence in sentences for word in sentence)
    # A text may hold them itself; their places are the first ones in any case.
    del counts[END], counts[UNKNOWN]
    available = len(counts) + 2
    if size is None:
        size = min(LARGEST_VOCABULARY, available)
    if not 3 <= size <= available:
        raise DataError(
            f"vocabulary of {size}: {name} has {available} words, <unk> and <eos> included: ask for 3 to {available}"
        )
    # Not `most_common`, which leaves words of the same frequency in the order in which the text has them.
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return (UNKNOWN, END, *ranked[: size - 2])


def to_tokens(sentences: Sequence[Sequence[str]], words: Sequence[str]) -> tuple[Tokens, int]:
    """The stream of tokens of all sentences, int64 [tokens], and how many of them are unknown words.

    Example:
        >>> to_tokens([["a", "yak", "<eos>"]], ("<unk>", "<eos>", "a"))
        (array([2, 0, 1]), 1)
    """
    index = {word: token for token, word in enumerate(words)}
    # First as -1, so that a text's own `<unk>` is not counted among the unknown words.
    tokens = np.array([index.get(word, -1) for sentence in sentences for word in sentence], dtype=np.int64)
    unknown = tokens < 0
    if unknown.any():
        tokens[unknown] = index[UNKNOWN]
    return tokens, int(unknown.sum())


def to_text(words: Sequence[str], tokens: Tokens) -> list[str]:
    """Write rows of tokens [N, T] out in words, without `<eos>` and without the places where no word stands.

    Example:
        >>> to_text(("<unk>", "<eos>", "a", "cat"), np.array([[2, 3, 1, 4]]))
        ['a cat']
    """
    spoken = [word if word != END else "" for word in words]
    return [" ".join(spoken[token] for token in row if token < len(words) and spoken[token]) for row in tokens.tolist()]
