"""The generator of text."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlgan.learning.precision import OutputLayer, find_precision
from rlgan.text.models.core import State, TextNetworks, make_core, read_on


class TextGenerator(nn.Module):
    """p(token t | tokens before t, z): a core that starts from z, a softmax over the vocabulary.

    Tokens are int64; V, which stands in a row where no token does, is also the start mark that is read first.

    Example:
        >>> networks = TextNetworks(
        ...     vocab_size=9, embedding_size=4, hidden_size=5, length=3, generator_core="gru", discriminator_core="gru",
        ...     scores_all_tokens=False,
        ... )
        >>> generator = TextGenerator(networks)
        >>> generator(torch.tensor([[2, 7, 1]]), noise=torch.zeros(1, 5)).shape
        torch.Size([1, 3, 9])
    """

    def __init__(self, networks: TextNetworks) -> None:
        super().__init__()
        self.vocab_size = networks.vocab_size
        self.noise_size = networks.hidden_size
        # One more than there are words, for V: the start mark, and what is read behind a row's end.
        self.embedding = nn.Embedding(networks.vocab_size + 1, networks.embedding_size)
        self.core = make_core(networks.generator_core, networks.generator_sizes)
        self.precision = find_precision(networks.precision)
        self.output = OutputLayer(networks.hidden_size, networks.vocab_size, self.precision)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.weight.device

    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Log-probabilities of every next token, float32 [B, T, V], given tokens [B, T] and z [B, H]."""
        return self.distribution(self.states(tokens, noise))

    def states(self, tokens: Tensor, noise: Tensor, dropout: float = 0.0) -> Tensor:
        """What the generator knows when it chooses each of tokens [B, T], given z: float32 [B, T, H].

        With `dropout` that share of the embeddings' numbers and of the states' is 0, and the others are larger for it.
        """
        before = self.initial_state(noise)
        start = torch.full_like(tokens[:, :1], self.vocab_size)
        inputs = self.embedding(torch.cat([start, tokens[:, :-1]], dim=1))
        if not dropout:
            return read_on(self.core, inputs, before, self.precision)[0]
        # By this function, which learners that share a batch replace: each then draws for the whole batch.
        states, _ = read_on(self.core, functional.dropout(inputs, dropout), before, self.precision)
        return functional.dropout(states, dropout)

    def distribution(self, states: Tensor) -> Tensor:
        """Log-probabilities [..., V] of the next token, given states [..., H].

        Log-softmax of finite numbers: no probability can become 0.
        """
        return functional.log_softmax(self.output(states), dim=-1)

    def initial_state(self, noise: Tensor) -> State:
        """The state before the start mark is read, from z, float32 [N, H]."""
        return self.core.initial_state(noise)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one more token of each sequence, [N]: log-probabilities [N, V] of what follows it, and the state."""
        log_probs, state = self.read(tokens[:, None], state)
        return log_probs[:, 0], state

    def step_logits(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The same with logits [N, V], log-probabilities but for a constant of each row."""
        outputs, state = read_on(self.core, self.embedding(tokens[:, None]), state, self.precision)
        return self.output(outputs[:, 0]), state

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on, [N, T]: log-probabilities [N, T, V] of what follows each token, and the state after the last."""
        outputs, state = read_on(self.core, self.embedding(tokens), state, self.precision)
        return self.distribution(outputs), state
