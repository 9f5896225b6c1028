"""Names that settings offer for what no task owns, each with the `module:object` that implements it.

The objects are named, not imported, so that the command line lists the names without importing torch.
"""

import math
from collections.abc import Callable

# An `rlgan.learning.adversarial.AdversarialLoss`.
ADVERSARIAL_LOSSES: dict[str, str] = {
    "non_saturating": "rlgan.learning.adversarial:NON_SATURATING",
    "saturating": "rlgan.learning.adversarial:SATURATING",
    "relativistic": "rlgan.learning.adversarial:RELATIVISTIC",
}

# A function of a network, its learning rate and the `OptimizerSettings`.
OPTIMIZERS: dict[str, str] = {"sgd": "rlgan.learning.optimizers:sgd", "adam": "rlgan.learning.optimizers:adam"}

# An `rlgan.learning.precision.Precision`.
PRECISIONS: dict[str, str] = {
    "float32": "rlgan.learning.precision:FLOAT32",
    "tf32": "rlgan.learning.precision:TF32",
    "bf16": "rlgan.learning.precision:BF16",
}

# The share of a learning rate that is left when a share of the training, in [0, 1], is done.
DECAYS: dict[str, Callable[[float], float]] = {
    "none": lambda _: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}
