"""The discriminator as what the environment's reward wrapper asks: an `envs.Scorer`."""

import numpy as np
import torch

from envs import State
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.types import Float, Tokens


class DiscriminatorScorer:
    """Reads sequences token by token with a discriminator; its state is the network's, as numpy arrays."""

    def __init__(self, discriminator: TextDiscriminator) -> None:
        self.discriminator = discriminator

    @torch.inference_mode()
    def start(self, count: int) -> State:
        """The state before any token: arrays with leading axis `count`."""
        return tuple(each.cpu().numpy() for each in self.discriminator.initial_state(count))

    @torch.inference_mode()
    def score(self, state: State, tokens: Tokens, /) -> tuple[State, Float]:
        """Read the next token of every sequence, int64 [N]; how real each looks so far, log-odds float32 [N]."""
        device = self.discriminator.device
        # Contiguous, since the wrapper puts together rows of several states, and kernels of GPUs refuse strides.
        before = tuple(torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in state)
        log_odds, after = self.discriminator.step(torch.from_numpy(tokens).to(device), before)
        return tuple(each.cpu().numpy() for each in after), log_odds.cpu().numpy()
