"""Plays the text environment with a generator while a discriminator scores: the one way in which text is generated."""

from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor
from torch.nn import functional

from envs import DiscriminatorRewardVector
from envs.reward import State
from rlgan.learning.weights import load, sample_noise
from rlgan.rng import Purpose, stream, torch_seed
from rlgan.text.networks import TextDiscriminator, TextGenerator, TextNetworks
from rlgan.text.returns import discounted_q
from rlgan.types import Float, Mask, Rollout, Tokens, Weights


@dataclass(frozen=True)
class RolloutSettings:
    """What a rollout worker must know, and no more: it needs no data."""

    networks: TextNetworks
    length: int
    stop_token: int | None
    rows: int  # sequences played at a time
    reward: str  # a name in envs.REWARD_RULES
    reward_control: str  # a name in CONTROLS
    discount: float
    monte_carlo_rollouts: int
    seed: int
    temperature: float = 1.0  # log-probabilities are divided by it


class DiscriminatorScorer:
    """An `envs.Scorer` that reads on with a discriminator; its state is the network's, float32 [N, S]."""

    def __init__(self, discriminator: TextDiscriminator) -> None:
        self.discriminator = discriminator
        self._device = discriminator.output.weight.device

    @torch.inference_mode()
    def start(self, count: int) -> State:
        """The state before any token."""
        return (self.discriminator.begin(count).cpu().numpy(),)

    @torch.inference_mode()
    def score(self, state: State, tokens: Tokens, /) -> tuple[State, Float]:
        """Read the next token of every sequence, int64 [N]; log-odds float32 [N]."""
        hidden = torch.from_numpy(state[0]).to(self._device)
        log_odds, hidden = self.discriminator.following(torch.from_numpy(tokens[:, None]).to(self._device), hidden)
        return (hidden.cpu().numpy(),), log_odds[:, 0].cpu().numpy()


class Player:
    """Both networks on a device and an environment of `rows` sequences; makes shards."""

    def __init__(self, settings: RolloutSettings, device: torch.device) -> None:
        s = settings
        self.settings = settings
        self.device = device
        self.generator = TextGenerator(s.networks).to(device).eval()
        self.discriminator = random_discriminator(s.networks, s.seed).to(device).eval()
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
        self.environment = DiscriminatorRewardVector(environment, DiscriminatorScorer(self.discriminator), s.reward)

    def shard(self, weights: Weights, step: int, draw: int, shard: int) -> Rollout:
        """Make one shard of a training step: a pure function of (weights, seed, step, draw, shard)."""
        return self.play(weights, stream(self.settings.seed, Purpose.ROLLOUT, step, draw, shard))

    def play(self, weights: Weights, numbers: np.random.Generator) -> Rollout:
        """Generate one page per row. A pure function of its arguments.

        Args:
            weights: of both networks; the rewards are by this discriminator.
            numbers: the stream that every random number comes from.
        """
        load(self.generator, weights.generator)
        if self.settings.reward_control != "random_discriminator":
            load(self.discriminator, weights.discriminator)
        rows = self.settings.rows
        noise = sample_noise(numbers, rows, self.generator.noise_size)
        first = torch.full((rows,), self.settings.networks.vocab_size, device=self.device)
        with torch.inference_mode():
            self.environment.reset()
            state = self.generator.begin(torch.from_numpy(noise).to(self.device))
            written = self._write(first, state, 0, np.ones(rows, np.bool_), numbers)
            q_values = self._q_values(written, numbers)
        return Rollout(
            tokens=written.tokens,
            noise=noise,
            log_probs=written.log_probs,
            rewards=written.rewards,
            q_values=q_values,
            mask=written.mask,
            version=weights.version,
        )

    def _write(self, last: Tensor, state: Tensor, place: int, alive: Mask, numbers: np.random.Generator) -> "_Written":
        """Go on from a place of the page to its end.

        Args:
            last: int64 [N], the tokens before the place.
            state: the generator's [N, S], before it read them.
            place: from 0.
            alive: bool [N], which rows go on.
            numbers: the stream that every random number comes from.
        """
        rows, length = self.settings.rows, self.settings.length
        uniforms = torch.from_numpy(numbers.random((length - place, rows), dtype=np.float32)).to(self.device)
        log_probs, rewards = np.zeros((2, rows, length), dtype=np.float32)
        mask = np.zeros((rows, length), dtype=np.bool_)
        tokens = np.full((rows, length), self.settings.networks.vocab_size, dtype=np.int64)
        states = []
        for t in range(place, length):
            distribution, state = self.generator.following(last[:, None], state)
            states.append(state)
            if self.settings.temperature != 1:
                distribution = functional.log_softmax(distribution / self.settings.temperature, dim=-1)
            last = sample(distribution[:, 0], uniforms[t - place])
            chosen = distribution[:, 0].gather(1, last[:, None])[:, 0]
            mask[:, t] = alive
            log_probs[:, t] = chosen.cpu().numpy() * alive
            page, reward, ended, _, _ = self.environment.step(last.cpu().numpy())
            rewards[:, t] = reward
            tokens = page.astype(np.int64, copy=False)
            alive = ~ended
            if not alive.any():
                break
        if self.settings.reward_control == "constant":
            rewards = mask.astype(np.float32)
        elif self.settings.reward_control == "shuffled":
            rewards = shuffled(rewards, mask, numbers)
        return _Written(tokens, log_probs, rewards, mask, states)

    def _q_values(self, written: "_Written", numbers: np.random.Generator) -> Float:
        """Q of each choice, float32 [B, T], with the mean over several ways to go on from it where that is asked for.

        Yala & Song, section 4.1: "in principle, we can average several rollouts". The sequence itself is one of them.
        """
        s = self.settings
        own = discounted_q(written.rewards, s.discount)
        q_values = own.copy()
        for t in range(len(written.states) - 1 if s.monte_carlo_rollouts > 1 else 0):
            alive, prefix = written.mask[:, t + 1], written.tokens[:, : t + 1]  # who goes on after place t, with what
            last = torch.from_numpy(np.where(alive, prefix[:, -1], 0)).to(self.device)
            returns = own[:, t + 1].copy()
            for _ in range(s.monte_carlo_rollouts - 1):
                self.environment.reset(options={"reset_mask": alive, "prefix": prefix})
                other = self._write(last, written.states[t], t + 1, alive, numbers)
                returns += discounted_q(other.rewards, s.discount)[:, t + 1]
            q_values[:, t] = written.rewards[:, t] + s.discount * returns / s.monte_carlo_rollouts
        return q_values


