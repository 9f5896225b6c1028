"""What an estimator is, and what it is given.

Axes: B sequences, T tokens, V words, H of what the generator knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from rlgan.learning.loss import Loss
from rlgan.learning.losses import MaskedMean
from rlgan.settings import resolve
from rlgan.text.estimators import ESTIMATORS
from rlgan.text.models.next_token import chosen_log_probs, loss_over_words
from rlgan.text.settings import EstimatorSettings, MemorySettings, RewardSettings
from rlgan.types import Rollout


@dataclass(frozen=True)
class RolloutTensors:
    """A batch of rollouts where the generator is; see `rlgan.types.Rollout`. All without gradient."""

    tokens: Tensor  # int64 [B, T] V where nothing was written
    mask: Tensor  # bool [B, T] true where a token was chosen
    noise: Tensor  # float32 [B, H] z
    log_probs: Tensor  # float32 [B, T] by the generator that chose them
    rewards: Tensor  # float32 [B, T] zeros where the estimator reads none
    q_values: Tensor  # float32 [B, T] the same
    expected: Tensor  # float32 [B, T] the reward to be expected at each place, zeros where no baseline asks

    @staticmethod
    def of(rollout: Rollout, device: torch.device) -> "RolloutTensors":
        """Copy a rollout to a device."""
        names = ("tokens", "mask", "noise", "log_probs", "rewards", "q_values", "expected")
        # A copy, since what came through the object store is read-only.
        return RolloutTensors(*(torch.tensor(getattr(rollout, name), device=device) for name in names))


@dataclass(frozen=True)
class Policy:
    """The generator as it is now, on a batch of rollouts.

    Example:
        >>> from rlgan.learning.losses import masked_mean
        >>> output, states, tokens = nn.Linear(4, 2), torch.zeros(1, 1, 4), torch.tensor([[1]])
        >>> bias = nn.init.zeros_(output.bias)  # with states of 0, both words are as likely
        >>> policy = Policy(states, output, tokens, lambda q, log_probs: (q, None), masked_mean, reads_entropy=True)
        >>> round(policy.log_probs.item(), 4), round(policy.entropies.item(), 4)  # -log 2, log 2
        (-0.6931, 0.6931)
    """

    states: Tensor  # float32 [B, T, H] what it knows when it chooses each token, with gradient
    output: nn.Linear  # from them to the logits of V words
    tokens: Tensor  # int64 [B, T] the chosen ones
    # Q and log-probabilities, [B, T], -> what each choice is weighed with, [B, T], and the loss of a baseline.
    advantages: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
    masked_mean: MaskedMean  # over the batch of all learners
    reads_entropy: bool = False
    logits_mib: float = MemorySettings().logits_mib

    @cached_property
    def distribution(self) -> Tensor:
        """Log-probabilities of every next token, float32 [B, T, V], with gradient.

        `loss_over_words` needs less memory.
        """
        log_probs: Tensor = self.output(self.states).log_softmax(dim=-1)
        return log_probs

    @property
    def log_probs(self) -> Tensor:
        """Log-probabilities of the chosen tokens, float32 [B, T], with gradient."""
        return self._chosen[0]

    @property
    def entropies(self) -> Tensor:
        """Entropy in nats of each choice, float32 [B, T], with gradient; zeros unless the policy `reads_entropy`."""
        return self._chosen[1]

    def weigh(self, q_values: Tensor) -> tuple[Tensor, Tensor | None]:
        """From Q [B, T] to what each choice is weighed with, [B, T], and the loss of a baseline that learns."""
        return self.advantages(q_values, self.log_probs)

    def loss_over_words(self, loss: Callable[[Tensor, slice], Tensor]) -> Tensor:
        """The sum over all rows of a loss of `distribution`, of which it is given some rows at a time.

        Args:
            loss: `(log_probs, rows) -> value`, from log-probabilities [b, T, V] of some rows of B to a scalar.
        """

        def of_logits(logits: Tensor, rows: slice) -> Tensor:
            return loss(logits.log_softmax(dim=-1), rows)

        return loss_over_words(self.states, self.output, of_logits, mib=self.logits_mib)

    @cached_property
    def _chosen(self) -> tuple[Tensor, Tensor]:
        return chosen_log_probs(self.states, self.output, self.tokens, entropy=self.reads_entropy, mib=self.logits_mib)


class Judge(Protocol):
    """Scores every next token of given sequences.

    Example:
        >>> class OneWord:  # pays 1 for word 0, wherever it stands and however likely it is
        ...     def rewards(self, policy, rollout):
        ...         return self.reading(rollout)(policy.distribution.detach(), slice(None))
        ...     def reading(self, rollout):
        ...         return lambda log_probs, rows: torch.eye(log_probs.shape[-1])[0].expand_as(log_probs)
        >>> OneWord().reading(None)(torch.zeros(1, 1, 3), slice(0, 1))
        tensor([[[1., 0., 0.]]])
    """

    def rewards(self, policy: Policy, rollout: RolloutTensors) -> Tensor:
        """The reward of every token at each place, float32 [B, T, V], without gradient."""
        ...

    def reading(self, rollout: RolloutTensors) -> Callable[[Tensor, slice], Tensor]:
        """Read the rollouts once; what is returned gives the same rewards of some rows at a time.

        It takes the policy's log-probabilities of those rows, [b, T, V] without gradient, and the slice of B.
        """
        ...


class Estimator(Protocol):
    """Estimates the gradient of what the policy is worth."""

    @property
    def scores_all_tokens(self) -> bool:
        """Whether it asks the judge, and so needs a discriminator that scores every next token."""
        ...

    @property
    def reads_rewards(self) -> bool:
        """Whether it reads the rewards and Q of the rollouts; where it does not, workers compute none."""
        ...

    def loss(self, policy: Policy, rollout: RolloutTensors, judge: Judge) -> Loss:
        """What the generator minimises.

        Its metrics may be empty; an estimator that does not read the rewards gives `reward` and `q_value` itself.
        """
        ...


def make_estimator(policy: EstimatorSettings, rewards: RewardSettings) -> Estimator:
    """The estimator that settings name.

    Example:
        >>> policy = EstimatorSettings(estimator="all_tokens")
        >>> [make_estimator(policy, RewardSettings(discount=discount)).reads_rewards for discount in (0.0, 0.5)]
        [False, True]
    """
    estimator: Estimator = resolve(policy.estimator, ESTIMATORS)(policy, rewards)
    return estimator


def baseline_losses(loss: Tensor | None) -> dict[str, Tensor]:
    """What `policy.weigh` gave, as the auxiliary losses of a `Loss`.

    Example:
        >>> baseline_losses(None), baseline_losses(torch.tensor(4.0))
        ({}, {'baseline': tensor(4.)})
    """
    # By the name under which the learner has the baseline's module and its optimiser.
    return {} if loss is None else {"baseline": loss}
