"""How a check fails, and how it compares."""

from collections.abc import Callable
from typing import Any

import numpy as np


class CheckError(ValueError):
    """What was checked breaks the contract; the message says how, in one sentence."""


def expect(holds: object, message: str) -> None:
    """Raise a `CheckError` with the message unless the condition holds.

    Example:
        >>> expect(5 in range(4), "Token 5 is not in the vocabulary.")
        Traceback (most recent call last):
            ...
        envs.checks.expect.CheckError: Token 5 is not in the vocabulary.
    """
    if not holds:
        raise CheckError(message)


def expect_refusal(call: Callable[[], object], message: str) -> None:
    """Raise a `CheckError` with the message unless the call raises a ValueError.

    Example:
        >>> expect_refusal(lambda: int("cat"), "A word passes for a number.")
        >>> expect_refusal(lambda: int("3"), "A number in quotes passes for a number.")
        Traceback (most recent call last):
            ...
        envs.checks.expect.CheckError: A number in quotes passes for a number.
    """
    try:
        call()
    except ValueError:
        return
    raise CheckError(message)


def same(first: Any, second: Any) -> bool:
    """Whether two values of an environment are equal: arrays, numbers, or dicts of them; floats to 1e-5.

    Example:
        >>> same({"a": np.array([1.0, np.nan])}, {"a": np.array([1.0, np.nan])})
        True
        >>> same({"a": 1}, {"b": 1})
        False
    """
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if first is None or second is None:
        return first is second
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    # Final observations come as arrays of objects, whose `==` is no single answer.
    if one.dtype == object:
        return all(same(a, b) for a, b in zip(one.flat, other.flat, strict=True))
    if one.dtype.kind == "f":
        # Not to the last bit, since a network rounds otherwise in a batch of another size.
        return np.allclose(one, other, rtol=1e-5, atol=1e-5, equal_nan=True)
    return np.array_equal(one, other)
