"""The built-in stories as a corpus."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.rng import Purpose, stream
from rlgan.text.corpora.layouts import TokenStream, find_layout, stop_token
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.settings import CorpusSettings
from rlgan.text.stories import stories
from rlgan.text.vocabulary import END


def from_settings(settings: CorpusSettings) -> Corpus:
    """The stories, by default in sentences.

    Raises:
        DataError: another size of the vocabulary is asked for than they have, or a split is shorter than one window.
    """
    corpus = load_stories(settings.length, settings.layout or "sentences")
    if settings.vocab_size not in (None, len(corpus.words)):
        raise DataError(f"the stories have {len(corpus.words)} words and need them all: leave --vocab-size out")
    return corpus


def load_stories(
    length: int, layout: str, seed: int = 0, train_count: int = 20_000, held_out_count: int = 1_000
) -> Corpus:
    """Tell a corpus of stories: the splits come from streams of their own.

    Args:
        length: tokens in a row, T; the longest story has 20 with its `<eos>`.
        layout: of the rows, a name in `LAYOUTS`.
        seed: of the text, not of the run, so that runs can be compared.
        train_count: stories in the training split.
        held_out_count: stories in each of the other two.

    Raises:
        DataError: a split is shorter than one window.
    """
    language, laid_out = stories(), find_layout(layout)
    end = language.words.index(END)
    # A stream for each split: another number of training stories leaves the held-out ones as they are.
    train, validation, test = (
        laid_out.rows(
            TokenStream(
                f"stories, {name}",
                language.sample(stream(seed, Purpose.STORIES, split), count),
                end,
                len(language.words),
            ),
            length,
        ).take(slice(None))
        for split, (name, count) in enumerate(
            [("train", train_count), ("validation", held_out_count), ("test", held_out_count)]
        )
    )
    # A function of this module and not the automaton's method: it is pickled with the corpus, and a process that
    # gets it compiles an automaton of its own.
    true_log_probs = partial(_log_probs, laid_out.ends_with_eos)
    stop = stop_token(layout, language.words)
    return Corpus("stories", language.words, train, validation, test, stop, true_log_probs, layout)


def _log_probs(from_start: bool, rows: Rows) -> NDArray[np.float64]:
    return stories().log_probs(rows.tokens, rows.mask, from_start=from_start)
