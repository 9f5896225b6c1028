"""Losses: tensors -> scalar. No networks, no state."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values [B, T] where mask [B, T]; a scalar."""
    return (values * mask).sum() / mask.sum()


# Takes the mean of values where a mask is; another than `masked_mean` where they are rows of a larger batch.
MaskedMean = Callable[[Tensor, Tensor], Tensor]


def policy_gradient(log_probs: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    """REINFORCE: minus the mean over all B * T places of log G(y_t | Y_0:t-1) * advantage_t (Williams 1992).

    Places that do not count add 0. This is the average over sentences of Yala & Song, section 4.1, divided by T.

    Args:
        log_probs: float32 [B, T] of the chosen tokens, with gradient.
        advantages: float32 [B, T], without.
        mask: bool [B, T].
    """
    return -(log_probs * advantages * mask).mean()


def expected_reward(log_probs: Tensor, rewards: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean over all B * T places of sum_y G(y) r(y): the sum over V of Yala & Song, section 4.1.

    Its gradient is that of REINFORCE on r, summed over all choices in place of a sample of them.

    Args:
        log_probs: float32 [B, T, V] of every next token, with gradient.
        rewards: float32 [B, T, V], without.
        mask: bool [B, T].
    """
    return -((log_probs.exp() * rewards).sum(dim=-1) * mask).mean()


def forward_kl(log_probs: Tensor, rewards: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean over all B * T places of sum_y w(y) log G(y), w(y) = G(y) r(y) / sum_y' G(y') r(y').

    A step towards w, which where r estimates p_real / p_G is the distribution of real text; the weights of MaliGAN (Che
    et al. 2017) on every token. With a constant r the gradient is 0.

    Args:
        log_probs: float32 [B, T, V] of every next token, with gradient.
        rewards: float32 [B, T, V], none negative, without.
        mask: bool [B, T].
    """
    weights = log_probs.detach().exp() * rewards
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    return -((weights * log_probs).sum(dim=-1) * mask).mean()


def importance(log_probs: Tensor, behaviour: Tensor, limit: float) -> Tensor:
    """How much likelier each choice is now than when it was made, at most `limit`: [B, T], without gradient.

    Truncated importance sampling (Espeholt et al. 2018, IMPALA: rho) of each token by itself; that the tokens before
    it were drawn from another distribution too is left alone.
    """
    return (log_probs.detach() - behaviour).exp().clamp(max=limit)


def squared_error(values: Tensor, targets: Tensor, mask: Tensor, mean: MaskedMean = masked_mean) -> Tensor:
    """Mean of (values - targets)^2 [B, T] over the counted places."""
    return mean((values - targets).square(), mask)


def likelihood(log_probs: Tensor, mask: Tensor, mean: MaskedMean = masked_mean) -> Tensor:
    """MLE: minus the mean log-probability, in nats per counted token, of log_probs [B, T] of real tokens."""
    return -mean(log_probs, mask)


def discriminator(
    real: Tensor, real_mask: Tensor, fake: Tensor, fake_mask: Tensor, mean: MaskedMean = masked_mean
) -> Tensor:
    """The usual loss, -E log D(x) - E log(1 - D(G(z))), over log-odds [B, T] after every counted token."""
    return mean(functional.softplus(-real), real_mask) + mean(functional.softplus(fake), fake_mask)


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy in nats [B, T] of distributions given as log-probabilities [B, T, V]."""
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def chosen(distribution: Tensor, tokens: Tensor) -> Tensor:
    """Log-probabilities [B, T] of tokens [B, T] out of [B, T, V]; that of token 0 where V, the blank, stands."""
    blank = distribution.shape[-1]
    return distribution.gather(-1, tokens.where(tokens < blank, 0)[..., None])[..., 0]
