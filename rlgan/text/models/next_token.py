"""What losses read of the logits of every next word, [B, T, V], a part of them at a time.

Axes: N = B * T places, V words, H of the states that a linear layer makes the logits of. What one part is depends on
sizes and device alone, never on what else the machine does.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rlgan.learning.precision import Precision, precision_of

CACHED = 160  # rows whose logits are worked on at a time: with 10,000 words what the processor's cache holds
SMALLEST = 1e-38  # of float32's normal numbers


def rows_at_a_time(vocab_size: int, mib: float) -> int:
    """How many rows of logits, float32 [V] each, fill so many MiB; at least one.

    Example:
        >>> rows_at_a_time(vocab_size=10_000, mib=64)
        1677
    """
    return max(int(mib * 2**20 / (4 * vocab_size)), 1)


def chosen_log_probs(
    states: Tensor, output: nn.Linear, tokens: Tensor, *, entropy: bool = False, mib: float
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of tokens [B, T] by log-softmax(output(states)), and the entropies in nats, both [B, T].

    What autograd would make of log-softmax and `gather`, in fewer passes: the probabilities alone are kept, and the
    gradient of the logits is never written down, since it is (one-hot - p) times a number for each row.

    Args:
        states: float32 [B, T, H].
        output: from states to the logits of V words.
        tokens: int64 [B, T]; where one is V, word 0 stands for it.
        entropy: whether entropies are asked for; if not, they are zeros.
        mib: of probabilities that are kept for the gradient. Where there would be more, they are computed again, so
            many at a time.

    Example:
        >>> output, states = nn.Linear(4, 9), torch.ones(1, 1, 4)
        >>> found, entropies = chosen_log_probs(states, output, torch.tensor([[2]]), entropy=True, mib=64)
        >>> distribution = output(states).log_softmax(-1)
        >>> torch.allclose(found, distribution[..., 2])
        True
        >>> torch.allclose(entropies, -(distribution.exp() * distribution).sum(-1))
        True
    """
    words = tokens.where(tokens < output.out_features, 0).flatten()
    found = _ChosenLogProbs.apply(  # type: ignore[no-untyped-call]
        states.flatten(0, 1), output.weight, output.bias, words, entropy, mib, precision_of(output)
    )
    log_probs, entropies = found
    return log_probs.view(tokens.shape), entropies.view(tokens.shape)


