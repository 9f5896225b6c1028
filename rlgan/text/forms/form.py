"""What a form of the discriminator is, and those that are a line."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from rlgan.settings import resolve
from rlgan.text.forms import FORMS


@dataclass(frozen=True)
class DiscriminatorForm:
    """How the log-odds that a token is real come from the network's scores and from the generator.

    Args:
        log_odds: `(scores, log_probs) -> log-odds`, elementwise on tensors of any shape: f, what the network gives for
            tokens, and log G, the log-probabilities that the generator gave them, without gradient.
        reads_policy: whether `log_odds` reads log G; where it does not, it is not computed. Where it does, the network
            scores every next token at once, and log-odds belong to one token, else to the sequence so far.
        initial_bias: of every token's score, from the size of the vocabulary; None: as the layer draws it.
        learns_mixture: whether the network is a mediator and no discriminator: softmax of its scores is a language
            model, which learns, by likelihood, the mixture of real and generated text in equal parts.

    Example:
        >>> import torch
        >>> STRUCTURED.log_odds(torch.tensor([-1.0]), torch.tensor([-3.0]))
        tensor([2.])
    """

    log_odds: Callable[[Tensor, Tensor], Tensor]
    reads_policy: bool = False
    initial_bias: Callable[[int], float] | None = None
    learns_mixture: bool = False


def plain(scores: Tensor, log_probs: Tensor) -> Tensor:  # noqa: ARG001
    """The scores themselves."""
    return scores


def structured(scores: Tensor, log_probs: Tensor) -> Tensor:
    """F - log G: where it is right, f is log p_real(y | prefix).

    Example:
        >>> import torch
        >>> structured(torch.tensor([-1.0, -2.0]), log_probs=torch.tensor([-1.0, -3.0]))  # as likely as by G; e times
        tensor([0., 1.])
    """
    return scores - log_probs


def log_uniform(vocab_size: int) -> float:
    """-log V: scores that begin as the uniform distribution's.

    Example:
        >>> round(log_uniform(10_000), 4)  # -4 log 10
        -9.2103
    """
    return -math.log(vocab_size)


PLAIN = DiscriminatorForm(plain)
# Scores that begin near 0 would begin as log-odds of log V: with 10,000 words 9.2, which is sure that all is real.
STRUCTURED = DiscriminatorForm(structured, reads_policy=True, initial_bias=log_uniform)
# A softmax is the same with any constant; with this one its log-odds begin as those of log M.
MEDIATOR = DiscriminatorForm(structured, reads_policy=True, initial_bias=log_uniform, learns_mixture=True)


def find_form(name: str) -> DiscriminatorForm:
    """The form of a name in `FORMS`, or `module:object`.

    Example:
        >>> find_form("plain").reads_policy, find_form("structured").reads_policy, find_form("mediator").learns_mixture
        (False, True, True)
    """
    form: DiscriminatorForm = resolve(name, FORMS)
    return form
