"""Finds the data set that settings name."""

import dataclasses
import os
from pathlib import Path

from rlgan.errors import DataError
from rlgan.settings import absolute, is_import_here, resolve
from rlgan.text.corpora import DATASETS
from rlgan.text.corpora.files import load_text
from rlgan.text.corpora.layouts import stop_token
from rlgan.text.corpora.oracle import from_directory, is_oracle
from rlgan.text.corpora.reading import naming_a_large_text
from rlgan.text.corpus import Corpus
from rlgan.text.settings import CorpusSettings


def load_corpus(settings: CorpusSettings) -> tuple[str, Corpus]:
    """Read or generate the corpus that settings name.

    Returns:
        What the data is called, an absolute path where it is one, and the corpus.

    Raises:
        DataError: it can't be had or does not fit the settings.
        UsageError: a name that is to be imported can't be.
    """
    if settings.data in DATASETS or is_import_here(settings.data):
        corpus: Corpus = resolve(settings.data, DATASETS)(settings)
        # A data set from outside may say otherwise than its layout, by which rollouts are ended.
        due = stop_token(corpus.layout, corpus.words)
        if corpus.stop_token != due:
            raise DataError(
                f"the corpus of {settings.data} has the layout {corpus.layout} and the stop token {corpus.stop_token}, "
                f"not {due}: give that, or another layout"
            )
        # Said, and not refused: there are runs that began so.
        if settings.data in DATASETS and settings.tokens != "words":
            note = (
                f"warning: {settings.data} is made of words, and --tokens {settings.tokens} does not take them apart, "
                "but writes them without blanks: leave it out"
            )
            corpus = dataclasses.replace(corpus, notes=(*corpus.notes, note))
        if settings.data in DATASETS and Path(settings.data).exists():
            note = f"{settings.data} is the built-in data set; what lies here by that name is ./{settings.data}"
            corpus = dataclasses.replace(corpus, notes=(note, *corpus.notes))
        return settings.data, corpus
    # Absolute, since the run may be resumed or evaluated from another directory.
    path = absolute("--data", settings.data)
    if not os.path.lexists(path):
        # What is no path at all may be the name of a data set, mistyped.
        named = "" if os.sep in settings.data else f"; the data sets by name are {' and '.join(DATASETS)}"
        raise DataError(f"--data {settings.data}: No such file or directory ({path}){named}")
    with naming_a_large_text(path):
        return str(path), from_directory(path, settings) if is_oracle(path) else load_text(path, settings)
