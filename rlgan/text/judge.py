"""The judge: what the discriminator says of every next token, as rewards."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from envs import RewardRule
from rlgan.text.controls.control import RewardControl
from rlgan.text.estimators.estimator import Policy, RolloutTensors
from rlgan.text.losses import gather_log_probs
from rlgan.text.models.discriminator import TextDiscriminator


@dataclass(frozen=True)
class DiscriminatorJudge:
    """Rewards of every next token, by a discriminator as it is; implements `rlgan.text.estimators.estimator.Judge`.

    Args:
        discriminator: with `scores_all_tokens`.
        rule: from log-odds to rewards.
        control: what becomes of the rewards.
        rng: the random numbers of this update.
    """

    discriminator: TextDiscriminator
    rule: RewardRule
    control: RewardControl
    rng: np.random.Generator

    def rewards(self, policy: Policy, rollout: RolloutTensors) -> Tensor:
        """The reward of every token at each place, float32 [B, T, V]."""
        return self.reading(rollout)(policy.distribution.detach(), slice(len(rollout.tokens)))

    @torch.no_grad()
    def reading(self, rollout: RolloutTensors) -> Callable[[Tensor, slice], Tensor]:
        """Read the rollouts once; what is returned gives the rewards of some rows at a time."""
        # It judges as it is, without dropout, which is for its own updates.
        self.discriminator.eval()
        states = self.discriminator.states_before(rollout.tokens) if self.control.reads_rewards else None
        self.discriminator.train()

        @torch.no_grad()
        def read(log_probs: Tensor, rows: slice) -> Tensor:
            if states is None:
                rewards = torch.zeros_like(log_probs)
            else:
                rewards = self._rewards(self.discriminator.output(states[rows]), log_probs, rollout.tokens[rows])
            # With a copy of the random numbers: all rows are given the same.
            controlled: Tensor = self.control.apply(rewards, rollout.mask[rows, :, None], copy.deepcopy(self.rng))
            return controlled

        return read

    def _rewards(self, log_odds: Tensor, log_probs: Tensor, tokens: Tensor) -> Tensor:
        if self.discriminator.form.reads_policy:
            log_odds = self.discriminator.form.log_odds(log_odds, log_probs)
        # 0 before the first token: where nothing is read, nothing is known.
        before = functional.pad(gather_log_probs(log_odds, tokens)[:, :-1], (1, 0))
        rewards: Tensor = self.rule(log_odds, before[..., None])
        return rewards
