"""The text pair of Yala & Song, section 4.1: both players are an embedding, a core that reads, and a linear output.

The core is a GRU, the paper's, or causal convolutions, which its discussion asks for. torch's GRU is not letter for
letter the paper's. (1) Its update gate is the paper's turned round, h' = (1 - u) c + u h with u = 1 - i: the same
functions. (2) It resets after the matrix product, c = tanh(W x + b + r * (U h + b')), where the paper has
c = tanh(W x + U (r * h) + b). (3) It has two bias vectors for each gate, the paper has one.

Axes: B sequences, T tokens, V words, E numbers of an embedding, H of a core's output, S of its state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 3
DILATIONS = (1, 2, 4, 8)  # with three taps each: 31 tokens are read, the paper's sequences are shorter


@dataclass(frozen=True)
class TextNetworks:
    """What both players are made of."""

    vocab_size: int
    embedding_size: int
    hidden_size: int
    generator: str  # a name in CORES
    discriminator: str
    every_token: bool  # the discriminator scores every next token at once


class GRUCore(nn.Module):
    """One GRU (no stacking); its state is its output, and its first state is z."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)

    def begin(self, noise: Tensor) -> Tensor:
        """The state [B, H] before any token, from z [B, H]."""
        return noise

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read on [B, T, E] from a state [B, H]: outputs [B, T, H] and the state."""
        hidden, last = self.gru(inputs, state.unsqueeze(0))
        return hidden, last[0]


class CausalConvolutions(nn.Module):
    """Residual layers of dilated convolutions over what came before (van den Oord et al. 2016, WaveNet).

    Its state is z, which is added to the input at every place, and what each layer still has to read: a step costs the
    same at any place.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.entry = nn.Linear(input_size, hidden_size)
        self.noise = nn.Linear(hidden_size, hidden_size, bias=False)
        self.layers = nn.ModuleList(nn.Conv1d(hidden_size, hidden_size, KERNEL, dilation=d) for d in DILATIONS)

    def begin(self, noise: Tensor) -> Tensor:
        """The state [B, S] before any token, from z [B, H]: nothing, that is zeros, came before."""
        places = (KERNEL - 1) * sum(DILATIONS)
        return torch.cat([noise, noise.new_zeros(len(noise), places * self.hidden_size)], dim=1)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read on [B, T, E] from a state [B, S]: outputs [B, T, H] and the state."""
        sizes = [self.hidden_size, *((KERNEL - 1) * d * self.hidden_size for d in DILATIONS)]
        noise, *pasts = torch.split(state, sizes, dim=1)
        hidden = self.entry(inputs) + self.noise(noise)[:, None]
        kept = [noise]
        for layer, dilation, past in zip(self.layers, DILATIONS, pasts, strict=True):
            reach = (KERNEL - 1) * dilation
            read = torch.cat([past.view(len(past), reach, self.hidden_size), hidden], dim=1)
            kept.append(read[:, -reach:].flatten(start_dim=1))
            hidden = hidden + functional.relu(layer(read.transpose(1, 2)).transpose(1, 2))
        return hidden, torch.cat(kept, dim=1)


Core = GRUCore | CausalConvolutions
CORES: dict[str, Callable[[int, int], Core]] = {"gru": GRUCore, "cnn": CausalConvolutions}


class TextGenerator(nn.Module):
    """p(token t | tokens before t, z): a core that starts from z, a softmax over the vocabulary.

    Tokens are int64; V (the blank of the environment) is `<start>`.
    """

    def __init__(self, networks: TextNetworks) -> None:
        super().__init__()
        self.vocab_size = networks.vocab_size
        self.noise_size = networks.hidden_size
        self.embedding = nn.Embedding(networks.vocab_size + 1, networks.embedding_size)
        self.core = CORES[networks.generator](networks.embedding_size, networks.hidden_size)
        self.output = nn.Linear(networks.hidden_size, networks.vocab_size)

    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Log-probabilities of every next token, float32 [B, T, V], given tokens [B, T] and z [B, H]."""
        return self.distribution(self.states(tokens, noise))

    def states(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """What the generator knows when it chooses each of tokens [B, T], given z: float32 [B, T, H]."""
        start = torch.full_like(tokens[:, :1], self.vocab_size)
        read = self.embedding(torch.cat([start, tokens[:, :-1]], dim=1))
        return cast(Tensor, self.core(read, self.core.begin(noise))[0])

    def distribution(self, states: Tensor) -> Tensor:
        """Log-probabilities [..., V] of the next token, given states [..., H].

        Log-softmax of finite numbers: no probability can become 0.
        """
        return functional.log_softmax(self.output(states), dim=-1)

    def begin(self, noise: Tensor) -> Tensor:
        """The state [B, S] before `<start>`, from z [B, H]."""
        return self.core.begin(noise)

    def following(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read on from a state [B, S]: log-probabilities [B, T, V] of what follows each token [B, T], and the state."""
        hidden, state = self.core(self.embedding(tokens), state)
        return self.distribution(hidden), state


class TextDiscriminator(nn.Module):
    """How real a sequence looks after every token: a core from a zero state; log-odds, whose sigmoid is D.

    With `every_token` the log-odds are h . w_y + b_y, where h is the core's output before token y and after `<start>`:
    one product scores all y. Without, they are w . h + b with h after y (the paper's).

    Dropout (on embeddings and outputs, and on whole words, while training) is no part of the paper's; its preset has
    none.
    """

    def __init__(self, networks: TextNetworks, dropout: float = 0.0, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.vocab_size = networks.vocab_size
        self.embedding = nn.Embedding(networks.vocab_size + 1, networks.embedding_size)
        self.core = CORES[networks.discriminator](networks.embedding_size, networks.hidden_size)
        self.every_token = networks.every_token
        self.output = nn.Linear(networks.hidden_size, networks.vocab_size if networks.every_token else 1)
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout

    def forward(self, tokens: Tensor) -> Tensor:
        """Log-odds float32 [B, T] that tokens int64 [B, 0..t] are real; V may stand after a row's end."""
        return self.following(tokens, self.begin(len(tokens)))[0]

    def begin(self, count: int) -> Tensor:
        """The state [count, S] before any token; with `every_token` it ends with the core's output."""
        nothing = self.core.begin(self.output.weight.new_zeros(1, self.core.hidden_size))
        if self.every_token:
            start = torch.full((1, 1), self.vocab_size, device=nothing.device)
            hidden, state = self.core(self.embedding(start), nothing)
            nothing = torch.cat([state, hidden[:, 0]], dim=1)
        return nothing.expand(count, -1).contiguous()

    def following(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read on from a state [B, S]: log-odds [B, T] after each token [B, T], and the state."""
        if not self.every_token:
            hidden, state = self.core(self._embedded(tokens), state)
            return cast(Tensor, self.output(self.dropout(hidden)))[..., 0], state
        before, state = self._before(tokens, state)
        words = tokens.where(tokens < self.vocab_size, 0)  # a blank is scored as some word; nobody counts it
        weights = functional.embedding(words, self.output.weight)
        return (self.dropout(before) * weights).sum(dim=-1) + self.output.bias[words], state

    def every_next(self, tokens: Tensor) -> Tensor:
        """Log-odds float32 [B, T, V] of every token y at each place of tokens [B, T]: of Y_0:t-1 followed by y.

        For a discriminator with `every_token` alone.
        """
        return cast(Tensor, self.output(self.dropout(self._before(tokens, self.begin(len(tokens)))[0])))

    def _before(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The core's output before each token, [B, T, H], and the state after the last."""
        own, last = state[:, : -self.core.hidden_size], state[:, -self.core.hidden_size :]
        hidden, own = self.core(self._embedded(tokens), own)
        before = torch.cat([last[:, None], hidden[:, :-1]], dim=1)
        return before, torch.cat([own, hidden[:, -1]], dim=1)

    def _embedded(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.embedding(tokens))
        if self.training and self.word_dropout:
            embedded = embedded * (torch.rand_like(embedded[..., :1]) >= self.word_dropout)
        return embedded
