"""Corpora of text: words in, rows of tokens out.

A text is read as one stream of tokens, each line followed by `<eos>`, and laid out in rows of T tokens: as `windows`
cut from the stream, or as `sentences`, one in a row.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.rng import Purpose, stream
from rlgan.settings import absolute
from rlgan.text.settings import CorpusSettings
from rlgan.text.stories import END, UNKNOWN, stories

Layout = str  # a name in LAYOUTS
LARGEST_VOCABULARY = 10_000  # unless a size is asked for
HELD_OUT = 20  # one sentence of so many is for validation, and one for the test


@dataclass(frozen=True, eq=False)
class Rows:
    """N rows of a text; V is the size of the vocabulary."""

    tokens: NDArray[np.int64]  # [N, T] V where nothing stands
    mask: NDArray[np.bool_]  # [N, T] true where a token counts: the first tokens of a row, or all


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text in three splits, in one vocabulary."""

    name: str
    words: tuple[str, ...]  # token -> word, with `<unk>` and `<eos>` where it is a text
    train: Rows
    validation: Rows
    test: Rows
    stop_token: int | None  # `<eos>` where it ends a row, None where rows are windows
    true_log_probs: Callable[[Rows], NDArray[np.float64]] | None = None  # rows -> ln P [N], of a known language

    def floor_perplexity(self, rows: Rows) -> float | None:
        """The perplexity of the language itself on `rows` of this corpus, per counted token; None where unknown."""
        if self.true_log_probs is None:
            return None
        return float(np.exp(-self.true_log_probs(rows).sum() / rows.mask.sum()))

    def with_test(self, path: Path, settings: CorpusSettings) -> "tuple[Corpus, int]":
        """The same with another test set, in this vocabulary, and how many of its words that does not have.

        Raises:
            DataError: it can't be read.
        """
        rows, unknown = encode(path, self.words, settings.length, settings.layout or "windows")
        return dataclasses.replace(self, test=rows, true_log_probs=None), unknown

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the vocabulary and of all rows: the same exactly where the data is the same."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        for rows in (self.train, self.validation, self.test):
            digest.update(f"\n{rows.tokens.shape}".encode())
            digest.update(rows.tokens.astype("<i8").tobytes())
            digest.update(rows.mask.tobytes())
        return digest.hexdigest()


def load_corpus(settings: CorpusSettings) -> tuple[str, str, Corpus]:
    """Read or generate the corpus that settings name.

    Returns:
        What the data is called, an absolute path where it is one; the layout; and the corpus.

    Raises:
        DataError: it can't be had or does not fit the settings.
    """
    data, length, size = settings.data, settings.length, settings.vocab_size
    if data == "oracle":
        from rlgan.text import oracle  # it builds on this module

        layout = settings.layout or "windows"
        if layout == "sentences" or size not in (None, oracle.VOCAB_SIZE):
            raise DataError(
                f"the oracle writes windows of {oracle.VOCAB_SIZE} words: leave --layout and --vocab-size out"
            )
        return data, layout, oracle.load_oracle(length)
    if data == "stories":
        layout = settings.layout or "sentences"
        corpus = load_stories(length, layout)
        if size not in (None, len(corpus.words)):
            raise DataError(f"the stories have {len(corpus.words)} words and need them all: leave --vocab-size out")
        return data, layout, corpus
    path = absolute("--data", data)
    layout = settings.layout or "windows"
    return str(path), layout, load_text(path, size, length, layout)


