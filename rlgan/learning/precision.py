"""How exactly matrices are multiplied in training: what `--precision` names."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlgan.learning.tables import PRECISIONS
from rlgan.settings import resolve


@dataclass(frozen=True)
class Precision:
    """A precision of products: weights, their gradients, losses and optimisers are float32 with each.

    Args:
        dtype: that factors are rounded to before they are multiplied; None: they stay float32.
        tf32: whether a GPU may round float32 factors to TF32, which has 10 bits of mantissa.
        about: a line for people, where there is something to say.

    Example:
        >>> values = torch.tensor([257.0])  # 9 binary digits, and bfloat16 has 8
        >>> BF16.rounded(values).float(), FLOAT32.rounded(values)
        (tensor([256.]), tensor([257.]))
    """

    dtype: torch.dtype | None = None
    tf32: bool = False
    about: str = ""

    def rounded(self, values: Tensor) -> Tensor:
        """Values as factors of a product; themselves where these stay float32."""
        if self.dtype is None:
            return values
        # In the order of the axes: states of a recurrent layer are laid out by places, and for them torch would make a
        # product for each sequence, with a copy of the other factor for each, which takes eight times as long.
        return values.to(self.dtype, memory_format=torch.contiguous_format)

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Within it, layers multiply with this precision."""
        # Without its cache: what is put in there without a gradient would be taken out where one is due.
        return nullcontext() if self.dtype is None else torch.autocast(device.type, self.dtype, cache_enabled=False)

    @contextmanager
    def on_gpu(self) -> Iterator[None]:
        """Within it, a GPU multiplies float32 with this precision; afterwards, as it did before."""
        before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        _allow_tf32(self.tf32, self.tf32)
        try:
            yield
        finally:
            _allow_tf32(*before)


def _allow_tf32(products: bool, layers: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = layers


FLOAT32 = Precision()
TF32 = Precision(tf32=True, about="matrices are multiplied in TF32 on a GPU; on a CPU, which has none, in float32")
# With TF32 on a GPU for what is left in float32 there: recurrent layers.
BF16 = Precision(torch.bfloat16, tf32=True, about="matrices are multiplied in bfloat16")


class OutputLayer(nn.Linear):
    """A linear layer that multiplies with a precision; what it gives has the type of its weights.

    Example:
        >>> layer = OutputLayer(2, 3, BF16)
        >>> layer(torch.ones(1, 2)).dtype, layer.weight.dtype
        (torch.float32, torch.float32)
    """

    def __init__(self, inputs: int, outputs: int, precision: Precision = FLOAT32) -> None:
        super().__init__(inputs, outputs)
        self.precision = precision

    def forward(self, values: Tensor) -> Tensor:
        """Values [..., H] to [..., V]."""
        rounded = self.precision.rounded
        return functional.linear(rounded(values), rounded(self.weight), rounded(self.bias)).to(self.weight.dtype)


def precision_of(layer: nn.Linear) -> Precision:
    """The precision that a layer multiplies with.

    Example:
        >>> precision_of(OutputLayer(2, 3, BF16)) is BF16, precision_of(nn.Linear(2, 3)) is FLOAT32
        (True, True)
    """
    return layer.precision if isinstance(layer, OutputLayer) else FLOAT32


def find_precision(name: str) -> Precision:
    """The precision of a name in `PRECISIONS`.

    Example:
        >>> find_precision("bf16").dtype, find_precision("tf32").dtype
        (torch.bfloat16, None)
    """
    precision: Precision = resolve(name, PRECISIONS)
    return precision