@dataclass(frozen=True)
class _Written:
    """What was written from a place on; the arrays have all places, 0 before it."""

    tokens: Tokens  # [B, T] the whole page
    log_probs: Float  # [B, T]
    rewards: Float  # [B, T]
    mask: Mask  # [B, T]
    states: list[Tensor]  # the generator's [B, S] before each choice, its token not read yet


def shuffled(rewards: Float, mask: Mask, numbers: np.random.Generator) -> Float:
    """Deal the rewards [B, T] of each position to other sequences that chose a token there.

    None keeps its own, which would be a share of the truth: the sequences stand round in a random order, and each has
    the reward of the one some places on. Who is alone has nobody to take one from, and gets 0.
    """
    dealt = np.zeros_like(rewards)
    for t in range(rewards.shape[1]):
        there = numbers.permutation(np.flatnonzero(mask[:, t]))
        if len(there) > 1:
            dealt[there, t] = rewards[np.roll(there, numbers.integers(1, len(there))), t]
    return dealt


def sample(log_probs: Tensor, uniforms: Tensor) -> Tensor:
    """Draw a token per row by inverting the cumulated probabilities, in two levels: a block, then a token in it.

    Cumulating by products with a triangle of ones keeps this deterministic on CUDA, where `cumsum` is not, and two
    levels of about sqrt(V) are quicker and lose fewer bits than one of V.

    Args:
        log_probs: float32 [N, V].
        uniforms: float32 [N] in [0, 1).

    Returns:
        int64 [N].
    """
    rows, vocab_size = log_probs.shape
    side = int(np.ceil(np.sqrt(vocab_size)))
    blocks = functional.pad(log_probs.exp(), (0, side * side - vocab_size)).view(rows, side, side)
    triangle = torch.ones(side, side, device=log_probs.device).triu()
    heights = blocks.sum(dim=-1) @ triangle
    # Heights end near 1, not at it: what the uniform is a part of is their end.
    goal = uniforms[:, None] * heights[:, -1:]
    block = (heights <= goal).sum(dim=-1, keepdim=True).clamp(max=side - 1)
    below = functional.pad(heights, (1, 0)).gather(1, block)
    inside = blocks[torch.arange(rows, device=blocks.device), block[:, 0]] @ triangle
    offset = (inside <= goal - below).sum(dim=-1).clamp(max=side - 1)
    return (block[:, 0] * side + offset).clamp(max=vocab_size - 1)


def random_discriminator(networks: TextNetworks, seed: int) -> TextDiscriminator:
    """One that never learns: for a control, the same in all processes."""
    torch.manual_seed(torch_seed(seed, Purpose.CONTROL))
    return TextDiscriminator(networks)
