"""rlgan: distributed, actor-based training of GANs, and of text generators by reinforcement learning."""

__version__ = "0.1.0"
