"""The judge: what the discriminator says of every next token, as rewards."""

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

    @torch.no_grad()
    def rewards(self, policy: Policy, rollout: RolloutTensors) -> Tensor:
        """The reward of every token at each place, float32 [B, T, V]."""
        tokens = rollout.tokens
        if self.control.reads_rewards:
            rewards = self._read(policy, tokens)
        else:
            rewards = torch.zeros(*tokens.shape, self.discriminator.vocab_size, device=tokens.device)
        controlled: Tensor = self.control.apply(rewards, rollout.mask[..., None], self.rng)
        return controlled

    def _read(self, policy: Policy, tokens: Tensor) -> Tensor:
        # It judges as it is, without dropout, which is for its own updates.
        self.discriminator.eval()
        log_odds = self.discriminator.all_next_log_odds(tokens)
        self.discriminator.train()
        if self.discriminator.form.reads_policy:
            log_odds = self.discriminator.form.log_odds(log_odds, policy.distribution.detach())
        # 0 before the first token: where nothing is read, nothing is known.
        before = functional.pad(gather_log_probs(log_odds, tokens)[:, :-1], (1, 0))
        rewards: Tensor = self.rule(log_odds, before[..., None])
        return rewards
