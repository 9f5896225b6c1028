"""A device whose tensors have no values, on any machine: what a GPU would refuse is found without one.

An operation on tensors of two devices raises, and so does whatever asks for a value, but for the copies to the host,
which are counted. torch's `FakeTensorMode` alone does not reach so far: of its builds for CPUs it takes no `cuda`. For
a process of its own, since a device that is registered stays.
"""

import contextlib
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from unittest import mock

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.functional import linear
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

NAME = "valueless"
# On a GPU these raise where results must be the same every time (torch.use_deterministic_algorithms).
REFUSED = {
    "cumsum", "cumprod", "histc", "bincount", "kthvalue", "median", "nanmedian", "put", "_ctc_loss_backward",
    "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward",
    "upsample_trilinear3d_backward", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "replication_pad1d_backward", "replication_pad2d_backward", "_adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d_backward", "avg_pool3d_backward", "max_pool3d_with_indices_backward",
    "grid_sampler_2d_backward", "nll_loss2d_forward", "scatter_reduce",
}  # fmt: skip


class _Operations(TorchDispatchMode):
    """Refuses what a GPU has no deterministic kernel for, and counts copies to the host."""

    def __init__(self, copies):
        super().__init__()
        self.copies = copies

    def __torch_dispatch__(self, function, _types, args=(), kwargs=None):
        name, kwargs = function.overloadpacket.__name__, kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        on_device = any(each.device.type == NAME for each in tensors)
        # What works in place has the same kernel.
        assert not (on_device and name.removesuffix("_") in REFUSED), f"{name} is not deterministic on a GPU"
        if name == "_fused_sgd_":  # in place, and torch has none for tensors without values
            return None
        result = function(*args, **kwargs)
        if on_device and isinstance(result, torch.Tensor) and result.device.type == "cpu":
            self.copies["to the host"] += 1
        return result


def _gru(layer, inputs, state):
    """What cuDNN's layer refuses, it refuses too; made of operations that every device has."""
    assert state.is_contiguous()
    assert inputs.dtype == state.dtype == torch.float32
    of_inputs, hidden, outputs = linear(inputs, layer.weight_ih_l0, layer.bias_ih_l0), state[0], []
    for t in range(inputs.shape[1]):
        reset, update, new = of_inputs[:, t].chunk(3, 1)
        of_reset, of_update, of_new = linear(hidden, layer.weight_hh_l0, layer.bias_hh_l0).chunk(3, 1)
        update = torch.sigmoid(update + of_update)
        new = torch.tanh(new + torch.sigmoid(reset + of_reset) * of_new)
        hidden = new + update * (hidden - new)
        outputs.append(hidden)
    return torch.stack(outputs, 1), hidden[None]


def _to(module, device):
    """Move a module. torch's own way exchanges tensors in their places, which it refuses those without values."""
    for each in module.modules():
        for name, value in [*each.named_parameters(recurse=False), *each.named_buffers(recurse=False)]:
            moved = torch.empty_like(value, device=device)
            is_parameter = isinstance(value, torch.nn.Parameter)
            setattr(each, name, torch.nn.Parameter(moved, value.requires_grad) if is_parameter else moved)
    return module


def _without_value(make):
    def made(*args, **kwargs):
        tensor = make(*args, **kwargs)
        # Of a number torch keeps the value, and would compute with it on the device itself.
        tensor.constant = None
        return tensor

    return made


def _same(mode, _):
    return mode


def _no_cast(*_, **__):
    return contextlib.nullcontext()


@contextlib.contextmanager
def accelerator():
    """Give the device, and a count of the copies to the host. What is read on the host are tens."""
    copies = Counter()

    def numpy(tensor):
        if tensor.device.type != "cpu":
            raise TypeError(f"can't convert a tensor of {tensor.device} to numpy: copy it to the host first")
        return np.full(tensor.shape, 10).astype(str(tensor.dtype).removeprefix("torch."))

    def tolist(tensor):
        return numpy(tensor.cpu()).tolist()

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(FakeTensor, "numpy", numpy, create=True))
        stack.enter_context(mock.patch.object(FakeTensor, "tolist", tolist))
        stack.enter_context(mock.patch.object(torch.nn.Module, "to", _to))
        stack.enter_context(mock.patch.object(torch, "tensor", _without_value(torch.tensor)))
        # Casts need kernels of the device's own; what is rounded without them is rounded here too.
        stack.enter_context(mock.patch.object(torch, "autocast", _no_cast))
        stack.enter_context(mock.patch.object(torch.nn.GRU, "forward", _gru))
        stack.enter_context(mock.patch.object(FakeTensorMode, "__deepcopy__", _same, create=True))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(FakeTensorMode())
        stack.enter_context(_Operations(copies))
        yield torch.device(NAME, 0), copies


def _register():
    backend_registration._setup_privateuseone_for_python_backend(NAME)


def telling(work, *items):
    """Do some work; what it raises comes back as its traceback, since errors of torch lose theirs between processes."""
    try:
        return work(*items)
    except Exception:  # noqa: BLE001 (whatever it is, it is told)
        raise AssertionError(traceback.format_exc()) from None


def own_process():
    """An executor of one process, in which the device is registered."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_register)
