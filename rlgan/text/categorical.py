"""Draws tokens from the generator's distributions."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def sample(log_probs: Tensor, uniforms: Tensor) -> Tensor:
    """Draw a token per row by inverting the cumulated probabilities, in two levels: a block, then a token in it.

    Cumulating by products with a triangle of ones keeps this deterministic on CUDA, where `cumsum` is not, and two
    levels of about sqrt(V) are quicker and lose fewer bits than one of V.

    Args:
        log_probs: float32 [N, V].
        uniforms: float32 [N] in [0, 1).

    Returns:
        int64 [N].

    Example:
        >>> sample(torch.tensor([[0.25, 0.75], [0.25, 0.75]]).log(), uniforms=torch.tensor([0.2, 0.3]))
        tensor([0, 1])
    """
    rows, vocab_size = log_probs.shape
    side = int(np.ceil(np.sqrt(vocab_size)))
    blocks = functional.pad(log_probs.exp(), (0, side * side - vocab_size)).view(rows, side, side)
    triangle = torch.ones(side, side, device=log_probs.device).triu()
    cumulative = blocks.sum(dim=-1) @ triangle
    # The sums end near 1, not at it: what the uniform is a share of is their end.
    goal = uniforms[:, None] * cumulative[:, -1:]
    # `<=` and not `<`: where the uniform is 0, a block whose probabilities underflowed to 0 must not be chosen.
    block = (cumulative <= goal).sum(dim=-1, keepdim=True).clamp(max=side - 1)
    below = functional.pad(cumulative, (1, 0)).gather(1, block)
    inside = blocks[torch.arange(rows, device=blocks.device), block[:, 0]] @ triangle
    # Clamped, since these sums are rounded otherwise than those of the blocks, and may end below the goal.
    offset = (inside <= goal - below).sum(dim=-1).clamp(max=side - 1)
    # The last block is filled up with places that are no token.
    return (block[:, 0] * side + offset).clamp(max=vocab_size - 1)
