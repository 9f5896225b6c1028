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
    """The generator's first state, z ~ N(0, I), float32 [rows, size]. The paper does not say its law.

    Example:
        >>> noise = sample_noise(np.random.default_rng(0), 10_000, 2)
        >>> noise.shape, round(float(noise.std()), 1)
        ((10000, 2), 1.0)
    """
    return rng.standard_normal((rows, size), dtype=np.float32)


@torch.no_grad()
def load(network: torch.nn.Module, tensors: Mapping[str, Array]) -> None:
    """Copy numpy arrays, which may be read-only, or tensors into a network's tensors of the same names.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> load(layer, {"weight": np.array([[3.0]], np.float32), "bias": np.array([1.0], np.float32)})
        >>> layer(torch.tensor([[2.0]])).item()  # 3 * 2 + 1
        7.0
    """
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
    """Copy a network's parameters and buffers out as numpy arrays by name.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> load(layer, {"weight": np.array([[3.0]])})
        >>> kept, _ = unload(layer), load(layer, {"weight": np.array([[5.0]])})
        >>> kept["weight"]  # as it was
        array([[3.]], dtype=float32)
    """
    # On the CPU they would share the network's memory, which the next update changes: hence the copy.
    return {name: array.copy() for name, array in views(network).items()}


def views(network: torch.nn.Module) -> Tensors:
    """A network's parameters and buffers as numpy arrays by name; of a network on the CPU they share its memory.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> shared, _ = views(layer), load(layer, {"weight": np.array([[5.0]])})
        >>> shared["weight"]  # as it is now
        array([[5.]], dtype=float32)
    """
    return {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}


def clones(network: torch.nn.Module) -> dict[str, Tensor]:
    """Copy a network's parameters and buffers as tensors by name, which stay where they are.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> load(layer, {"weight": torch.tensor([[3.0]])})
        >>> kept, _ = clones(layer), load(layer, {"weight": torch.tensor([[5.0]])})
        >>> kept["weight"]  # as it was
        tensor([[3.]])
    """
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def twin(network: Network) -> Network:
    """Copy a network as a whole, to have other weights later.

    Example:
        >>> layer = torch.nn.Linear(2, 1)
        >>> other = twin(layer)
        >>> torch.equal(other.weight, layer.weight), other.weight is layer.weight
        (True, False)
    """
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, torch.nn.RNNBase):
            # What is copied one by one lies in several places, which cuDNN would put together again at every call.
            module.flatten_parameters()
    return copied


def on_host(weights: Weights) -> Weights:
    """The same weights as numpy arrays.

    Example:
        >>> on_host(Weights(3, {"w": torch.ones(2)}, {})).generator["w"]
        array([1., 1.], dtype=float32)
    """
    networks = (
        {name: np.asarray(each.cpu()) for name, each in of.items()} for of in (weights.generator, weights.discriminator)
    )
    return Weights(weights.version, *networks)
