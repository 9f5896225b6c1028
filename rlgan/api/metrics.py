"""metrics.jsonl as arrays."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlgan.errors import RunError
from rlgan.runs.files import first_line
from rlgan.runs.storage import Place


def read_metrics(file: Place) -> dict[str, NDArray[Any]]:
    r"""Read what was recorded at each evaluation of a run.

    Args:
        file: metrics.jsonl.

    Returns:
        By name: `step` int64 [evaluations], every other number float64 [evaluations], and every list of numbers
        float64 [evaluations, values]. NaN stands where an evaluation does not have it, as speeds before the first
        update.

    Raises:
        RunError: the file can't be read.

    Example:
        >>> from rlgan.runs.storage import place
        >>> file = place("memory://read-metrics/metrics.jsonl")
        >>> _ = file.write_bytes(b'{"step": 0, "w1": 4.0}\n{"step": 100, "w1": 0.5, "seconds": 2.5}\n')
        >>> {name: values.tolist() for name, values in read_metrics(file).items()}
        {'step': [0, 100], 'w1': [4.0, 0.5], 'seconds': [nan, 2.5]}
    """
    try:
        # A run that trains meanwhile replaces this file as a whole, so that no line of it is cut short.
        lines = [json.loads(line) for line in file.read_bytes().decode().splitlines()] if file.exists() else []
        # Not a set: names come in the order in which they were first recorded.
        names = dict.fromkeys(name for line in lines for name in line)
        columns = {name: [line.get(name) for line in lines] for name in names}
    except (ValueError, AttributeError) as error:
        raise RunError(f"{file} can't be read: {first_line(error)}") from None
    arrays = {name: _array(values) for name, values in columns.items() if _is_number(values) or _is_series(values)}
    if "step" in arrays:
        # Whole numbers have no NaN for what is missing; the step is there in every line.
        arrays["step"] = arrays["step"].astype(np.int64)
    return arrays


def _is_number(values: list[Any]) -> bool:
    return all(value is None or isinstance(value, int | float) for value in values)


def _is_series(values: list[Any]) -> bool:
    return all(value is None or isinstance(value, list) for value in values)


def _array(values: list[Any]) -> NDArray[Any]:
    if _is_number(values):
        return np.array([np.nan if value is None else value for value in values], np.float64)
    length = max(len(value or ()) for value in values)
    padded = [[*(value or ()), *[np.nan] * (length - len(value or ()))] for value in values]
    return np.array(padded, np.float64)
