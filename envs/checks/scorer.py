"""Checks of a scorer."""

from typing import Any

import numpy as np

from envs.arrays import Array, namespace
from envs.checks.expect import expect
from envs.readings import Scorer, State

ROWS, STEPS = 5, 6
PART = 1000  # tokens that are read at a time, where every token is


def check_scorer(scorer: Scorer, *, vocab_size: int, like: Array = None) -> None:
    """Check that a scorer is a pure function over explicit state, whose rows are independent.

    The contract: `start(count)` gives a tuple of arrays with leading axis `count`; `score(state, tokens)` gives a
    state of the same shapes and types and finite log-odds [N] of floats where the tokens are. Neither changes what
    it was given, nor keeps anything. A row depends on its own tokens alone, wherever it stands, however many rows
    there are, and also beside rows that started later.

    Args:
        scorer: what is to be checked.
        vocab_size: V; every token from 0 to V - 1 must be readable.
        like: an array whose namespace and device the tokens have; numpy's where none is given.

    Raises:
        CheckError: at the first fault that is found; what the scorer itself raises is not caught.

    Example:
        >>> class Length:
        ...     def start(self, count):
        ...         return (np.zeros(count, np.float32),)
        ...     def score(self, state, tokens):
        ...         return (state[0] + 1,), state[0] + 1
        >>> check_scorer(Length(), vocab_size=10)
    """
    like = np.zeros(0) if like is None else like
    texts = np.random.default_rng(0).integers(vocab_size, size=(STEPS, ROWS))
    tokens = namespace(like).asarray(texts, device=like.device)
    for count in (1, ROWS):
        _check_state(scorer.start(count), count)
    _check_purity(scorer, tokens)
    due = _read(scorer, tokens)
    _check_rows(scorer, tokens, due, vocab_size)
    _check_restart(scorer, tokens, due)
    _check_vocabulary(scorer, vocab_size, like)


def _read(scorer: Scorer, tokens: Array) -> Array:
    """The log-odds [steps, N] of the tokens [steps, N], each step checked."""
    state = scorer.start(tokens.shape[1])
    read = []
    for column in tokens:
        state, log_odds = _score(scorer, state, column)
        read.append(log_odds)
    return namespace(tokens).stack(read)


def _score(scorer: Scorer, state: State, tokens: Array) -> tuple[State, Array]:
    following, log_odds = scorer.score(state, tokens)
    count = tokens.shape[0]
    _check_state(following, count)
    # Not strict: a state of another length has a message of its own, below.
    for before, after in zip(state, following, strict=False):
        expect(
            before.shape == after.shape and before.dtype == after.dtype,
            f"score() turned an array of the state from {before.dtype} {tuple(before.shape)} into {after.dtype} "
            f"{tuple(after.shape)}: keep shapes and types, since rows start at different times.",
        )
    expect(len(state) == len(following), f"score() turned a state of {len(state)} arrays into {len(following)}.")
    shape = getattr(log_odds, "shape", None)
    expect(shape == (count,), f"score() returned log-odds of shape {shape}, not ({count},): give one a sequence.")
    expect(
        namespace(log_odds) is namespace(tokens) and log_odds.device == tokens.device,
        f"score() returned a {type(log_odds).__name__} on {log_odds.device} for tokens in a {type(tokens).__name__} "
        f"on {tokens.device}: return the log-odds where the tokens are.",
    )
    xp = namespace(log_odds)
    expect(
        log_odds.dtype in (xp.float32, xp.float64),
        f"score() returned log-odds of type {log_odds.dtype}: give float32.",
    )
    expect(bool(xp.isfinite(log_odds).all()), f"score() returned log-odds that are not finite: {log_odds}.")
    return following, log_odds


def _check_state(state: Any, count: int) -> None:
    expect(isinstance(state, tuple), f"The state is a {type(state).__name__}, not a tuple of arrays.")
    for array in state:
        shape = tuple(getattr(array, "shape", ()))
        expect(shape[:1] == (count,), f"An array of the state of {count} sequences has shape {shape}: give a row each.")


def _check_purity(scorer: Scorer, tokens: Array) -> None:
    """Read one token twice from the same state, with other reading in between; look for what was changed in place."""
    # After one token: a first state of zeros would hide much of what is changed in place.
    state, _ = _score(scorer, scorer.start(ROWS), tokens[0])
    kept, kept_tokens = _copies(state), _copies((tokens[1],))
    first_state, first = _score(scorer, state, tokens[1])
    expect(_same(state, kept), "score() changes the state that it is given in place: return a new one.")
    expect(_same((tokens[1],), kept_tokens), "score() changes the tokens that it is given in place.")
    _read(scorer, tokens)
    second_state, second = _score(scorer, state, tokens[1])
    expect(
        _same((first, *first_state), (second, *second_state)),
        "The same state and tokens gave other log-odds or another state the second time: score() must be a pure "
        "function (dropout has to be off).",
    )


def _check_rows(scorer: Scorer, tokens: Array, due: Array, vocab_size: int) -> None:
    changed = _copies((tokens,))[0]
    changed[:, 1] = (changed[:, 1] + 1) % vocab_size
    others = [0, *range(2, ROWS)]
    expect(
        _same((_read(scorer, changed)[:, others],), (due[:, others],)),
        "Other tokens in one row changed the log-odds of another row: each row must depend on its own tokens alone.",
    )
    turned = [*range(1, ROWS), 0]
    expect(
        _same((_read(scorer, tokens[:, turned]),), (due[:, turned],)),
        "The log-odds of a text depend on the row that it stands in.",
    )
    expect(
        _same((_read(scorer, tokens[:, :1]),), (due[:, :1],)),
        "The log-odds of a text depend on the number of rows that are read with it.",
    )


def _check_restart(scorer: Scorer, tokens: Array, due: Array) -> None:
    """Start some rows anew in mid-text, as `Readings` does; both kinds must be read as if they were alone."""
    state = scorer.start(ROWS)
    for column in tokens[:2]:
        state, _ = _score(scorer, state, column)
    fresh = scorer.start(ROWS)
    state = tuple(_rows_from(new, old) for new, old in zip(fresh, state, strict=True))
    xp = namespace(tokens)
    for place in range(STEPS - 2):
        column = xp.concat((tokens[place, :2], tokens[place + 2, 2:]), 0)
        state, log_odds = _score(scorer, state, column)
        expect(
            _same((log_odds,), (xp.concat((due[place, :2], due[place + 2, 2:]), 0),)),
            "A row that was started anew in mid-text, beside rows that went on, is not read as a text of its own: all "
            "that a row's log-odds depend on must be in its row of the state.",
        )


def _rows_from(new: Array, old: Array) -> Array:
    return namespace(new).concat((new[:2], old[2:]), 0)


def _check_vocabulary(scorer: Scorer, vocab_size: int, like: Array) -> None:
    # In parts: a language model gives as many numbers for each of them, which together may not fit in memory.
    for part in np.split(np.arange(vocab_size), np.arange(PART, vocab_size, PART)):
        every = namespace(like).asarray(part, device=like.device)
        _score(scorer, scorer.start(len(part)), every)


def _copies(arrays: State) -> State:
    return tuple(namespace(array).asarray(array, copy=True) for array in arrays)


def _same(first: State, second: State) -> bool:
    pairs = zip(first, second, strict=True)
    # Within what a matrix product of another number of rows may round otherwise.
    return all(bool(namespace(one).allclose(one, other, rtol=1e-4, atol=1e-5)) for one, other in pairs)
