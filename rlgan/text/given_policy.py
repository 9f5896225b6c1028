"""`rlgan evaluate --policy`: what an agent from outside writes, and what it says of real text."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from envs import Pages
from rlgan.errors import RunError, UsageError
from rlgan.rng import Purpose, stream
from rlgan.settings import resolve
from rlgan.text.categorical import sample
from rlgan.text.corpus import Rows
from rlgan.text.perplexities import two_to_the_entropy
from rlgan.types import Float, Mask, Tokens

ROWS = 64  # sequences that a policy is asked about at a time
# How far probabilities may sum up from 1; those of a float16 network do by less.
TOLERANCE = 1e-2

# (tokens int64 [N, t], mask bool [N, t]) -> log-probabilities [N, V] or actions [N]
Policy: TypeAlias = Callable[[Tokens, Mask], Any]


class GivenPolicy:
    """A policy of anybody's: what comes next after each of N texts.

    Args:
        name: `module:object`, of a function `(tokens, mask)`: tokens int64 [N, t], the texts so far, V behind the end
            of a text; mask bool [N, t], true where a token stands. It gives log-probabilities [N, V] of the next
            token, or actions, integers [N].
        vocab_size: V.

    Raises:
        UsageError: it is no function.

    Example:
        >>> GivenPolicy("math:pi", vocab_size=9)
        Traceback (most recent call last):
            ...
        rlgan.errors.UsageError: --policy math:pi is a float, not a function of (tokens, mask)
    """

    def __init__(self, name: str, vocab_size: int) -> None:
        found = resolve(name, {})
        if not callable(found):
            raise UsageError(f"--policy {name} is a {type(found).__name__}, not a function of (tokens, mask)")
        self.name = name
        self._policy: Policy = found
        self._vocab_size = vocab_size

    @cached_property
    def gives_actions(self) -> bool:
        """Whether it chooses tokens, in place of saying how likely each is."""
        return self._ask(np.zeros((1, 0), np.int64)).ndim == 1

    def write(self, count: int, length: int, stop_token: int | None, temperature: float, seed: int) -> Rows:
        """What it writes: sequences of at most `length` tokens, those that it chooses or that are drawn."""
        # Whole rounds, as `rlgan.text.sampling` has them: the first sequences do not depend on how many are asked for.
        rounds = [self._write(length, stop_token, temperature, seed, i) for i in range(math.ceil(count / ROWS))]
        tokens = np.concatenate(rounds)[:count]
        return Rows(tokens, tokens < self._vocab_size)

    def log_probs(self, rows: Rows, temperature: float = 1.0) -> Float:
        """Log-probabilities of the tokens of rows [N, T], float32 [N, T], 0 where no token stands."""
        found = np.zeros(rows.tokens.shape, np.float32)
        for start in range(0, len(found), ROWS):
            part = slice(start, start + ROWS)
            for t in np.flatnonzero(rows.mask[part].any(axis=0)):
                distribution = self._distribution(rows.tokens[part, :t], temperature).numpy()
                words = np.where(rows.mask[part, t], rows.tokens[part, t], 0)
                # Not by a product with the mask: what is impossible is minus infinity, times 0 NaN.
                found[part, t] = np.where(rows.mask[part, t], distribution[np.arange(len(words)), words], 0)
        return found

    def perplexity(self, rows: Rows) -> float:
        """Perplexity per counted token of rows, as `rlgan.text.measures.perplexity` is of a generator."""
        nats = -float(self.log_probs(rows).sum(dtype=np.float64))
        return two_to_the_entropy(nats, int(rows.mask.sum()))

    def _write(self, length: int, stop_token: int | None, temperature: float, seed: int, round_: int) -> Tokens:
        pages = Pages(ROWS, self._vocab_size, length, stop_token)
        uniforms = stream(seed, Purpose.EVALUATION, round_).random((length, ROWS), dtype=np.float32)
        for t in range(length):
            tokens = pages.tokens[:, :t]
            returned = self._ask(tokens)
            if returned.ndim == 2:
                returned, _ = sample(self._normalised(returned, temperature), torch.from_numpy(uniforms[t]))
            try:
                pages.write(returned.numpy())
            except ValueError as error:
                raise RunError(f"--policy {self.name}: {error}") from None
            if pages.ended.all():
                break
        written: Tokens = pages.tokens
        return written

    def _distribution(self, tokens: Tokens, temperature: float) -> Tensor:
        return self._normalised(self._ask(tokens), temperature)

    def _normalised(self, log_probs: Tensor, temperature: float) -> Tensor:
        total = log_probs.logsumexp(dim=-1)
        if not (total.abs() < TOLERANCE).all():
            worst = float(total[total.abs().argmax()].exp())
            raise RunError(
                f"--policy {self.name} gave log-probabilities of a sum of {worst:.3g}, not 1: give "
                "log_softmax of the logits"
            )
        return functional.log_softmax(log_probs / temperature, dim=-1)

    def _ask(self, tokens: Tokens) -> Tensor:
        """What the policy returns for texts, checked: float32 [N, V], or int64 [N]."""
        count, due = len(tokens), f"log-probabilities [{len(tokens)}, {self._vocab_size}] or actions [{len(tokens)}]"
        with torch.no_grad():
            try:
                # A copy, since it may write into what it is given; rows of a file are int32.
                returned = self._policy(tokens.astype(np.int64), tokens < self._vocab_size)
                given = torch.as_tensor(returned).detach().cpu()
            except Exception as error:  # a function of somebody else's may raise anything
                raise RunError(f"--policy {self.name} failed: {type(error).__name__}: {error}") from error
        kind = str(given.dtype).removeprefix("torch.")
        if given.shape == (count, self._vocab_size) and given.is_floating_point() and not given.isnan().any():
            return given.float()
        if given.shape == (count,) and kind.startswith(("int", "uint")):
            return given.long()
        raise RunError(f"--policy {self.name} gave {kind} {list(given.shape)}: give {due}, without NaN")
