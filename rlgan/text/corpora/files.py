"""Text of one's own, a sentence on each line: a directory with a file for each split, or one UTF-8 file."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlgan.errors import DataError
from rlgan.text.corpora.advice import advice, chosen_layout
from rlgan.text.corpora.build import lay_out, line_lengths
from rlgan.text.corpora.layouts import TokenStream, find_layout
from rlgan.text.corpora.reading import Numbering, Numbers, count, naming_a_large_text, read_text, renumber
from rlgan.text.corpora.splits import find_split, split_files
from rlgan.text.corpora.token_kinds import find_token_kind
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.settings import CorpusSettings
from rlgan.text.vocabulary import END, UNKNOWN

HELD_OUT = 20  # one sentence of so many is for validation, and one for the test
VALIDATION = 10  # one of so many, where a directory has no file for it


@dataclass(frozen=True)
class _Parts:
    """The three splits of a text."""

    numbers: Sequence[Numbers]
    names: Sequence[str]  # what errors call them
    layout: str
    split: str
    notes: tuple[str, ...]


def load_text(path: Path, settings: CorpusSettings) -> Corpus:
    """Load a directory with a file for each split (see `split_files`), or one UTF-8 file, a sentence on each line.

    A file is split where it stands: of its sentences the last twentieth is the test, the twentieth before it (at least
    one sentence each) validation. So windows run over true neighbours, and no split lies between another's lines.
    `settings.split` has other ways. Where a directory has no file for validation it is the last tenth of training.

    Words stand between white space; `<eos>` follows each line that is not empty.

    Args:
        path: of the directory or the file.
        settings: what a token is, T, the size of the vocabulary, and the layout and the split, by default what suits
            the text.

    Raises:
        DataError: no such text, not UTF-8, too short for a row in each split, or with fewer words than asked for.
    """
    numbering = Numbering()
    parts = (_of_directory if path.is_dir() else _of_file)(path, settings, numbering)
    corpus = lay_out(path.name, parts.numbers, numbering, settings, parts.layout, parts.names)
    notes = (*parts.notes, *advice(path, corpus, settings, parts.split))
    return dataclasses.replace(corpus, split=parts.split, notes=notes)


def _of_directory(path: Path, settings: CorpusSettings, numbering: Numbering) -> _Parts:
    files, kind = split_files(path), find_token_kind(settings.tokens)
    train, notes = read_text(files.train, numbering, kind), []
    split = settings.split or "tail"
    if files.validation is not None:
        if split != "tail":
            raise DataError(f"--split {split}: {path} has a file for each split: leave it out")
        validation = read_text(files.validation, numbering, kind)
    else:
        train, validation = _cut(files.train, train, split, numbering, VALIDATION, 1)
        notes.append(f"{path} has no file for validation: a tenth of {files.train.name} is held out for it")
    test = read_text(files.test, numbering, kind)
    layout, said = chosen_layout(line_lengths(train, numbering[END]), settings, treebank=files.treebank)
    if _cuts_lines(split, layout):  # said, and not refused: there are runs that began so
        notes.append(
            f"warning: --split words cuts a line of {files.train.name} in two, and --layout {layout} has whole ones: "
            "leave --split out, or give --layout windows"
        )
    names = [str(file) for file in (files.train, files.validation or f"{files.train}, validation", files.test)]
    return _Parts([train, validation, test], names, layout, split, (*notes, *said))


def _of_file(path: Path, settings: CorpusSettings, numbering: Numbering) -> _Parts:
    text = read_text(path, numbering, find_token_kind(settings.tokens))
    lengths = line_lengths(text, numbering[END])
    few = len(lengths) < HELD_OUT and len(text) >= HELD_OUT * settings.length
    layout, said = chosen_layout(lengths, settings, few=few)
    split = settings.split or ("words" if few and not find_layout(layout).ends_with_eos else "tail")
    if _cuts_lines(split, layout):
        raise DataError(
            f"--split words cuts within lines, and --layout {layout} needs whole ones: leave --split out, or give "
            "--layout windows"
        )
    parts = _cut(path, text, split, numbering, HELD_OUT, 2)
    names = [f"{path}, {name}" for name in ("train", "validation", "test")]
    return _Parts(parts, names, layout, split, tuple(said))


def _cuts_lines(split: str, layout: str) -> bool:
    """Whether a way to split cuts within the lines of which a layout makes whole rows."""
    return split == "words" and find_layout(layout).ends_with_eos


def _cut(path: Path, text: Numbers, split: str, numbering: Numbering, share: int, parts: int) -> list[Numbers]:
    """Cut a text into what is trained on and the held-out parts, as a name in `SPLITS` says."""
    end = numbering[END]
    lines = np.count_nonzero(text == end)
    if split != "words" and lines <= parts:
        raise DataError(f"{path} has {lines} lines of text: give {parts + 1} or more, one for each split")
    return find_split(split)(text, end, share, parts)


def encode(path: Path, words: Sequence[str], settings: CorpusSettings) -> tuple[Rows, int]:
    """Load another text in a given vocabulary: a file as a whole, or the test split of a directory as in `load_text`.

    Args:
        path: of the file or the directory.
        words: of the vocabulary, by token.
        settings: what a token is, the layout and T.

    Returns:
        The rows, and how many tokens of the text were unknown words and became `<unk>` (its own `<unk>` not counted).

    Raises:
        DataError: no such text, not UTF-8, too short for one row, or the vocabulary has no words for it.
    """
    if END not in words:
        raise DataError(
            f"{path} can't be read: this run's vocabulary has no {END}; the oracle's has numbers, which no text has"
        )
    file, numbering = split_files(path).test if path.is_dir() else path, Numbering()
    kind = find_token_kind(settings.tokens)
    numbers = read_text(file, numbering, kind)
    tokens = {word: token for token, word in enumerate(words)}
    counts = zip(numbering.words, count(numbers, len(numbering)).tolist(), strict=True)
    # The marks of reading have numbers too, and are nowhere in a text that was read.
    strangers = {word: number for word, number in counts if number and word not in tokens}
    if strangers and UNKNOWN not in tokens:
        raise DataError(
            f"{path} has the word {next(iter(strangers))!r}, not in the run's vocabulary, which has no {UNKNOWN}"
        )
    table = [tokens.get(word, tokens.get(UNKNOWN, 0)) for word in numbering.words]
    renumber(numbers, np.array(table, np.int32))
    stream = TokenStream(str(file), numbers, tokens[END], len(words))
    return find_layout(str(settings.layout)).rows(stream, settings.length).take(slice(None)), sum(strangers.values())


def with_test(corpus: Corpus, path: Path, settings: CorpusSettings) -> tuple[Corpus, int]:
    """A corpus with another test set, in its vocabulary, and how many words of the new one that does not have.

    Raises:
        DataError: it can't be read.
    """
    with naming_a_large_text(path):
        rows, unknown = encode(path, corpus.words, settings)
    # The new text is not written in the known language, so that its floor is unknown.
    return dataclasses.replace(corpus, test=rows, true_log_probs=None), unknown
