"""How torch is set up in every process that computes, so that the same numbers come out everywhere; and processes."""

import ctypes
import os
import platform
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from rlgan.errors import RunError, is_lack_of_memory, memory_in_use

# Of mallopt(3), from malloc.h: M_MMAP_MAX, so that large arrays come from the heap; M_TRIM_THRESHOLD, the free bytes at
# the heap's end that are kept; M_ARENA_MAX: the heap of a thread of its own could not hold them.
MALLOC_PARAMETERS = {-4: 0, -1: 2**31 - 1, -8: 1}


def prepare(name: str) -> torch.device:
    """Make this process compute with one thread and deterministically, and give its device.

    Args:
        name: `cpu`, whatever the machine has; `cuda`, its first GPU; `cuda:N`; or `auto`, a GPU where there is one.

    Raises:
        RunError: torch does not find the GPU.
    """
    # cuBLAS reads it once, when it starts: it must be there before the first product on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A sum that several threads share is rounded by how they share it, and machines have different numbers of cores.
    torch.set_num_threads(1)
    # numpy's too: on a machine that does other work, its threads wait for each other (80 times the CPU time, seen).
    threadpool_limits(1)
    # Not by `use_deterministic_algorithms`: that sets a switch of the compiler too, which nothing here uses, and for it
    # imports the compiler, 1.5 s of CPU time and 70 MB in every process.
    torch.set_deterministic_debug_mode("error")
    _keep_freed_memory()
    # It would fill what no kernel has written yet, a pass over memory each time; nothing here reads that.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # TF32 keeps 10 bits of a factor's mantissa; for convolutions torch uses it unless told otherwise.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not found):
        return torch.device("cpu")
    _, _, index = name.partition(":")
    if int(index or 0) >= found:
        raise RunError(f"{name} was asked for and torch {torch.__version__} finds {found} GPUs: give --device cpu")
    # Chosen for the whole process: a graph is captured, and a stream made, on the current device.
    torch.cuda.set_device(int(index or 0))
    return torch.device("cuda", int(index or 0))


def _keep_freed_memory() -> None:
    """Have the C library keep freed memory, up to 2 GiB, for what is allocated next.

    Left alone, glibc gives every array of more than 32 MiB back to the system when it is freed. The next one consists
    of pages that the system has to fill with zeros at their first use: for an array of [64, 20, 10000] that takes four
    times as long as a softmax over it.
    """
    # mallopt(3) is glibc's; other C libraries have none, or ignore it.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in MALLOC_PARAMETERS.items():
            mallopt(parameter, value)


def kind(device: torch.device) -> str:
    """What of this process the bits of its results depend on: where two differ, they may.

    Example:
        >>> computes, _, rest = kind(torch.device("cpu")).partition(" (")
        >>> computes, rest.endswith(f"torch {torch.__version__}, numpy {np.__version__})")
        ('CPU', True)
    """
    computes = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    # torch chooses kernels by what the processor can do, and wider vectors add in another order.
    instructions = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    # The math library's own switch for which instructions it uses.
    if "MKL_CBWR" in os.environ:
        instructions += f" with MKL_CBWR={os.environ['MKL_CBWR']}"
    return f"{computes} ({instructions}, torch {torch.__version__}, numpy {np.__version__})"


@contextmanager
def naming_what_is_too_large(what: str) -> Iterator[None]:
    """Say in one line that a GPU, or this machine, has not enough memory for what is computed within.

    Args:
        what: what it is, and how large, to follow "has not enough memory for".

    Raises:
        RunError: it has not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        most, whole = torch.cuda.max_memory_allocated() / 2**30, torch.cuda.mem_get_info()[1] / 2**30
        raise RunError(
            f"the GPU has not enough memory for {what}: {most:.1f} of its {whole:.1f} GiB were in use at most; give a "
            "smaller --batch-size, or smaller networks"
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        raise RunError(
            f"not enough memory for {what}: {memory_in_use(error)}; give a smaller --batch-size, or smaller networks"
        ) from error


def capture(function: Callable[..., Tensor], examples: Sequence[Tensor]) -> Callable[..., Tensor]:
    """Return a function of CUDA tensors as a graph that is replayed; itself, with a warning, if it can't be captured.

    Args:
        function: see `CapturedFunction`.
        examples: inputs of the shapes and types that it will be called with.
    """
    try:
        return CapturedFunction(function, examples)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # what CUDA says of a function that waits for the device, such as one from outside
        reason = str(error).splitlines()[0]
        warnings.warn(f"It cannot be captured as a CUDA graph and runs step by step, slower: {reason}", stacklevel=2)
        return function


class CapturedFunction:
    """A function of CUDA tensors, captured once as a graph and replayed: one launch in place of one for each kernel.

    Args:
        function: `(*inputs) -> output`, tensors; it must not wait for the device, and does the same kernels each time.
            What it reads besides, such as the weights of a network, it reads where it lies at each replay.
        examples: inputs of the shapes and types that it will be called with.
    """

    def __init__(self, function: Callable[..., Tensor], examples: Sequence[Tensor]) -> None:
        self._inputs = [example.clone() for example in examples]
        # On a stream of its own: what libraries set up at the first call must not be captured.
        warm_up = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        warm_up.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warm_up):
            function(*self._inputs)
        torch.cuda.current_stream().wait_stream(warm_up)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the output, in memory that the next call writes into again."""
        for kept, given in zip(self._inputs, inputs, strict=True):
            kept.copy_(given)
        self._graph.replay()
        return self._output
