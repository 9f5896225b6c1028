"""Weights in and out of networks, as numpy arrays; and the noise that a generator starts from."""

import numpy as np
import torch

from rlgan.types import Float, Tensors


def sample_noise(rng: np.random.Generator, rows: int, size: int) -> Float:
    """The generator's first state, z ~ N(0, I), float32 [rows, size]. The paper does not say its law."""
    return rng.standard_normal((rows, size), dtype=np.float32)


@torch.no_grad()
def load(network: torch.nn.Module, tensors: Tensors) -> None:
    """Copy numpy arrays, which may be read-only, into a network's parameters and buffers of the same names."""
    for name, tensor in network.state_dict().items():
        # `torch.from_numpy` warns of an array that is read-only, as those from an object store are.
        tensor.copy_(torch.tensor(tensors[name]))


def unload(network: torch.nn.Module) -> Tensors:
    """Copy a network's parameters and buffers out as numpy arrays by name."""
    # On the CPU `numpy()` shares the network's memory, which the next update changes: hence the copy.
    return {name: tensor.cpu().numpy().copy() for name, tensor in network.state_dict().items()}
