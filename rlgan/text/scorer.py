"""The discriminator as what the environment's reward wrapper asks: an `envs.Scorer`."""

import math

import torch
from torch import Tensor

from envs import Array, State
from envs.arrays import moved
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator


class DiscriminatorScorer:
    """Reads sequences token by token with a discriminator; its state is the network's own and stays on its device.

    Where the discriminator's form reads the policy, whoever writes hands over what the policy gave each token, before
    the token is read: one step of the generator serves both.
    """

    def __init__(self, discriminator: TextDiscriminator) -> None:
        self.discriminator = discriminator
        self._log_probs: Tensor | None = None

    def hand_over(self, log_probs: Tensor) -> None:
        """Take the policy's log-probabilities, float32 [N], of the tokens that are read next."""
        self._log_probs = log_probs

    @torch.inference_mode()
    def start(self, count: int) -> State:
        """The state before any token: tensors with leading axis `count`, where the discriminator is."""
        return self.discriminator.initial_state(count)

    @torch.inference_mode()
    def score(self, state: State, tokens: Array, /) -> tuple[State, Array]:
        """Read the next token of every sequence, int64 [N]; how real each looks so far, log-odds float32 [N].

        The log-odds are where the tokens are: a numpy array, or a tensor.
        """
        log_odds, after = self.discriminator.step(moved(tokens, self.discriminator.output.weight), state)
        # Of a prefix, which earns no reward, nobody hands any over.
        if self.discriminator.form.reads_policy and self._log_probs is not None:
            log_odds = self.discriminator.form.log_odds(log_odds, self._log_probs)
        # Used once: those of one token must not be subtracted from the score of the next.
        self._log_probs = None
        return after, moved(log_odds, tokens)


class UniformScorer:
    """A structured discriminator against tokens drawn uniformly: log softmax(f)(y given prefix) + log V; needs no G.

    In training such a discriminator's log-odds are f - log G, against the tokens of a generator; the best f is then the
    logarithm of the language's next-token probabilities. Here 1 / V stands in place of G's probabilities.

    Example:
        >>> import numpy as np
        >>> from rlgan.text.models.core import TextNetworks
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", True, discriminator_form="structured")
        >>> discriminator = TextDiscriminator(networks)
        >>> weights = discriminator.output.weight.data.zero_()  # softmax(f) is 1 / V, as what it is held against
        >>> scorer = UniformScorer(discriminator)
        >>> bool(np.allclose(scorer.score(scorer.start(2), np.array([3, 4]))[1], [0, 0], atol=1e-6))
        True
    """

    def __init__(self, discriminator: TextDiscriminator) -> None:
        self._scorer = DiscriminatorScorer(discriminator)
        self._output = discriminator.output

    def start(self, count: int) -> State:
        """The state before any token: arrays with leading axis `count`."""
        return self._scorer.start(count)

    @torch.inference_mode()
    def score(self, state: State, tokens: Array, /) -> tuple[State, Array]:
        """Read the next token of every sequence, int64 [N]; log-odds float32 [N] against a uniform token."""
        # The core's output before the token stands last in the state: it scores every token that could come.
        log_probs = torch.log_softmax(self._output(state[-1]), dim=-1)
        here = moved(tokens, log_probs)
        after, _ = self._scorer.score(state, here)
        own = log_probs.gather(1, here[:, None])[:, 0]
        return after, moved(own + math.log(log_probs.shape[1]), tokens)


class TrainingScorer:
    """A structured discriminator with its generator: f - log G, its log-odds in training; G begins at z = 0.

    In training each text has a z of its own, which a text of unknown origin does not have: here the mean of them all
    stands in its place.

    Args:
        discriminator: whose form reads the policy.
        generator: that the log-odds are against.
    """

    def __init__(self, discriminator: TextDiscriminator, generator: TextGenerator) -> None:
        self._scorer = DiscriminatorScorer(discriminator)
        self._generator = generator
        # The discriminator's arrays come first in the state.
        self._split = len(discriminator.initial_state(1))

    @torch.inference_mode()
    def start(self, count: int) -> State:
        """The state before any token: tensors with leading axis `count`, where the networks are."""
        device = self._generator.device
        # G reads one token behind the discriminator: the start mark is what it reads first.
        last = torch.full((count,), self._generator.vocab_size, device=device)
        noise = torch.zeros(count, self._generator.noise_size, device=device)
        return (*self._scorer.start(count), *self._generator.initial_state(noise), last)

    @torch.inference_mode()
    def score(self, state: State, tokens: Array, /) -> tuple[State, Array]:
        """Read the next token of every sequence, int64 [N]; log-odds float32 [N] against the generator's tokens."""
        *both, last = state
        here = moved(tokens, last)
        distribution, following = self._generator.step(last, tuple(both[self._split :]))
        self._scorer.hand_over(distribution.gather(1, here[:, None])[:, 0])
        after, log_odds = self._scorer.score(tuple(both[: self._split]), here)
        return (*after, *following, here.clone()), moved(log_odds, tokens)
