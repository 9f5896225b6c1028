"""The discriminator of text."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlgan.learning.precision import OutputLayer, find_precision
from rlgan.rng import Purpose, torch_seed
from rlgan.text.forms.form import find_form
from rlgan.text.models.core import State, TextNetworks, make_core, read_on


class TextDiscriminator(nn.Module):
    """How real a sequence looks after every token: a core from a zero state; log-odds, whose sigmoid is D.

    With `scores_all_tokens` the log-odds are h . w_y + b_y, where h is the core's output before token y and after the
    start mark: one product scores all y. Without, they are w . h + b with h after y (the paper's).

    What it gives is f of its form, `rlgan.text.forms`: the log-odds themselves where the form is plain.

    Dropout (on embeddings and outputs, and on whole words, while training) is no part of the paper's; its preset has
    none.

    Example:
        >>> networks = TextNetworks(
        ...     vocab_size=9, embedding_size=4, hidden_size=5, length=3, generator_core="gru", discriminator_core="gru",
        ...     scores_all_tokens=True,
        ... )
        >>> discriminator, tokens = TextDiscriminator(networks), torch.tensor([[2, 7, 1]])
        >>> discriminator(tokens).shape, discriminator.all_next_log_odds(tokens).shape
        (torch.Size([1, 3]), torch.Size([1, 3, 9]))
    """

    def __init__(self, networks: TextNetworks, dropout: float = 0.0, word_dropout: float = 0.0) -> None:
        super().__init__()
        sizes = networks.discriminator_sizes
        self.vocab_size = networks.vocab_size
        self.hidden_size = sizes.hidden_size
        self.scores_all_tokens = networks.scores_all_tokens
        self.embedding = nn.Embedding(networks.vocab_size + 1, sizes.input_size)
        self.core = make_core(networks.discriminator_core, sizes)
        self.precision = find_precision(networks.precision)
        scores = networks.vocab_size if networks.scores_all_tokens else 1
        self.output = OutputLayer(sizes.hidden_size, scores, self.precision)
        self.form = find_form(networks.discriminator_form)
        if self.form.initial_bias is not None:
            nn.init.constant_(self.output.bias, self.form.initial_bias(networks.vocab_size))
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.weight.device

    def forward(self, tokens: Tensor) -> Tensor:
        """Log-odds float32 [B, T] that tokens int64 [B, 0..t] are real; V may stand after a row's end."""
        return self._read(tokens, self.initial_state(len(tokens)))[0]

    def initial_state(self, count: int) -> State:
        """The state of `count` sequences before any token; with `scores_all_tokens` the core's output stands last."""
        # Of one sequence, and the same for all: they have read the same.
        state = self.core.initial_state(self.output.weight.new_zeros(1, self.hidden_size))
        if self.scores_all_tokens:
            start = torch.full((1, 1), self.vocab_size, device=self.device)
            outputs, state = read_on(self.core, self.embedding(start), state, self.precision)
            state = (*state, outputs[:, 0])
        # Copied: rows that `expand` makes share their memory, and what writes into one would write into all.
        return tuple(each.expand(count, *each.shape[1:]).contiguous() for each in state)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one more token of each sequence, [N]: log-odds [N] after it, and the state."""
        log_odds, state = self._read(tokens[:, None], state)
        return log_odds[:, 0], state

    def all_next_log_odds(self, tokens: Tensor) -> Tensor:
        """Log-odds float32 [B, T, V] of every token y at each place of tokens [B, T]: of Y_0:t-1 followed by y.

        For a discriminator with `scores_all_tokens` alone.
        """
        return cast(Tensor, self.output(self.states_before(tokens)))

    def states_before(self, tokens: Tensor) -> Tensor:
        """What `output` makes these log-odds of: float32 [B, T, H], of what was read before each of tokens [B, T]."""
        before, _ = self._outputs_before(tokens, self.initial_state(len(tokens)))
        return cast(Tensor, self.dropout(before))

    def _read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on, [N, T]: log-odds [N, T] after each token, and the state after the last."""
        if not self.scores_all_tokens:
            outputs, state = read_on(self.core, self._embedded(tokens), state, self.precision)
            return cast(Tensor, self.output(self.dropout(outputs)))[..., 0], state
        before, state = self._outputs_before(tokens, state)
        words = tokens.where(tokens < self.vocab_size, 0)  # V is scored as some word; its place does not count
        # The rows of the output layer for these words alone: a product with all of them would be [N, T, V].
        weights = functional.embedding(words, self.output.weight)
        return (self.dropout(before) * weights).sum(dim=-1) + self.output.bias[words], state

    def _outputs_before(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The core's output before each token, [N, T, H], and the state after the last."""
        *own, last = state
        outputs, after = read_on(self.core, self._embedded(tokens), tuple(own), self.precision)
        return torch.cat([last[:, None], outputs[:, :-1]], dim=1), (*after, outputs[:, -1])

    def _embedded(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.embedding(tokens))
        if self.training and self.word_dropout:
            # By `rand_like`, which learners that share a batch replace: each then draws for the whole batch.
            embedded = embedded * (torch.rand_like(embedded[..., :1]) >= self.word_dropout)
        return embedded


def random_discriminator(networks: TextNetworks, seed: int) -> TextDiscriminator:
    """A discriminator that never learns, for a control: the same in all processes."""
    torch.manual_seed(torch_seed(seed, Purpose.CONTROL))
    return TextDiscriminator(networks)
