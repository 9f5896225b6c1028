"""What the estimator `all_tokens` makes of the rewards of all next tokens."""

from torch import Tensor


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
    # Where every reward is 0, so are the weights, in place of NaN.
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    return -((weights * log_probs).sum(dim=-1) * mask).mean()
