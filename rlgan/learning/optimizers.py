"""What the tasks share whose generator learns by a direct gradient, without rollouts."""

import math
from collections.abc import Callable
from typing import Protocol

import torch

from rlgan.types import Rollout, Weights

DECAYS: dict[str, Callable[[float], float]] = {
    "none": lambda _: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}


class OptimizerSettings(Protocol):
    """The part of a recipe that says how a player's parameters are stepped."""

    @property
    def optimizer(self) -> str:
        """A name: sgd or adam."""
        ...

    @property
    def momentum(self) -> float:
        """SGD's momentum; Adam's first decay rate."""
        ...

    @property
    def adam_beta2(self) -> float:
        """Adam's second decay rate."""
        ...


class NoShards:
    """What a rollout worker holds where nothing is rolled out."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> Rollout:
        """Never asked for: no plan has draws."""
        raise NotImplementedError(f"shard {shard} of draw {draw} of step {step} of version {weights.version}")


def optimizer(config: OptimizerSettings, network: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    """The recipe's optimiser over a network."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), rate, config.momentum, fused=True)
    return torch.optim.Adam(network.parameters(), rate, (config.momentum, config.adam_beta2), fused=True)
