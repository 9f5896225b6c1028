"""Text of one's own, a sentence on each line: a directory like the Penn Treebank's, or one UTF-8 file."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rlgan.errors import DataError
from rlgan.text.corpora.build import build_corpus
from rlgan.text.corpora.layouts import TokenStream, find_layout
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.settings import CorpusSettings
from rlgan.text.vocabulary import END, to_tokens

HELD_OUT = 20  # one sentence of so many is for validation, and one for the test


def load_text(path: Path, settings: CorpusSettings) -> Corpus:
    """Load a directory with `ptb.{train,valid,test}.txt`, or one UTF-8 file, a sentence on each line.

    A file is split where it stands: of its sentences the last twentieth is the test, the twentieth before it (at least
    one sentence each) validation. So windows run over true neighbours, and no split lies between another's lines.

    Words stand between white space; `<eos>` follows each line that is not empty.

    Args:
        path: of the directory or the file.
        settings: the layout (by default windows), T and the size of the vocabulary; see `build_vocabulary`.

    Raises:
        DataError: no such text, not UTF-8, too short for a row in each split, or with fewer words than asked for.
    """
    if path.is_dir():
        files = [path / f"ptb.{split}.txt" for split in ("train", "valid", "test")]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise DataError(f"{path} has no {', '.join(missing)}: name a directory with all three, or one text file")
        return build_corpus(path.name, [_read(file) for file in files], settings, [str(file) for file in files])
    sentences = _read(path)
    if len(sentences) < 3:
        raise DataError(f"{path} has {len(sentences)} lines of text: give 3 or more, one for each split")
    held_out = max(len(sentences) // HELD_OUT, 1)
    splits = [sentences[: -2 * held_out], sentences[-2 * held_out : -held_out], sentences[-held_out:]]
    return build_corpus(path.name, splits, settings, [f"{path}, {split}" for split in ("train", "validation", "test")])


def encode(path: Path, words: Sequence[str], length: int, layout: str) -> tuple[Rows, int]:
    """Load another text in a given vocabulary: a file as a whole, or the test split of a directory as in `load_text`.

    Returns:
        The rows, and how many tokens of the text were unknown words and became `<unk>` (its own `<unk>` not counted).

    Raises:
        DataError: no such text, not UTF-8, too short for one row, or the vocabulary is not of words.
    """
    if END not in words:
        raise DataError(f"{path} can't be read: the words of this run are the oracle's numbers, which no text has")
    file = path / "ptb.test.txt" if path.is_dir() else path
    tokens, unknown = to_tokens(_read(file), words)
    return find_layout(layout).rows(TokenStream(str(file), tokens, words.index(END), len(words)), length), unknown


def with_test(corpus: Corpus, path: Path) -> tuple[Corpus, int]:
    """A corpus with another test set, in its vocabulary, and how many words of the new one that does not have.

    Raises:
        DataError: it can't be read.
    """
    rows, unknown = encode(path, corpus.words, corpus.test.tokens.shape[1], corpus.layout)
    # The new text is not written in the known language, so that its floor is unknown.
    return dataclasses.replace(corpus, test=rows, true_log_probs=None), unknown


def _read(file: Path) -> list[list[str]]:
    """The words of each line that has any, `<eos>` at the end (not twice where the text has it)."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    try:
        # Some editors begin a file with a byte order mark; it would become part of the first word.
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file} is not UTF-8: {error.reason} at byte {error.start}, on line {line}") from error
    # Not `splitlines`: it ends lines at characters which other programs count as white space.
    sentences = [words if words[-1] == END else [*words, END] for line in text.split("\n") if (words := line.split())]
    if not sentences:
        raise DataError(f"{file} has no words")
    return sentences
