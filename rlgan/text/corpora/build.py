"""Builds a corpus from text in numbers, or from sentences: what every data set of words needs."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rlgan.text.corpora.account import account_of
from rlgan.text.corpora.layouts import TokenStream, find_layout, stop_token
from rlgan.text.corpora.reading import Numbering, Numbers, count, renumber
from rlgan.text.corpus import Corpus
from rlgan.text.settings import CorpusSettings
from rlgan.text.vocabulary import END, UNKNOWN, rank_words

Sentences = Sequence[Sequence[str]]  # the words of each line, `<eos>` at the end
SPLITS = ("train", "validation", "test")


def build_corpus(
    name: str, splits: Sequence[Sentences], settings: CorpusSettings, names: Sequence[str] = SPLITS
) -> Corpus:
    """Lay out the sentences of the three splits, in the vocabulary of the first.

    Args:
        name: of the corpus, for people.
        splits: to train, to validate and to test.
        settings: the layout (by default windows), T and the size of the vocabulary.
        names: what errors call the splits.

    Raises:
        DataError: a split is too short for a row, or has fewer words than asked for.
    """
    numbering = Numbering()
    numbers = [numbering.numbers(list(chain.from_iterable(split))) for split in splits]
    return lay_out(name, numbers, numbering, settings, settings.layout or "windows", names)


def lay_out(
    name: str,
    splits: Sequence[Numbers],
    numbering: Numbering,
    settings: CorpusSettings,
    layout: str,
    names: Sequence[str] = SPLITS,
) -> Corpus:
    """Lay out three splits in numbers, in the vocabulary of the first; the arrays are overwritten.

    Raises:
        DataError: a split is too short for a row, or has fewer words than asked for.

    Example:
        >>> numbering, lines = Numbering(), ("a cat <eos> a cat <eos>", "a dog <eos>", "a cat <eos>")
        >>> splits = [numbering.numbers(line.split()) for line in lines]
        >>> corpus = lay_out("pets", splits, numbering, CorpusSettings(length=4), layout="sentences")
        >>> corpus.words, corpus.validation.tokens.tolist()  # training has no dog
        (('<unk>', '<eos>', 'a', 'cat'), [[2, 0, 1, 4]])
    """
    counts = [count(split, len(numbering)) for split in splits]
    # Of the training text alone: a word that only the test has is unknown to a generator.
    words = rank_words(numbering.words, counts[0], settings.vocab_size, names[0])
    table = np.full(len(numbering), words.index(UNKNOWN), np.int32)
    for token, word in enumerate(words):
        table[numbering[word]] = token
    for split in splits:
        renumber(split, table)
    end = words.index(END)
    # Of the words that stand in the text: its own `<unk>` is as known as any.
    for each in counts:
        each[[numbering[UNKNOWN], numbering[END]]] = 0
    account = account_of(
        [line_lengths(split, end) for split in splits], counts, table == words.index(UNKNOWN), settings.length
    )
    streams = [TokenStream(part, split, end, len(words)) for split, part in zip(splits, names, strict=True)]
    train, *held_out = (find_layout(layout).rows(each, settings.length) for each in streams)
    # Evaluations read these as a whole, again and again; they are a tenth of a large text at most.
    validation, test = (rows.take(slice(None)) for rows in held_out)
    return Corpus(name, words, train, validation, test, stop_token(layout, words), layout=layout, account=account)


def line_lengths(tokens: Numbers, end: int) -> NDArray[np.int64]:
    """The tokens of each line, its `<eos>` counted, int64 [lines]; what stands behind the last `<eos>` is none.

    Example:
        >>> line_lengths(np.array([5, 6, 1, 7, 1, 8], dtype=np.int32), end=1).tolist()
        [3, 2]
    """
    return np.diff(np.flatnonzero(tokens == end), prepend=-1)
