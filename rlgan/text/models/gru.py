"""The paper's core: a gated recurrent unit.

torch's GRU is not letter for letter the paper's. (1) Its update gate is the paper's turned round,
h' = (1 - u) c + u h with u = 1 - i: the same functions. (2) It resets after the matrix product,
c = tanh(W x + b + r * (U h + b')), where the paper has c = tanh(W x + U (r * h) + b). (3) It has two bias vectors for
each gate, the paper has one.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from rlgan.text.models.core import CoreSizes, State


class GRUCore(nn.Module):
    """One GRU layer; its state is its output, [N, H], and its first state is z.

    Example:
        >>> core = GRUCore(CoreSizes(input_size=4, hidden_size=5, length=20))
        >>> outputs, (last,) = core(torch.zeros(2, 3, 4), core.initial_state(torch.zeros(2, 5)))
        >>> outputs.shape, torch.equal(outputs[:, -1], last)
        (torch.Size([2, 3, 5]), True)
    """

    def __init__(self, sizes: CoreSizes) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.input_size, sizes.hidden_size, batch_first=True)

    def initial_state(self, noise: Tensor) -> State:
        """The state before any token: z itself."""
        return (noise,)

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on, [N, T, E]: outputs [N, T, H] and the state."""
        # cuDNN refuses a state that is a view of something larger, which the CPU would take.
        with self._without_autocast(inputs.device.type):
            outputs, last = self.gru(inputs, state[0].contiguous()[None])
        return outputs, (last[0],)

    @staticmethod
    def _without_autocast(device: str) -> AbstractContextManager[Any]:
        # To cuDNN's recurrent layers torch gives float16, whatever type is asked for, and small gradients become 0.
        return torch.autocast(device, enabled=False) if device == "cuda" else nullcontext()