class _ChosenLogProbs(torch.autograd.Function):
    """States [N, H], weight [V, H], bias [V], words [N] -> log-probabilities [N], entropies [N]."""

    @staticmethod
    def forward(
        context: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor,
        words: Tensor,
        entropy: bool,
        mib: float,
        precision: Precision,
    ) -> tuple[Tensor, Tensor]:
        rows = rows_at_a_time(len(weight), mib)
        keeps = any(context.needs_input_grad[:3]) and len(states) <= rows
        factors = precision.rounded(states), precision.rounded(weight).t()
        kept = factors[0].new_empty(len(states), len(weight)) if keeps else None
        log_probs, norms, tops = states.new_empty(3, len(states))
        entropies = states.new_zeros(len(states))
        for here in _parts(len(states), _cached(states, rows)):
            logits = torch.addmm(precision.rounded(bias), factors[0][here], factors[1]).to(weight.dtype)
            tops[here] = logits.amax(dim=1)
            of_words = logits.gather(1, words[here, None])[:, 0] - tops[here]
            exponentials = torch.empty_like(logits) if kept is None or kept.dtype != logits.dtype else kept[here]
            torch.sub(logits, tops[here, None], out=exponentials).exp_()
            if kept is not None and kept.dtype != logits.dtype:
                kept[here] = exponentials
            norms[here] = exponentials.sum(dim=1)
            log_probs[here] = of_words - norms[here].log()
            if entropy:
                mean = torch.linalg.vecdot(exponentials, logits) / norms[here]
                entropies[here] = norms[here].log() + tops[here] - mean
            # Here, and below: those of one part alone are there at a time.
            del logits, exponentials
        context.save_for_backward(states, weight, bias, words, norms, tops, entropies, kept)
        context.entropy, context.rows, context.precision = entropy, rows, precision
        return log_probs, entropies

    @staticmethod
    @once_differentiable
    def backward(context: Any, of_log_probs: Tensor, of_entropies: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, bias, words, norms, tops, entropies, kept = context.saved_tensors
        rounded = context.precision.rounded
        factor_of_weight = rounded(weight)
        to_states = torch.empty_like(states)
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for here in _parts(len(states), context.rows):
            own, scale, norm = states[here], of_log_probs[here, None], norms[here, None]
            exponentials = kept
            if exponentials is None:
                exponentials = torch.addmm(rounded(bias), rounded(own), factor_of_weight.t()).to(weight.dtype)
                exponentials.sub_(tops[here, None]).exp_()
            # Probabilities are exponentials / norm: the division is left to what is one number for each row.
            factor = scale / norm
            if context.entropy:
                exponentials = _with_entropy(exponentials, norm, scale, of_entropies[here, None], entropies[here, None])
                factor = torch.ones_like(scale)
            exponentials = rounded(exponentials)
            _add_product(to_weight, exponentials.t(), rounded(own * factor), alpha=-1)
            _add_product(to_bias, exponentials.t(), rounded(factor[:, 0]), alpha=-1)
            to_states[here] = scale * weight[words[here]] - factor * (exponentials @ factor_of_weight)
            to_weight.index_add_(0, words[here], own * scale)
            to_bias.index_add_(0, words[here], scale[:, 0])
            del exponentials
        return to_states, to_weight, to_bias, None, None, None, None


def _with_entropy(exponentials: Tensor, norm: Tensor, scale: Tensor, gain: Tensor, entropies: Tensor) -> Tensor:
    """Minus the gradient of the logits but for the word itself, [N, V]: p (scale + gain (log p + entropy))."""
    # Into an array of its own, since the exponentials may be asked for again.
    result = torch.empty_like(exponentials)
    for here in _parts(len(result), _cached(result, len(result))):
        p = exponentials[here] / norm[here]
        terms = p.clamp(min=SMALLEST).log_().add_(entropies[here]).mul_(gain[here]).add_(scale[here])
        torch.mul(p, terms, out=result[here])
    return result


def loss_over_words(
    states: Tensor, output: nn.Linear, loss: Callable[[Tensor, slice], Tensor], *, mib: float
) -> Tensor:
    """The sum of a loss over all rows of logits output(states), of which it is given some rows at a time.

    The gradient of each part is taken at once, so that logits of some rows alone, and the gradient of at most `mib` of
    them, are there at a time.

    Args:
        states: float32 [B, T, H].
        output: from states to the logits of V words.
        loss: `(logits, rows) -> value`, from logits float32 [b, T, V] of some rows of B to a scalar with gradient.
        mib: of logits whose gradient is held until it goes on to states and output, which the more of them do at once
            the quicker.

    Example:
        >>> output, states = nn.Linear(4, 9), torch.ones(3, 2, 4)
        >>> found = loss_over_words(states, output, lambda logits, rows: logits.exp().sum(), mib=64)
        >>> torch.allclose(found, output(states).exp().sum())
        True
    """
    value: Tensor = _LossOverWords.apply(  # type: ignore[no-untyped-call]
        states, output.weight, output.bias, loss, mib, precision_of(output)
    )
    return value


class _LossOverWords(torch.autograd.Function):
    """States [B, T, H], weight [V, H], bias [V] -> the sum of the losses, []."""

    @staticmethod
    def forward(
        context: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor,
        loss: Callable[[Tensor, slice], Tensor],
        mib: float,
        precision: Precision,
    ) -> Tensor:
        rounded = precision.rounded
        factor = rounded(weight)
        count, length, _ = states.shape
        rows = max(rows_at_a_time(len(weight), mib) // length, 1)
        cached = max(_cached(states, rows * length) // length, 1)
        # Not `empty_like`: the states may be laid out by places, and what is written into would be a copy.
        to_states = states.new_empty(states.shape)
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        total = states.new_zeros(())
        for held in _parts(count, rows):
            own = rounded(states[held])
            # Of several parts: of one alone it is what autograd gives.
            gradient = own.new_empty(len(own), length, len(weight)) if cached < len(own) else None
            for part in _parts(len(own), cached):
                logits = functional.linear(own[part], factor, rounded(bias)).to(weight.dtype).requires_grad_()
                with torch.enable_grad():
                    value = loss(logits, slice(held.start + part.start, held.start + part.stop))
                (found,) = torch.autograd.grad(value, logits)
                total += value.detach()
                if gradient is not None:
                    gradient[part] = found
            flat = rounded(found if gradient is None else gradient).flatten(0, 1)
            if flat.dtype == to_states.dtype:
                torch.mm(flat, factor, out=to_states[held].flatten(0, 1))
            else:
                to_states[held] = (flat @ factor).view(own.shape)
            _add_product(to_weight, flat.t(), own.flatten(0, 1))
            to_bias += flat.sum(dim=0, dtype=to_bias.dtype)
            # Those of one part alone are there at a time: on a GPU it is as large as memory allows.
            del logits, value, found, gradient, flat
        context.save_for_backward(to_states, to_weight, to_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(context: Any, of_value: Tensor) -> tuple[Tensor | None, ...]:
        return *(each * of_value for each in context.saved_tensors), None, None, None


def _add_product(total: Tensor, left: Tensor, right: Tensor, alpha: int = 1) -> None:
    """Add `alpha` times a matrix by a matrix or vector to a total, which may have more digits than the factors."""
    if left.dtype != total.dtype:
        total.add_(left @ right, alpha=alpha)
    elif right.dim() == 1:
        total.addmv_(left, right, alpha=alpha)
    else:
        total.addmm_(left, right, alpha=alpha)


def _cached(like: Tensor, rows: int) -> int:
    """How many of so many rows to work on at a time; on a GPU all, since each kernel takes a launch."""
    return min(CACHED, rows) if like.device.type == "cpu" else rows


def _parts(count: int, size: int) -> Iterator[slice]:
    """Slices of at most so many rows that cover all."""
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
