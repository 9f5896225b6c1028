"""How torch is set up in every process that computes, so that the same numbers come out everywhere; and processes."""

import os
import platform

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from rlgan.errors import RunError


def prepare(gpus: float) -> torch.device:
    """Make this process compute with one thread and deterministically, and give its device.

    Args:
        gpus: what this process was promised; 0 is the CPU, whatever the machine has.

    Raises:
        RunError: a GPU was promised and torch finds none.
    """
    # cuBLAS reads it once, when it starts: it must be there before the first product on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A sum that several threads share is rounded by how they share it, and machines have different numbers of cores.
    torch.set_num_threads(1)
    # numpy's too: on a machine that does other work, its threads wait for each other (80 times the CPU time, seen).
    threadpool_limits(1)
    torch.use_deterministic_algorithms(True)
    # TF32 keeps 10 bits of a factor's mantissa; for convolutions torch uses it unless told otherwise.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # By what was promised: a Ray actor without a GPU still sees those of its machine.
    if not gpus:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise RunError(f"{gpus:g} GPUs were asked for and torch {torch.__version__} finds none: use 0, the CPU")
    return torch.device("cuda")


def kind(device: torch.device) -> str:
    """What of this process the bits of its results depend on: where two differ, they may."""
    computes = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    # torch chooses kernels by what the processor can do, and wider vectors add in another order.
    instructions = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    # The math library's own switch for which instructions it uses.
    if "MKL_CBWR" in os.environ:
        instructions += f" with MKL_CBWR={os.environ['MKL_CBWR']}"
    return f"{computes} ({instructions}, torch {torch.__version__}, numpy {np.__version__})"
