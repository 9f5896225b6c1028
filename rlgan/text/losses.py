"""Losses of text: tensors -> scalar. No networks, no state.

Axes: B sequences, T tokens, V words.
"""

from torch import Tensor
from torch.nn import functional

from rlgan.learning.losses import MaskedMean, masked_mean


def policy_gradient(log_probs: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    """REINFORCE: minus the mean over all B * T places of log G(y_t | Y_0:t-1) * advantage_t (Williams 1992).

    Places that do not count add 0. This is the average over sentences of Yala & Song, section 4.1, divided by T.

    Args:
        log_probs: float32 [B, T] of the chosen tokens, with gradient.
        advantages: float32 [B, T], without.
        mask: bool [B, T].

    Example:
        >>> import torch
        >>> log_probs, advantages = torch.tensor([[-1.0, -2.0]]), torch.tensor([[3.0, 5.0]])
        >>> policy_gradient(log_probs, advantages, torch.tensor([[True, False]]))  # -(-1 * 3 + 0) / 2
        tensor(1.5000)
    """
    # Over all places, not over those that count: learners that share a batch then need not know each other's counts.
    return -(log_probs * advantages * mask).mean()


def truncated_ratio(log_probs: Tensor, behaviour: Tensor, limit: float) -> Tensor:
    """How much likelier each choice is now than when it was made, at most `limit`: [B, T], without gradient.

    Truncated importance sampling (Espeholt et al. 2018, IMPALA: rho) of each token by itself; that the tokens before
    it were drawn from another distribution too is not corrected.

    Args:
        log_probs: float32 [B, T] of the tokens by the policy of now.
        behaviour: float32 [B, T] of the tokens by the policy that chose them.
        limit: positive.

    Example:
        >>> import torch
        >>> truncated_ratio(torch.tensor([[0.0, -1.0]]), torch.tensor([[-3.0, -1.0]]), limit=2.0)
        tensor([[2., 1.]])
    """
    # By the difference of logarithms, since both probabilities may be too small for float32.
    return (log_probs.detach() - behaviour).exp().clamp(max=limit)


def negative_log_likelihood(log_probs: Tensor, mask: Tensor, mean: MaskedMean = masked_mean) -> Tensor:
    """The loss of MLE: minus the mean log-probability, in nats per token, of log_probs [B, T] of real tokens.

    Example:
        >>> import torch
        >>> negative_log_likelihood(torch.tensor([[-1.0, -3.0, -9.0]]), torch.tensor([[True, True, False]]))
        tensor(2.)
    """
    return -mean(log_probs, mask)


def discriminator_loss(
    real: Tensor, real_mask: Tensor, fake: Tensor, fake_mask: Tensor, mean: MaskedMean = masked_mean
) -> Tensor:
    """The usual loss, -E log D(x) - E log(1 - D(G(z))), over log-odds [B, T] after every token that counts.

    Through softplus, since log(sigmoid(f)) is minus infinity in float32 where D is sure.

    Example:
        >>> import torch
        >>> undecided, mask = torch.tensor([[0.0]]), torch.tensor([[True]])
        >>> discriminator_loss(undecided, mask, undecided, mask)  # D = 1/2: 2 log 2
        tensor(1.3863)
    """
    return mean(functional.softplus(-real), real_mask) + mean(functional.softplus(fake), fake_mask)


def conditional_losses(log_odds: Tensor, log_probs: Tensor, tokens: Tensor, weight: float = 1.0) -> Tensor:
    """Real tokens against every next token that G might have chosen after the same prefix, weighed by G: [B, T].

    softplus(-l(y_t)) + weight * sum_y G(y) softplus(l(y)) at each place. With l = f - log G, at weight 1, the best f is
    log p_real(y | prefix), whatever G is.

    Args:
        log_odds: float32 [B, T, V], l of every next token, with gradient.
        log_probs: float32 [B, T, V], log G of the same, without.
        tokens: int64 [B, T], the real ones; V where a row has ended.
        weight: of the negative examples.

    Example:
        >>> import torch
        >>> log_odds, log_probs = torch.zeros(1, 1, 2), torch.tensor([[[0.25, 0.75]]]).log()
        >>> conditional_losses(log_odds, log_probs, torch.tensor([[0]]), weight=0.5)  # D = 1/2: (1 + 0.5) log 2
        tensor([[1.0397]])
    """
    negative = expected_under(log_probs, functional.softplus(log_odds))
    return functional.softplus(-gather_log_probs(log_odds, tokens)) + weight * negative


def expected_under(log_probs: Tensor, values: Tensor) -> Tensor:
    """The expectation [...] of values [..., V] under distributions given as log-probabilities [..., V].

    Example:
        >>> import torch
        >>> expected_under(torch.tensor([0.25, 0.75]).log(), torch.tensor([4.0, 0.0]))
        tensor(1.)
    """
    return (log_probs.exp() * values).sum(dim=-1)


def gather_log_probs(values: Tensor, tokens: Tensor) -> Tensor:
    """Pick the values [B, T] of tokens [B, T] out of values [B, T, V]; where a token is V, that of token 0.

    Example:
        >>> import torch
        >>> gather_log_probs(torch.tensor([[[-1.0, -2.0], [-3.0, -4.0]]]), torch.tensor([[1, 2]]))
        tensor([[-2., -3.]])
    """
    # V, behind the end of a row, is no index: the CPU would raise, and a GPU fail in all that follows.
    vocab_size = values.shape[-1]
    return values.gather(-1, tokens.where(tokens < vocab_size, 0)[..., None])[..., 0]
