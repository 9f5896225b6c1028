"""Means over the places of a batch that count."""

from collections.abc import Callable

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values [B, T] where mask [B, T]; a scalar.

    Example:
        >>> import torch
        >>> masked_mean(torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[True, True, False]]))
        tensor(1.5000)
    """
    # By a product and not by `values[mask]`, whose size a GPU would have to tell the host first.
    return (values * mask).sum() / mask.sum()


# Takes the mean of values where a mask is true; `Group.masked_mean` is one over all learners that share a batch.
MaskedMean = Callable[[Tensor, Tensor], Tensor]
