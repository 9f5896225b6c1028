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


def moved(array: Array, like: Array) -> Array:
    """Return the array in the namespace and on the device of another one; itself where it is there already.

    Example:
        >>> tokens = np.array([1, 2])
        >>> moved(tokens, like=np.zeros(0)) is tokens  # numpy's has one place: nothing is copied
        True
    """
    xp = namespace(like)
    if namespace(array) is xp and array.device == like.device:
        return array
    # Numpy reads the memory of the host alone.
    on_host = array.cpu() if xp is np and hasattr(array, "cpu") else array
    return xp.asarray(on_host, device=like.device)


def check_place(array: Array, like: Array, name: str) -> None:
    """Refuse an array of another namespace than `like`'s, or on another device.

    Raises:
        ValueError: if it is one; `name` is what the message calls the array.
    """
    if namespace(array) is not namespace(like) or array.device != like.device:
        raise ValueError(
            f"The {name} is a {type(array).__name__} on {array.device}, the rest are {type(like).__name__}s on "
            f"{like.device}: move it there."
        )


def integers(values: Array, like: Array, name: str) -> Array:
    """Return the values as an array of int64 in the namespace and on the device of `like`.

    Args:
        values: integers: numpy takes every type of them, and lists; where `like` is a tensor, it is a tensor of int64
            there already, or a tuple or list.
        like: the array to be like.
        name: what an error's message calls the values.

    Raises:
        ValueError: if they are not integers, or a tensor lies elsewhere.

    Example:
        >>> integers([2, 0], like=np.zeros(0), name="prefix")
        array([2, 0])
        >>> integers([], like=np.zeros(0), name="prefix").dtype  # which numpy takes for floats
        dtype('int64')
    """
    if isinstance(like, np.ndarray):
        array = np.asarray(values)
        # An empty list has no type of its own: numpy takes it for floats.
        if array.size and array.dtype.kind not in "iu":
            raise ValueError(f"The {name} holds {array.dtype}, not integers: give tokens.")
        return _as_int64(array)
    xp = namespace(like)
    if isinstance(values, tuple | list) and not values:
        return xp.zeros(0, dtype=xp.int64, device=like.device)
    if isinstance(values, tuple | list):
        return xp.asarray(values, dtype=xp.int64, device=like.device)
    check_place(values, like, name)
    if values.dtype != xp.int64:
        raise ValueError(f"The {name} holds {values.dtype}, not integers: give tokens as int64.")
    return values


def is_integer(value: object) -> bool:
    """Return whether the value is one integer, of Python's or numpy's; a bool is none.

    Example:
        >>> is_integer(3), is_integer(np.int64(3)), is_integer(3.0), is_integer(True)
        (True, True, False, False)
    """
    # To Python True is an int; as a size or a token it is a mistake.
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _as_int64(array: NDArray[Any]) -> Tokens:
    # What int64 cannot hold must not come out as a token, but stay what no vocabulary has.
    if array.dtype == np.uint64:
        array = np.minimum(array, np.uint64(np.iinfo(np.int64).max))
    return array.astype(np.int64, copy=False)
