"""The GRU pair of Yala & Song, section 4.1: both players have the same architecture.

torch's GRU is not letter for letter the paper's. (1) Its update gate is the paper's turned round, h' = (1 - u) c +
u h with u = 1 - i: the same functions. (2) It resets after the matrix product, c = tanh(W x + b + r * (U h + b')),
where the paper has c = tanh(W x + U (r * h) + b). (3) It has two bias vectors for each gate, the paper has one.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class GRUGenerator(nn.Module):
    """p(token t | tokens before t, z): one GRU whose first state is z, a softmax over the vocabulary.

    Tokens are int64; V (the blank of the environment) is `<start>`.
    """

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size + 1, embedding_size)
        self.gru = nn.GRU(embedding_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Log-probabilities of every next token, float32 [B, T, V], given tokens [B, T] and z [B, H]."""
        start = torch.full_like(tokens[:, :1], self.vocab_size)
        return self.following(torch.cat([start, tokens[:, :-1]], dim=1), noise)[0]

    def following(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read on from a state [B, H]: log-probabilities [B, T, V] of what follows each token [B, T], and the state.

        Log-softmax of finite numbers: no probability can become 0.
        """
        hidden, last = self.gru(self.embedding(tokens), state.unsqueeze(0))
        return functional.log_softmax(self.output(hidden), dim=-1), last[0]


class GRUDiscriminator(nn.Module):
    """How real a sequence looks after every token: one GRU from a zero state; log-odds, whose sigmoid is D.

    Dropout (on embeddings and states, and on whole words, while training) is no part of the paper's; its preset has
    none.
    """

    def __init__(
        self, vocab_size: int, embedding_size: int, hidden_size: int, dropout: float = 0.0, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size + 1, embedding_size)
        self.gru = nn.GRU(embedding_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, 1)
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout

    def forward(self, tokens: Tensor) -> Tensor:
        """Log-odds float32 [B, T] that tokens int64 [B, 0..t] are real; V may stand after a row's end."""
        state = self.embedding.weight.new_zeros(len(tokens), self.gru.hidden_size)
        return self.following(tokens, state)[0]

    def following(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read on from a state [B, H]: log-odds [B, T] after each token [B, T], and the state."""
        embedded = self.dropout(self.embedding(tokens))
        if self.training and self.word_dropout:
            embedded = embedded * (torch.rand_like(embedded[..., :1]) >= self.word_dropout)
        hidden, last = self.gru(embedded, state.unsqueeze(0))
        return cast(Tensor, self.output(self.dropout(hidden)))[..., 0], last[0]
