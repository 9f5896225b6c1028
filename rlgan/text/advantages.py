"""Makes the weights with which REINFORCE weighs each sampled choice, from Q values."""

from dataclasses import dataclass

from torch import Tensor

from rlgan.learning.group import ALONE, Group
from rlgan.text.baselines.baseline import Baseline
from rlgan.text.losses import truncated_ratio


@dataclass(frozen=True)
class OwnReward:
    """The reward that a token earns by itself, and what the generator could expect at that place.

    Example:
        >>> import torch
        >>> from rlgan.text.losses import expected_under
        >>> even, rewards = torch.tensor([[[0.5, 0.5]]]).log(), torch.tensor([[[4.0, 0.0]]])
        >>> own = OwnReward(rewards[..., 0], expected_under(even, rewards))  # word 0 was chosen; a coin would earn 2
        >>> own.rewards - own.expected
        tensor([[2.]])
    """

    rewards: Tensor  # float32 [B, T] of the chosen tokens, 0 where none was chosen
    expected: Tensor  # float32 [B, T] sum_y G(y) r(y), by the generator and the discriminator that the rewards are of


@dataclass(frozen=True)
class Advantages:
    """Subtracts a baseline from Q, and corrects what is left where that is asked for.

    Args:
        baseline: what is subtracted.
        normalise: divide by the root mean square of each position over the batch.
        importance_limit: weigh each token by G(y) now over G(y) when it was chosen, at most by this; 0: no correction.
        group: the learners that share every batch.
        centres_own_reward: the token's own reward is centred by its expectation, and the baseline is subtracted from
            the rest of Q. Later rewards, centred so, would have mean 0 and say nothing.

    Example:
        >>> import torch
        >>> from rlgan.text.baselines.none import NoBaseline
        >>> advantages = Advantages(NoBaseline(None, None, None), importance_limit=2.0)
        >>> q_values, mask, states = torch.tensor([[3.0, 5.0]]), torch.tensor([[True, True]]), torch.zeros(1, 2, 4)
        >>> now, before = torch.tensor([[-1.0, -1.0]]), torch.tensor([[-1.0, -9.0]])  # the second is now e^8 as likely
        >>> advantages.weights(q_values, mask, states, now, before)
        (tensor([[ 3., 10.]]), None)
    """

    baseline: Baseline
    normalise: bool = False
    importance_limit: float = 0.0
    group: Group = ALONE
    centres_own_reward: bool = False

    def weights(
        self,
        q_values: Tensor,
        mask: Tensor,
        states: Tensor,
        log_probs: Tensor,
        behaviour: Tensor,
        own: OwnReward | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """What each choice is weighed with, [B, T], 0 where not mask, and the loss of a baseline that learns.

        Args:
            q_values: float32 [B, T], 0 where not mask.
            mask: bool [B, T], true where a token was chosen.
            states: float32 [B, T, H], what the generator knew.
            log_probs: float32 [B, T], of the choices by the generator as it is.
            behaviour: float32 [B, T], of the choices by the generator that made them.
            own: what `centres_own_reward` asks for.
        """
        # The token's own reward has a centre of its own below; two centres would be subtracted from it otherwise.
        later = q_values - own.rewards if own else q_values
        # Without gradient: a baseline predicts from what the generator knows, and has no say in what that is.
        weights, loss = self.baseline.advantage(later, mask, states.detach())
        if own:
            weights = weights + (own.rewards - own.expected) * mask
        if self.normalise:
            # Of the batch of all learners: else the scale would depend on how many share it.
            whole, whole_mask = (self.group.gather(own) for own in (weights, mask))
            weights = self.group.rows(unit_variance(whole, whole_mask))
        # After the normalisation, which would take away what the ratios of a position have in common.
        if self.importance_limit:
            weights = weights * truncated_ratio(log_probs, behaviour, self.importance_limit)
        return weights, loss


def unit_variance(advantages: Tensor, mask: Tensor) -> Tensor:
    """Divide by the root mean square of each position over the batch, so that no position drowns another.

    Args:
        advantages: float32 [B, T].
        mask: bool [B, T].

    Returns:
        float32 [B, T]; a position whose advantages are all 0 stays 0.

    Example:
        >>> import torch
        >>> unit_variance(torch.tensor([[30.0], [-30.0]]), torch.tensor([[True], [True]]))
        tensor([[ 1.],
                [-1.]])
    """
    count = mask.sum(dim=0).clamp(min=1)
    # The mean is not subtracted here: to centre is the baseline's task, and one that saw the choice itself adds a bias.
    scale = ((advantages.square() * mask).sum(dim=0) / count).sqrt()
    return advantages / scale.clamp(min=1e-8)