def load_stories(
    length: int, layout: Layout, seed: int = 0, train_count: int = 20_000, held_out_count: int = 1_000
) -> Corpus:
    """Tell a corpus of stories: the splits come from streams of their own.

    Args:
        length: tokens in a row, T; the longest story has 20 with its `<eos>`.
        layout: of the rows.
        seed: of the text, not of the run, so that runs can be compared.
        train_count: stories in the training split.
        held_out_count: stories in each of the other two.

    Raises:
        DataError: a split is shorter than one window.
    """
    automaton = stories()
    end = automaton.words.index(END)
    splits = [
        _lay_out(
            automaton.sample(stream(seed, Purpose.STORIES, split), count),
            end,
            len(automaton.words),
            length,
            layout,
            f"stories, {name}",
        )
        for split, (name, count) in enumerate(
            [("train", train_count), ("validation", held_out_count), ("test", held_out_count)]
        )
    ]
    return _corpus("stories", automaton.words, splits, layout, partial(_story_log_probs, layout))


def load_text(path: Path, vocab_size: int | None, length: int, layout: Layout) -> Corpus:
    """Load a directory with `ptb.{train,valid,test}.txt`, or one UTF-8 file, a sentence on each line.

    A file is split where it stands: of its sentences the last twentieth is the test, the twentieth before it (at least
    one sentence each) validation. So windows run over true neighbours, and no split lies between another's lines.

    Words stand between white space; `<eos>` follows each line that is not empty. The vocabulary is `<unk>`, `<eos>`
    and, of the other words of the training split, the most frequent, among equals the first in the order of Unicode.

    Args:
        path: of the directory or the file.
        vocab_size: how many words, with `<unk>` and `<eos>`; None: all that the training split has, at most 10,000.
        length: tokens in a row, T.
        layout: of the rows.

    Raises:
        DataError: no such text, not UTF-8, too short for a row in each split, or with fewer words than asked for.
    """
    if path.is_dir():
        files = [path / f"ptb.{split}.txt" for split in ("train", "valid", "test")]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise DataError(f"{path} has no {', '.join(missing)}: name a directory with all three, or one text file")
        splits = [_read(file) for file in files]
        names = [str(file) for file in files]
    else:
        sentences = _read(path)
        if len(sentences) < 3:
            raise DataError(f"{path} has {len(sentences)} lines of text: give 3 or more, one for each split")
        held_out = max(len(sentences) // HELD_OUT, 1)
        splits = [sentences[: -2 * held_out], sentences[-2 * held_out : -held_out], sentences[-held_out:]]
        names = [f"{path}, {split}" for split in ("train", "validation", "test")]

    words = _vocabulary(splits[0], vocab_size, names[0])
    rows = [
        _lay_out(_tokens(split, words)[0], words.index(END), len(words), length, layout, name)
        for split, name in zip(splits, names, strict=True)
    ]
    return _corpus(path.name, words, rows, layout, None)


def encode(path: Path, words: Sequence[str], length: int, layout: Layout) -> tuple[Rows, int]:
    """Load another text in a given vocabulary: a file as a whole, or the test split of a directory as in `load_text`.

    Returns:
        The rows, and how many tokens of the text were unknown words and became `<unk>` (its own `<unk>` not counted).

    Raises:
        DataError: no such text, not UTF-8, or too short for one row.
    """
    if END not in words:
        raise DataError(f"{path} can't be read: the words of this run are the oracle's numbers, which no text has")
    file = path / "ptb.test.txt" if path.is_dir() else path
    tokens, unknown = _tokens(_read(file), words)
    return _lay_out(tokens, words.index(END), len(words), length, layout, str(file)), unknown


def to_text(words: Sequence[str], tokens: NDArray[np.int64]) -> list[str]:
    """Write rows [N, T] out in words; places with no word, and `<eos>`, are left out."""
    spoken = [word if word != END else "" for word in words]
    return [" ".join(spoken[token] for token in row if token < len(words) and spoken[token]) for row in tokens.tolist()]


def unigram_perplexity(corpus: Corpus, rows: Rows) -> float:
    """The perplexity on `rows` of the words' frequencies in training: what a model without context reaches.

    A word that training does not have counts as if it had been there once.
    """
    counts = np.bincount(corpus.train.tokens[corpus.train.mask], minlength=len(corpus.words))
    log_probs = np.log(np.maximum(counts, 1) / np.maximum(counts, 1).sum())
    return float(np.exp(-log_probs[rows.tokens[rows.mask]].mean()))


def batch(rows: Rows, size: int, index: int, seed: int) -> Rows:
    """Batch `index` of the endless reading of `rows`: pass after pass, each in an order of its own.

    A pure function of its arguments. Batches follow each other without gap or overlap, also from one pass to the next.
    """
    count = len(rows.tokens)
    passes, places = np.divmod(np.arange(index * size, (index + 1) * size), count)
    chosen = np.concatenate([_order(count, seed, int(pass_))[places[passes == pass_]] for pass_ in np.unique(passes)])
    return Rows(rows.tokens[chosen], rows.mask[chosen])


@lru_cache(maxsize=4)
def _order(count: int, seed: int, pass_: int) -> NDArray[np.int64]:
    order = stream(seed, Purpose.REAL, pass_).permutation(count)
    order.setflags(write=False)  # the cache gives the same array to all
    return order


def _read(file: Path) -> list[list[str]]:
    """The words of each line that has any, `<eos>` at the end (not twice where the text has it)."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file} is not UTF-8: {error.reason} at byte {error.start}, on line {line}") from error
    # Not `splitlines`: it ends lines at characters which other programs count as white space.
    sentences = [words if words[-1] == END else [*words, END] for line in text.split("\n") if (words := line.split())]
    if not sentences:
        raise DataError(f"{file} has no words")
    return sentences


def _vocabulary(sentences: list[list[str]], size: int | None, name: str) -> tuple[str, ...]:
    counts = Counter(word for sentence in sentences for word in sentence)
    del counts[END], counts[UNKNOWN]
    available = len(counts) + 2
    if size is None:
        size = min(LARGEST_VOCABULARY, available)
    if not 3 <= size <= available:
        raise DataError(
            f"vocabulary of {size}: {name} has {available} words, <unk> and <eos> too: ask for 3 to {available}"
        )
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return (UNKNOWN, END, *ranked[: size - 2])


def _tokens(sentences: list[list[str]], words: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """The stream of tokens, int64 [tokens], and how many of them are unknown words."""
    index = {word: token for token, word in enumerate(words)}
    tokens = np.array([index.get(word, -1) for sentence in sentences for word in sentence], dtype=np.int64)
    unknown = tokens < 0
    tokens[unknown] = index[UNKNOWN]
    return tokens, int(unknown.sum())


def _lay_out(tokens: NDArray[np.int64], end: int, blank: int, length: int, layout: Layout, name: str) -> Rows:
    """Lay a stream, int64 [tokens], which ends with `end`, out in rows of `length`.

    `windows` are cut in order, without overlap, and the tail is dropped; a row of `sentences` is one, with its `end`,
    cut or filled with `blank`.
    """
    if layout == "windows":
        count = len(tokens) // length
        if count == 0:
            raise DataError(
                f"{name} has {len(tokens)} tokens, not one window of {length}: give more text or a smaller length"
            )
        rows = tokens[: count * length].reshape(count, length)
        return Rows(rows, np.ones_like(rows, dtype=np.bool_))
    stops = np.flatnonzero(tokens == end)
    starts = np.concatenate([[0], stops[:-1] + 1])
    places = starts[:, None] + np.arange(length)
    mask = places <= stops[:, None]
    return Rows(np.where(mask, tokens[np.minimum(places, len(tokens) - 1)], blank), mask)


def _corpus(
    name: str,
    words: tuple[str, ...],
    splits: Sequence[Rows],
    layout: Layout,
    true_log_probs: Callable[[Rows], NDArray[np.float64]] | None,
) -> Corpus:
    stop_token = words.index(END) if layout == "sentences" else None
    train, validation, test = splits
    return Corpus(name, words, train, validation, test, stop_token, true_log_probs)


def _story_log_probs(layout: Layout, rows: Rows) -> NDArray[np.float64]:
    return stories().log_probs(rows.tokens, rows.mask, from_start=layout == "sentences")
