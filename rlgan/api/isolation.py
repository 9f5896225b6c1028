"""Computes as a process of a run does, and puts back what that changes of the process that called."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from rlgan.settings import own_imports

# What is changed belongs to the process: two threads would change it under each other. The same thread may come again,
# as a callback does that samples from its run.
_ONE_THREAD_AT_A_TIME = threading.RLock()


@contextmanager
def isolated() -> Iterator[None]:
    """Put back, when the context ends, what computing changes of this process.

    These are the environment variables, the number of threads of torch and numpy, torch's deterministic mode and
    precision, the state of torch's random numbers, and what was imported for names in settings. One thread at a time
    is in such a context; others wait.
    """
    with _ONE_THREAD_AT_A_TIME, own_imports(), ExitStack() as after:
        after.callback(_put_back_variables, dict(os.environ))
        # Late, so that `from rlgan import train` does not wait for torch.
        import torch
        from threadpoolctl import threadpool_limits

        after.callback(torch.set_num_threads, torch.get_num_threads())
        after.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
        fills = torch.utils.deterministic
        after.callback(partial(setattr, fills, "fill_uninitialized_memory", fills.fill_uninitialized_memory))  # type: ignore[attr-defined]
        for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
            after.callback(partial(setattr, backend, "allow_tf32", backend.allow_tf32))
        # Where CUDA is not in use there is no state to keep, and to ask for it would start CUDA.
        devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        after.enter_context(torch.random.fork_rng(devices))
        # Limits nothing: at its end it puts back the numbers of threads that it finds now.
        after.enter_context(threadpool_limits(limits=None))
        yield


def _put_back_variables(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
