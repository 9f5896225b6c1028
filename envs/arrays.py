"""One code for numpy arrays and torch tensors: functions that find out whose array they were given."""

import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any  # a numpy array or a torch tensor; a type of torch's would need an import of torch
Tokens: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Float: TypeAlias = NDArray[np.float32]


def namespace(array: Array) -> Any:
    """Return the module whose functions take this array: numpy, torch, or what the array itself names.

    Args:
        array: a numpy array, a torch tensor, or an array of the array API standard.

    Raises:
        TypeError: if it is none of these.

    Example:
        >>> namespace(np.zeros(3)).__name__
        'numpy'
    """
    if isinstance(array, np.ndarray | np.generic):
        return np
    # Torch's tensors do not name their namespace; who has made one has imported torch.
    if any(kind.__module__.partition(".")[0] == "torch" for kind in type(array).__mro__):
        return sys.modules["torch"]
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    raise TypeError(f"A {type(array).__name__} is neither a numpy array nor a torch tensor: convert it to one.")
