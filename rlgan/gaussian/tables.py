"""Names that the settings of the Gaussian task offer, each with the `module:object` that implements it.

The objects are named, not imported, so that the command line lists the names without importing torch.
"""

# An `rlgan.gaussian.targets.Target`: what is to be learned.
TARGETS: dict[str, str] = {
    "normal": "rlgan.gaussian.targets:NORMAL",
    "ring": "rlgan.gaussian.targets:RING",
    "grid": "rlgan.gaussian.targets:GRID",
}

# (rng, count, dimensions) -> float32 [count, dimensions]: what the generator is given.
NOISES: dict[str, str] = {
    "uniform": "rlgan.gaussian.mixtures:uniform",
    "normal": "rlgan.gaussian.mixtures:normal",
}

# A module without arguments, after every hidden layer of both networks.
ACTIVATIONS: dict[str, str] = {"tanh": "torch.nn:Tanh", "relu": "torch.nn:ReLU"}

# (last layer [B, X], scale of the data) -> samples [B, X].
OUTPUTS: dict[str, str] = {
    "tanh": "rlgan.gaussian.networks:bounded_output",
    "linear": "rlgan.gaussian.networks:linear_output",
}

# (GroupOptions) -> MinibatchGroup, see `rlgan.gaussian.batch_features`: how D judges samples beside each other.
BATCH_FEATURES: dict[str, str] = {
    "none": "rlgan.gaussian.batch_features:one_by_one",
    "discrimination": "rlgan.gaussian.batch_features:discrimination",
    "deviation": "rlgan.gaussian.batch_features:deviation",
    "packing": "rlgan.gaussian.batch_features:packing",
}
