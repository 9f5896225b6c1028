"""The optimisers of both players, by name: `rlgan.learning.tables.OPTIMIZERS`.

Each is a function `(network, learning_rate, settings) -> torch.optim.Optimizer`.
"""

from typing import cast

import torch
from torch import nn
from torch.optim import Optimizer

from rlgan.learning.settings import OptimizerSettings
from rlgan.learning.tables import OPTIMIZERS
from rlgan.settings import resolve


def sgd(network: nn.Module, learning_rate: float, settings: OptimizerSettings) -> Optimizer:
    """Stochastic gradient descent with momentum."""
    # Fused, here and below: fewer passes over memory than torch's default, whose rounding differs.
    return torch.optim.SGD(network.parameters(), learning_rate, settings.momentum, fused=True)


def adam(network: nn.Module, learning_rate: float, settings: OptimizerSettings) -> Optimizer:
    """Adam (Kingma & Ba 2015)."""
    return torch.optim.Adam(network.parameters(), learning_rate, (settings.momentum, settings.adam_beta2), fused=True)


def make_optimizer(network: nn.Module, learning_rate: float, settings: OptimizerSettings) -> Optimizer:
    """The optimiser that the settings name, over all parameters of a network."""
    return cast(Optimizer, resolve(settings.optimizer, OPTIMIZERS)(network, learning_rate, settings))
