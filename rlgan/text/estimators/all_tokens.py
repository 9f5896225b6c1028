"""The sum over every next token, not only the sampled one (Yala & Song, section 4.1)."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from rlgan.learning.loss import Loss
from rlgan.settings import resolve
from rlgan.text.estimators import weightings_of
from rlgan.text.estimators.estimator import Judge, Policy, RolloutTensors
from rlgan.text.estimators.reinforce import Reinforce
from rlgan.text.losses import gather_log_probs
from rlgan.text.settings import EstimatorSettings, RewardSettings


class AllTokens:
    """A weighting of the rewards of all next tokens; with lambda > 0, lambda Q_t+1 by REINFORCE on the sampled token.

    At lambda = 0 it is exact: nothing of the rollouts counts but their tokens.

    Example:
        >>> from types import SimpleNamespace  # stand-ins, with what is read at lambda = 0
        >>> from rlgan.learning.losses import masked_mean
        >>> log_probs, rewards = torch.tensor([[[0.25, 0.75]]]).log(), torch.tensor([[[4.0, 0.0]]])
        >>> policy = SimpleNamespace(loss_over_words=lambda loss: loss(log_probs, slice(1)), masked_mean=masked_mean)
        >>> judge = SimpleNamespace(reading=lambda rollout: lambda log_probs, rows: rewards)
        >>> rollout = SimpleNamespace(tokens=torch.tensor([[0]]), mask=torch.tensor([[True]]))
        >>> loss = AllTokens(EstimatorSettings(), RewardSettings(discount=0.0)).loss(policy, rollout, judge)
        >>> loss.value, loss.metrics["reward"]  # -(4 / 4 + 0), and what the sampled word earned
        (tensor(-1.), tensor(4.))
    """

    scores_all_tokens = True

    def __init__(self, policy: EstimatorSettings, rewards: RewardSettings) -> None:
        self.weighting: Callable[[Tensor, Tensor, Tensor], Tensor] = resolve(
            policy.weighting, weightings_of(rewards.reward)
        )
        self.sampled = Reinforce(policy, rewards)
        self.reads_rewards = rewards.discount > 0

    def loss(self, policy: Policy, rollout: RolloutTensors, judge: Judge) -> Loss:
        """The loss of a batch, from the judge's rewards."""
        read, of_chosen = judge.reading(rollout), []

        def loss(log_probs: Tensor, rows: slice) -> Tensor:
            rewards = read(log_probs.detach(), rows)
            of_chosen.append(gather_log_probs(rewards, rollout.tokens[rows]))
            # A mean over these rows, of which that over all is made.
            return self.weighting(log_probs, rewards, rollout.mask[rows]) * (len(log_probs) / len(rollout.tokens))

        value = policy.loss_over_words(loss)
        if not self.reads_rewards:
            # The workers made no rewards: what is reported is the judge's reward of the tokens that were written.
            mean = policy.masked_mean(torch.cat(of_chosen), rollout.mask)
            return Loss(value, {"reward": mean, "q_value": mean})
        # The reward of this token is in the sum; what the sample still tells is what comes after it.
        later = dataclasses.replace(rollout, q_values=rollout.q_values - rollout.rewards)
        sampled = self.sampled.loss(policy, later, judge)
        return Loss(value + sampled.value, {}, sampled.auxiliary_losses)
