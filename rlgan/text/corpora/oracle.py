"""The synthetic benchmark of SeqGAN (Yu et al. 2017, section 4): the text of an LSTM whose parameters are random.

So text is there without end, and whatever a generator writes, `Oracle.log_probs` gives its true probability.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import DataError
from rlgan.rng import Purpose, stream
from rlgan.text.corpora.layouts import find_layout
from rlgan.text.corpus import Corpus, Rows
from rlgan.text.settings import CorpusSettings

VOCAB_SIZE = 5_000
LENGTH = 20
SIZE = 32  # of an embedding and of the state
START = 0  # stands before the first token, and is a token like all others too
CHUNK = 64  # rows at a time: more logits than these 2.5 MB would not stay in a processor's cache
BLOCK = 125  # words in a block; divides the vocabulary

# The gates side by side, and how the files of a saved oracle call them: input, forget, output, candidate.
GATES = ("i", "f", "og", "c")

# Not float32: machines round matrix products differently, and a token that the rounding moves changes the rest of its
# row. In float32, 13 of 2,000 rows differed between two processors' kernels, so the corpus would be another on another
# machine; in float64, none of 12,000.
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Oracle:
    """An LSTM with a softmax over V words, read from `START` and a zero state; E embedding size, H state size.

    Four gates stand side by side: input, forget, output, candidate; each has one bias, as in the authors' code
    (LantaoYu/SeqGAN, target_lstm.py).

    Example:
        >>> words, shapes = 250, [(1, 4), (1, 4), (4,)]
        >>> even = Oracle(np.ones((words, 1)), *map(np.zeros, shapes), np.zeros((1, words)), np.zeros(words))
        >>> even.sample(np.random.default_rng(0), count=2, length=3).shape
        (2, 3)
        >>> rows = Rows(np.array([[7, 8, 9]]), np.array([[True, True, False]]))
        >>> (even.log_probs(rows) / np.log(1 / words)).round(4)  # two tokens, any word as likely
        array([2.])
    """

    embedding: Double  # [V, E]
    from_embedding: Double  # [E, 4H]
    from_hidden: Double  # [H, 4H]
    bias: Double  # [4H]
    output: Double  # [H, V]
    output_bias: Double  # [V]

    @staticmethod
    def draw(rng: np.random.Generator) -> "Oracle":
        """Draw every parameter, biases too, from N(0, 1)."""
        # The order of the shapes is that in which the oracle is drawn: with another one it is another oracle.
        gates = 4 * SIZE
        shapes = [(VOCAB_SIZE, SIZE), (SIZE, gates), (SIZE, gates), (gates,), (SIZE, VOCAB_SIZE), (VOCAB_SIZE,)]
        return Oracle(*[rng.standard_normal(shape) for shape in shapes])

    @staticmethod
    def read(folder: Path) -> "Oracle":
        """Read the parameters that somebody saved, one array a file, as numpy writes it: `embedding.npz`, `wi.npz`, ...

        The files of Caccia et al. 2020 (pclucas14/GansFallingShort), whose oracle is that of Yu et al. 2017: of the
        gates i, f, og and c, `w*` for the embedding, `u*` for the state and `b*` for the bias; `wo` and `bo` for the
        output.

        Raises:
            DataError: one is not there, is no array, or has another shape.
        """

        def gates(kind: str, shape: tuple[int, ...]) -> Double:
            return np.concatenate([_array(folder, f"{kind}{gate}", shape) for gate in GATES], axis=-1)

        return Oracle(
            embedding=_array(folder, "embedding", (VOCAB_SIZE, SIZE)),
            from_embedding=gates("w", (SIZE, SIZE)),
            from_hidden=gates("u", (SIZE, SIZE)),
            bias=gates("b", (SIZE,)),
            output=_array(folder, "wo", (SIZE, VOCAB_SIZE)),
            output_bias=_array(folder, "bo", (VOCAB_SIZE,)),
        )

    def sample(self, rng: np.random.Generator, count: int, length: int = LENGTH) -> NDArray[np.int64]:
        """Write `count` rows, int64 [N, T]; the first n are the same however many are asked for."""
        # Drawn before any row is written, so that how many rows are computed at a time does not matter.
        uniform = rng.random((count, length))
        tokens = np.empty((count, length), dtype=np.int64)
        for rows in _chunks(count):
            hidden, cell, token = self._start(tokens[rows])
            for t in range(length):
                hidden, cell = self._read(token, hidden, cell)
                cumulative = np.cumsum(np.exp(self._logits(hidden)), axis=1)
                # Below the last even when rounded, since a uniform number is at most 1 - 2^-53: some token is chosen.
                threshold = uniform[rows, t, None] * cumulative[:, -1:]
                token = (cumulative > threshold).argmax(axis=1)
                tokens[rows, t] = token
        return tokens

    def log_probs(self, rows: Rows) -> Double:
        """The log-probability of the counted tokens of each row: float64 [N], natural logarithm.

        Per token, negative and averaged over what a generator wrote, it is the paper's NLL_oracle.
        """
        # What is not counted stands after all that is, so any token may be read there.
        tokens = np.where(rows.mask, rows.tokens, START)
        result = np.zeros(len(tokens))
        for chunk in _chunks(len(tokens)):
            hidden, cell, token = self._start(tokens[chunk])
            for t in range(tokens.shape[1]):
                hidden, cell = self._read(token, hidden, cell)
                logits = self._logits(hidden)
                token = tokens[chunk, t]
                # No overflow: the largest logit of each row is 0.
                log_probs = logits[np.arange(len(token)), token] - np.log(np.exp(logits).sum(axis=1))
                result[chunk] += np.where(rows.mask[chunk, t], log_probs, 0.0)
        return result

    def _start(self, rows: NDArray[np.int64]) -> tuple[Double, Double, NDArray[np.int64]]:
        """Before any token of some rows: hidden state and cell [N, H], and the token to read first [N]."""
        zero = np.zeros((len(rows), len(self.from_hidden)))
        return zero, zero, np.full(len(rows), START)

    def _read(self, token: NDArray[np.int64], hidden: Double, cell: Double) -> tuple[Double, Double]:
        """Read a token [N]: hidden state and cell [N, H] after it."""
        gates = self.embedding[token] @ self.from_embedding + hidden @ self.from_hidden + self.bias
        come, stay, show, candidate = np.split(gates, 4, axis=1)
        cell = _sigmoid(stay) * cell + _sigmoid(come) * np.tanh(candidate)
        return _sigmoid(show) * np.tanh(cell), cell

    def _logits(self, hidden: Double) -> Double:
        """The log-probability of every next token, [N, V], up to a constant in each row: the largest is 0."""
        # In blocks of words, each product too small for OpenBLAS to share it among threads: those wait for each other,
        # and on busy cores the products took 20 times as long.
        blocks = self.output.reshape(len(self.output), -1, BLOCK).swapaxes(0, 1)
        logits = (hidden @ blocks).swapaxes(0, 1).reshape(len(hidden), -1)
        logits += self.output_bias
        logits -= logits.max(axis=1, keepdims=True)
        return logits


def is_oracle(folder: Path) -> bool:
    """Whether a directory has the parameters of an oracle."""
    return (folder / "embedding.npz").is_file() and (folder / "wo.npz").is_file()


def from_directory(folder: Path, settings: CorpusSettings) -> Corpus:
    """The text of an oracle whose parameters were saved, in windows.

    Raises:
        DataError: they can't be read, or another layout or size of the vocabulary is asked for.
    """
    _check(settings)
    return write_corpus(folder.name, Oracle.read(folder), settings.length)


def from_settings(settings: CorpusSettings) -> Corpus:
    """The oracle's text, in windows.

    Raises:
        DataError: another layout or size of the vocabulary is asked for.
    """
    _check(settings)
    return load_oracle(settings.length)


def _check(settings: CorpusSettings) -> None:
    layout = settings.layout or "windows"
    if find_layout(layout).ends_with_eos or settings.vocab_size not in (None, VOCAB_SIZE):
        raise DataError(f"the oracle writes windows of {VOCAB_SIZE} words: leave --layout and --vocab-size out")


def load_oracle(length: int = LENGTH, seed: int = 0, train_count: int = 10_000, held_out_count: int = 1_000) -> Corpus:
    """Draw an oracle and let it write a corpus: oracle and splits come from streams of their own.

    Arguments as those of `write_corpus`.
    """
    oracle = Oracle.draw(stream(seed, Purpose.ORACLE, 0))
    return write_corpus("oracle", oracle, length, seed, train_count, held_out_count)


def write_corpus(
    name: str,
    oracle: Oracle,
    length: int = LENGTH,
    seed: int = 0,
    train_count: int = 10_000,
    held_out_count: int = 1_000,
) -> Corpus:
    """Let an oracle write a corpus: its words are their numbers, without `<unk>` or `<eos>`, and a row is a whole text.

    Args:
        name: of the corpus.
        oracle: that writes.
        length: tokens in a row, T; the paper has 20.
        seed: of the text, not of the run, so that runs can be compared.
        train_count: rows in the training split; the paper has 10,000.
        held_out_count: rows in each of the other two.
    """
    # Keys of their own for the splits: the oracle's parameters stay the same, however much text is drawn.
    train, validation, test = (
        oracle.sample(stream(seed, Purpose.ORACLE, 1, split), count, length)
        for split, count in enumerate([train_count, held_out_count, held_out_count])
    )
    return Corpus(
        name=name,
        words=tuple(str(token) for token in range(VOCAB_SIZE)),
        train=_full(train),
        validation=_full(validation),
        test=_full(test),
        stop_token=None,
        true_log_probs=oracle.log_probs,
    )


def _array(folder: Path, name: str, shape: tuple[int, ...]) -> Double:
    """An array of a saved oracle, as float64."""
    file = folder / f"{name}.npz"
    try:
        # Without pickles, which are programs. The files hold a plain array each, in spite of their ending.
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{file} can't be read: {error}") from error
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype.kind != "f":
        raise DataError(f"{file} is not an array of {' x '.join(map(str, shape))} numbers, as the oracle has there")
    return found.astype(np.float64)


def _full(tokens: NDArray[np.int64]) -> Rows:
    return Rows(tokens, np.ones_like(tokens, dtype=np.bool_))


def _chunks(count: int) -> Iterator[slice]:
    return (slice(first, first + CHUNK) for first in range(0, count, CHUNK))


def _sigmoid(x: Double) -> Double:
    return 1 / (1 + np.exp(-x))
