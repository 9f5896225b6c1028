"""The smallest policy: a choice among three arms, whose expected gradient is known exactly."""

import torch


def three_arms():
    """Logits [3], what each arm is worth [3], and a mask [1, 1]."""
    logits = torch.tensor([0.2, -0.5, 1.0], dtype=torch.float64, requires_grad=True)
    return logits, torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)
