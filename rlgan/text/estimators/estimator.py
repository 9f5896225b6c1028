"""What an estimator is, and what it is given.

Axes: B sequences, T tokens, V words, H of what the generator knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rlgan.learning.loss import Loss
from rlgan.learning.losses import MaskedMean
from rlgan.settings import resolve
from rlgan.text.estimators import ESTIMATORS
from rlgan.text.settings import EstimatorSettings, RewardSettings
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
    """The generator as it is now, on a batch of rollouts."""

    distribution: Tensor  # float32 [B, T, V] log-probabilities of every next token, with gradient
    log_probs: Tensor  # float32 [B, T] of the chosen tokens, with gradient
    # Q [B, T] -> what each choice is weighed with, [B, T], and the loss of a baseline that learns.
    weigh: Callable[[Tensor], tuple[Tensor, Tensor | None]]
    masked_mean: MaskedMean  # over the batch of all learners


class Judge(Protocol):
    """Scores every next token of given sequences."""

    def rewards(self, policy: Policy, rollout: RolloutTensors) -> Tensor:
        """The reward of every token at each place, float32 [B, T, V], without gradient."""
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
    """The estimator that settings name."""
    estimator: Estimator = resolve(policy.estimator, ESTIMATORS)(policy, rewards)
    return estimator


def baseline_losses(loss: Tensor | None) -> dict[str, Tensor]:
    """What `policy.weigh` gave, as the auxiliary losses of a `Loss`."""
    # By the name under which the learner has the baseline's module and its optimiser.
    return {} if loss is None else {"baseline": loss}
