"""Rollouts: the generator writes in the text environment while the discriminator scores.

This is the one way in which text is generated, for training and for samples.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor
from torch.nn import functional

from envs import DiscriminatorRewardVector
from rlgan.learning.weights import load, sample_noise
from rlgan.rng import Purpose, stream
from rlgan.settings import resolve
from rlgan.text.categorical import sample
from rlgan.text.controls.control import find_control
from rlgan.text.models.core import State, TextNetworks
from rlgan.text.models.discriminator import random_discriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.returns import RETURNS
from rlgan.text.rewards.rule import find_reward_rule
from rlgan.text.scorer import DiscriminatorScorer
from rlgan.types import Float, Mask, Plan, Rollout, Tokens, Weights


@dataclass(frozen=True)
class RolloutSettings:
    """What a rollout worker must know, and no more: it needs no data."""

    networks: TextNetworks
    length: int
    stop_token: int | None
    rows: int  # sequences generated at a time
    reward: str  # a name in REWARD_RULES
    reward_control: str  # a name in CONTROLS
    returns: str  # a name in RETURNS
    discount: float
    monte_carlo_rollouts: int
    seed: int
    discriminator_rows: int  # the same where the discriminator alone learns from them
    reward_limit: float = 0.0  # on the reward of each token, either way; 0: none
    temperature: float = 1.0  # log-probabilities are divided by it


class RolloutGenerator:
    """Both networks on a device and an environment of `rows` sequences."""

    def __init__(self, settings: RolloutSettings, device: torch.device) -> None:
        s = settings
        self.settings = settings
        self.device = device
        self.generator = TextGenerator(s.networks).to(device).eval()
        self.discriminator = random_discriminator(s.networks, s.seed).to(device).eval()
        self.control = find_control(s.reward_control)
        self.returns: Callable[[Float, Mask, float], Float] = resolve(s.returns, RETURNS)
        environment = gymnasium.make_vec(
            "envs:rlgan/TextGeneration-v0",
            num_envs=s.rows,
            vectorization_mode="vector_entry_point",
            vocab_size=s.networks.vocab_size,
            max_length=s.length,
            stop_token=s.stop_token,
            # A batch has one page per row: a row that has ended waits for the others.
            autoreset_mode=AutoresetMode.DISABLED,
        )
        self.scorer = DiscriminatorScorer(self.discriminator)
        rule = find_reward_rule(s.reward, s.reward_limit)
        # Wrapped by hand: `make_vec` refuses wrappers around a vector environment of its own kind.
        self.environment = DiscriminatorRewardVector(environment, self.scorer, rule)

    def generate(self, weights: Weights, rng: np.random.Generator, *, rewards: bool = True) -> Rollout:
        """Generate one sequence per row. A pure function of its arguments.

        Args:
            weights: of both networks; the rewards are by this discriminator.
            rng: the stream that every random number comes from.
            rewards: whether anybody reads the rewards and Q; if not, the discriminator scores nothing, they are 0, and
                all else is the same.
        """
        load(self.generator, weights.generator)
        if not self.control.random_discriminator:
            load(self.discriminator, weights.discriminator)
        rows = self.settings.rows
        noise = sample_noise(rng, rows, self.generator.noise_size)
        first = torch.full((rows,), self.settings.networks.vocab_size, device=self.device)
        with torch.inference_mode():
            self._environment(rewards).reset()
            state = self.generator.initial_state(torch.from_numpy(noise).to(self.device))
            written = self._continue_from(first, state, 0, np.ones(rows, np.bool_), rng, rewards=rewards)
            q_values = self._q_values(written, rng) if rewards else np.zeros_like(written.rewards)
        return Rollout(
            tokens=written.tokens,
            noise=noise,
            log_probs=written.log_probs,
            rewards=written.rewards,
            q_values=q_values,
            mask=written.mask,
            version=weights.version,
        )

    def _environment(self, rewards: bool) -> VectorEnv:
        """The environment with what pays the rewards, or without where nobody reads them."""
        return self.environment if rewards and self.control.reads_rewards else self.environment.env

    def _continue_from(
        self, last: Tensor, state: State, place: int, alive: Mask, rng: np.random.Generator, *, rewards: bool
    ) -> "_Written":
        """Go on from a place of the page to its end.

        Args:
            last: int64 [N], the tokens before the place.
            state: the generator's, before it read them.
            place: from 0.
            alive: bool [N], which rows go on.
            rng: the stream that every random number comes from.
            rewards: whether anybody reads the rewards; if not, they are 0.
        """
        rows, length = self.settings.rows, self.settings.length
        environment = self._environment(rewards)
        # Drawn for all places and rows at once: what a row writes does not depend on when the others end.
        uniforms = torch.from_numpy(rng.random((length - place, rows), dtype=np.float32)).to(self.device)
        log_probs, paid = np.zeros((2, rows, length), dtype=np.float32)
        mask = np.zeros((rows, length), dtype=np.bool_)
        tokens = np.full((rows, length), self.settings.networks.vocab_size, dtype=np.int64)
        states = []
        for t in range(place, length):
            # Rows that have ended are computed too: a product of fewer rows could round otherwise.
            distribution, state = self._next(last, state)
            states.append(state)
            last = sample(distribution, uniforms[t - place])
            mask[:, t] = alive
            chosen = distribution.gather(1, last[:, None])[:, 0]
            log_probs[:, t] = chosen.cpu().numpy() * alive
            self.scorer.hand_over(chosen)
            page, paid[:, t], ended, _, _ = environment.step(last.cpu().numpy())
            tokens = page.astype(np.int64, copy=False)
            alive = ~ended
            # Breaking off moves no later draw: the numbers for all places have been drawn.
            if not alive.any():
                break
        # After the text is written: a control that draws then leaves the words as they are without it.
        if rewards:
            paid = self.control.apply(paid, mask, rng)
        return _Written(tokens, log_probs, paid, mask, states)

    def _next(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """Log-probabilities [N, V] of what follows the tokens [N], at the temperature, and the state."""
        log_probs, state = self.generator.step(last, state)
        if self.settings.temperature != 1:
            log_probs = functional.log_softmax(log_probs / self.settings.temperature, dim=-1)
        return log_probs, state

    def _q_values(self, written: "_Written", rng: np.random.Generator) -> Float:
        """Q of each choice, float32 [B, T], with the mean over several continuations where that is asked for.

        Yala & Song, section 4.1: "in principle, we can average several rollouts". The sequence itself is one of them.
        """
        s = self.settings
        own = self.returns(written.rewards, written.mask, s.discount)
        if s.monte_carlo_rollouts == 1:
            return own
        q_values = own.copy()
        # At the last place nothing comes after the token: its Q is its own.
        for t in range(len(written.states) - 1):
            alive, prefix = written.mask[:, t + 1], written.tokens[:, : t + 1]  # who goes on after place t, with what
            last = torch.from_numpy(np.where(alive, prefix[:, -1], 0)).to(self.device)
            total = own[:, t].copy()
            for _ in range(s.monte_carlo_rollouts - 1):
                self._environment(True).reset(options={"reset_mask": alive, "prefix": prefix})
                other = self._continue_from(last, written.states[t], t + 1, alive, rng, rewards=True)
                rewards = np.hstack([written.rewards[:, : t + 1], other.rewards[:, t + 1 :]])
                mask = np.hstack([written.mask[:, : t + 1], other.mask[:, t + 1 :]])
                total += self.returns(rewards, mask, s.discount)[:, t]
            q_values[alive, t] = total[alive] / s.monte_carlo_rollouts
        return q_values


class ShardMaker:
    """Makes the shards of training steps; what a rollout worker holds.

    Args:
        settings: of the rollouts.
        plan: what a step computes, a pure function of the step.
        device: where to compute.
    """

    def __init__(self, settings: RolloutSettings, plan: Callable[[int], Plan], device: torch.device) -> None:
        self.rollouts = RolloutGenerator(settings, device)
        few = replace(settings, rows=settings.discriminator_rows)
        self.rollouts_for_discriminator = self.rollouts if few == settings else RolloutGenerator(few, device)
        self.plan = plan

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> Rollout:
        """Make one shard of a training step: a pure function of (weights, seed, step, draw, shard)."""
        plan = self.plan(step)
        rng = stream(self.rollouts.settings.seed, Purpose.ROLLOUT, step, draw, shard)
        # The generator learns from draw 0 alone; of the others the discriminator reads the tokens.
        if draw == 0 and plan.supervision < 1:
            return self.rollouts.generate(weights, rng, rewards=plan.rewards)
        return self.rollouts_for_discriminator.generate(weights, rng, rewards=False)


@dataclass(frozen=True)
class _Written:
    """What was written from a place on; the arrays have all places, 0 before it."""

    tokens: Tokens  # [B, T] the whole page
    log_probs: Float  # [B, T]
    rewards: Float  # [B, T]
    mask: Mask  # [B, T]
    states: list[State]  # the generator's before each choice, its token not read yet
