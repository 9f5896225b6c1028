"""Builds a corpus from sentences: what every data set of words needs."""

from collections.abc import Sequence

from rlgan.text.corpora.layouts import TokenStream, find_layout, stop_token
from rlgan.text.corpus import Corpus
from rlgan.text.settings import CorpusSettings
from rlgan.text.vocabulary import END, build_vocabulary, to_tokens

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
    # Of the training text alone: a word that only the test has is unknown to a generator.
    words = build_vocabulary(splits[0], settings.vocab_size, names[0])
    layout, end = settings.layout or "windows", words.index(END)
    streams = [
        TokenStream(part, to_tokens(split, words)[0], end, len(words))
        for split, part in zip(splits, names, strict=True)
    ]
    train, validation, test = (find_layout(layout).rows(each, settings.length) for each in streams)
    return Corpus(name, words, train, validation, test, stop_token(layout, words), layout=layout)
