"""What the estimator `all_tokens` makes of the rewards of all next tokens."""

from torch import Tensor
from torch.nn import functional

from rlgan.text.losses import expected_under


def expected_reward(log_probs: Tensor, rewards: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean over all B * T places of sum_y G(y) r(y): the sum over V of Yala & Song, section 4.1.

    Its gradient is that of REINFORCE on r, summed over all choices in place of a sample of them.

    Args:
        log_probs: float32 [B, T, V] of every next token, with gradient.
        rewards: float32 [B, T, V], without.
        mask: bool [B, T].

    Example:
        >>> import torch
        >>> log_probs, rewards = torch.tensor([[[0.25, 0.75]]]).log(), torch.tensor([[[4.0, 0.0]]])
        >>> expected_reward(log_probs, rewards, torch.tensor([[True]]))
        tensor(-1.)
    """
    return -(expected_under(log_probs, rewards) * mask).mean()


def forward_kl(log_probs: Tensor, rewards: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean over all B * T places of sum_y w(y) log G(y), w(y) = G(y) r(y) / sum_y' G(y') r(y').

    A step towards w, which where r estimates p_real / p_G is the distribution of real text; the weights of MaliGAN (Che
    et al. 2017) on every token. With a constant r the gradient is 0.

    Args:
        log_probs: float32 [B, T, V] of every next token, with gradient.
        rewards: float32 [B, T, V], none negative, without.
        mask: bool [B, T].

    Example:
        >>> import torch
        >>> log_probs, rewards = torch.tensor([[[0.25, 0.75]]]).log(), torch.tensor([[[3.0, 0.0]]])
        >>> forward_kl(log_probs, rewards, torch.tensor([[True]]))  # w is 1 for word 0: log 4
        tensor(1.3863)
    """
    # Without gradient: w is where the generator is to go, and must not come to meet it.
    weights = log_probs.detach().exp() * rewards
    # Where every reward is 0, so are the weights, in place of NaN.
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    return -((weights * log_probs).sum(dim=-1) * mask).mean()


def forward_kl_of_log_odds(log_probs: Tensor, log_odds: Tensor, mask: Tensor) -> Tensor:
    """The same with r = exp(log_odds), normalised in logarithms: w = softmax(log_odds + log G), without any limit.

    Of a structured discriminator, whose log-odds are f - log G, w is softmax(f).

    Args:
        log_probs: float32 [B, T, V] of every next token, with gradient.
        log_odds: float32 [B, T, V], without.
        mask: bool [B, T].

    Example:
        >>> import torch
        >>> log_probs, scores = torch.tensor([[[0.5, 0.5]]]).log(), torch.tensor([[[7.0, 7.0]]])
        >>> forward_kl_of_log_odds(log_probs, scores - log_probs, torch.tensor([[True]]))  # softmax(f) is even: log 2
        tensor(0.6931)
    """
    # In logarithms, where log-odds of any size fit: exp(90) is infinite in float32.
    weights = functional.softmax(log_odds + log_probs.detach(), dim=-1)
    return -((weights * log_probs).sum(dim=-1) * mask).mean()
