"""Weights in and out of networks, as numpy arrays; and the noise that a generator starts from."""

import copy
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rlgan.types import Array, Float, Tensors, Weights

Network = TypeVar("Network", bound=torch.nn.Module)


def sample_noise(rng: np.random.Generator, rows: int, size: int) -> Float:
    """The generator's first state, z ~ N(0, I), float32 [rows, size]. The paper does not say its law."""
    return rng.standard_normal((rows, size), dtype=np.float32)


@torch.no_grad()
def load(network: torch.nn.Module, tensors: Mapping[str, Array]) -> None:
    """Copy numpy arrays, which may be read-only, or tensors into a network's tensors of the same names."""
    for name, tensor in network.state_dict().items():
        given = tensors[name]
        if isinstance(given, Tensor):
            tensor.copy_(given)
        elif tensor.device.type == "cpu":
            np.copyto(tensor.numpy(), given)
        else:
            # A copy first: `torch.from_numpy` warns of an array that is read-only, as those from an object store are.
            tensor.copy_(torch.tensor(given))


def unload(network: torch.nn.Module) -> Tensors:
    """Copy a network's parameters and buffers out as numpy arrays by name."""
    # On the CPU they would share the network's memory, which the next update changes: hence the copy.
    return {name: array.copy() for name, array in views(network).items()}


def views(network: torch.nn.Module) -> Tensors:
    """A network's parameters and buffers as numpy arrays by name; of a network on the CPU they share its memory."""
    return {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}


def clones(network: torch.nn.Module) -> dict[str, Tensor]:
    """Copy a network's parameters and buffers as tensors by name, which stay where they are."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def twin(network: Network) -> Network:
    """Copy a network as a whole, to have other weights later."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, torch.nn.RNNBase):
            # What is copied one by one lies in several places, which cuDNN would put together again at every call.
            module.flatten_parameters()
    return copied


def on_host(weights: Weights) -> Weights:
    """The same weights as numpy arrays."""
    networks = (
        {name: np.asarray(each.cpu()) for name, each in of.items()} for of in (weights.generator, weights.discriminator)
    )
    return Weights(weights.version, *networks)
