"""Causal convolutions in place of a recurrent core, which the paper's discussion asks for."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlgan.text.models.core import CoreSizes, State

KERNEL = 3
DILATIONS = (1, 2, 4, 8)  # with three taps each: 31 tokens are read, the paper's sequences are shorter


class CausalConvolutions(nn.Module):
    """Residual layers of dilated convolutions over what came before (van den Oord et al. 2016, WaveNet).

    Its state is z [N, H], which is added to the input at every place, and what each layer still has to read,
    [N, reach, H]: a step costs the same at any place.

    Example:
        >>> core = CausalConvolutions(CoreSizes(input_size=4, hidden_size=5, length=20))
        >>> outputs, (noise, *pasts) = core(torch.zeros(2, 3, 4), core.initial_state(torch.zeros(2, 5)))
        >>> outputs.shape, [past.shape[1] for past in pasts]  # each layer reads two taps back
        (torch.Size([2, 3, 5]), [2, 4, 8, 16])
    """

    def __init__(self, sizes: CoreSizes) -> None:
        super().__init__()
        self.hidden_size = sizes.hidden_size
        self.entry = nn.Linear(sizes.input_size, sizes.hidden_size)
        self.noise = nn.Linear(sizes.hidden_size, sizes.hidden_size, bias=False)
        # Without torch's padding, which is on both sides: the state stands before the text, nothing behind it.
        self.layers = nn.ModuleList(
            nn.Conv1d(sizes.hidden_size, sizes.hidden_size, KERNEL, dilation=dilation) for dilation in DILATIONS
        )

    def initial_state(self, noise: Tensor) -> State:
        """The state before any token, from z [N, H]: nothing, that is zeros, came before."""
        return noise, *(noise.new_zeros(len(noise), (KERNEL - 1) * each, self.hidden_size) for each in DILATIONS)

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on, [N, T, E]: outputs [N, T, H] and the state."""
        noise, *pasts = state
        hidden = self.entry(inputs) + self.noise(noise)[:, None]
        kept = []
        for layer, past in zip(self.layers, pasts, strict=True):
            read = torch.cat([past, hidden], dim=1)
            kept.append(read[:, -past.shape[1] :])
            # Conv1d takes the places last.
            hidden = hidden + functional.relu(layer(read.transpose(1, 2)).transpose(1, 2))
        return hidden, (noise, *kept)
