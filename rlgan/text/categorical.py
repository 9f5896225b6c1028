"""Draws tokens from the generator's distributions."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def sample(scores: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a token per row by inverting the cumulated probabilities, in two levels: a block, then a token in it.

    Cumulating by products with a triangle of ones keeps this deterministic on CUDA, where `cumsum` is not, and two
    levels of about sqrt(V) are quicker and lose fewer bits than one of V.

    Args:
        scores: float32 [N, V], log-probabilities but for a constant of each row: the softmax is taken here, once.
        uniforms: float32 [N] in [0, 1).

    Returns:
        The tokens, int64 [N], and their log-probabilities, float32 [N].

    Example:
        >>> tokens, log_probs = sample(torch.tensor([[1.0, 3.0], [1.0, 3.0]]).log(), uniforms=torch.tensor([0.2, 0.3]))
        >>> tokens, log_probs.exp()
        (tensor([0, 1]), tensor([0.2500, 0.7500]))
    """
    rows, vocab_size = scores.shape
    side = int(np.ceil(np.sqrt(vocab_size)))
    top = scores.amax(dim=1, keepdim=True)
    weights = (scores - top).exp_()
    if side * side > vocab_size:
        weights = functional.pad(weights, (0, side * side - vocab_size))
    blocks = weights.view(rows, side, side)
    triangle = torch.ones(side, side, device=scores.device).triu()
    # The sum of each block is a product too, which is quicker than summing a short axis.
    cumulative = (blocks @ triangle[0]) @ triangle
    # The sums end at the norm of the softmax: what the uniform is a share of is their end.
    norm = cumulative[:, -1:]
    goal = uniforms[:, None] * norm
    # `<=` and not `<`: where the uniform is 0, a block whose probabilities underflowed to 0 must not be chosen.
    block = (cumulative <= goal).sum(dim=-1, keepdim=True).clamp(max=side - 1)
    below = functional.pad(cumulative, (1, 0)).gather(1, block)
    inside = blocks[torch.arange(rows, device=blocks.device), block[:, 0]] @ triangle
    # Clamped, since these sums are rounded otherwise than those of the blocks, and may end below the goal.
    offset = (inside <= goal - below).sum(dim=-1).clamp(max=side - 1)
    # The last block is filled up with places that are no token.
    tokens = (block[:, 0] * side + offset).clamp(max=vocab_size - 1)
    log_probs = scores.gather(1, tokens[:, None]) - top - norm.log()
    return tokens, log_probs[:, 0]
