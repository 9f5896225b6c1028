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
from rlgan.config import RewardControl
from rlgan.networks.gru import GRUDiscriminator, GRUGenerator
from rlgan.returns import discounted_q
from rlgan.streams import Purpose, stream, torch_seed
from rlgan.types import Float, Mask, Rollout, Tensors, Tokens, Weights


@dataclass(frozen=True)
class RolloutSettings:
    """What a rollout worker must know, and no more: it needs no data."""

    vocab_size: int
    length: int
    stop_token: int | None
    rows: int  # sequences played at a time
    reward: str  # a name in envs.REWARD_RULES
    reward_control: RewardControl
    discount: float
    embedding_size: int
    hidden_size: int
    seed: int


class DiscriminatorScorer:
    """An `envs.Scorer` that reads on with a discriminator; its state is the GRU's, float32 [N, H]."""

    def __init__(self, discriminator: GRUDiscriminator) -> None:
        self.discriminator = discriminator
        self._device = discriminator.output.weight.device

    def start(self, count: int) -> State:
        """The state before any token."""
        return (np.zeros((count, self.discriminator.gru.hidden_size), dtype=np.float32),)

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
        self.generator = GRUGenerator(s.vocab_size, s.embedding_size, s.hidden_size).to(device).eval()
        torch.manual_seed(torch_seed(s.seed, Purpose.CONTROL))  # for the control by a random discriminator
        self.discriminator = GRUDiscriminator(s.vocab_size, s.embedding_size, s.hidden_size).to(device).eval()
        environment = gymnasium.make_vec(
            "envs:rlgan/TextGeneration-v0",
            num_envs=s.rows,
            vectorization_mode="vector_entry_point",
            vocab_size=s.vocab_size,
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
        rows, length = self.settings.rows, self.settings.length
        noise = sample_noise(numbers, rows, self.settings.hidden_size)
        uniforms = torch.from_numpy(numbers.random((length, rows), dtype=np.float32)).to(self.device)
        log_probs = np.zeros((rows, length), dtype=np.float32)
        rewards = np.zeros((rows, length), dtype=np.float32)
        mask = np.zeros((rows, length), dtype=np.bool_)
        with torch.inference_mode():
            state = torch.from_numpy(noise).to(self.device)
            tokens, _ = self.environment.reset()
            last = np.full(rows, self.settings.vocab_size, dtype=np.int64)
            alive = np.ones(rows, dtype=np.bool_)
            for t in range(length):
                distribution, state = self.generator.following(torch.from_numpy(last[:, None]).to(self.device), state)
                actions = sample(distribution[:, 0], uniforms[t])
                chosen = distribution[:, 0].gather(1, actions[:, None])[:, 0]
                mask[:, t] = alive
                log_probs[:, t] = chosen.cpu().numpy() * alive
                last = actions.cpu().numpy()
                tokens, reward, ended, _, _ = self.environment.step(last)
                rewards[:, t] = reward
                alive = ~ended
                if not alive.any():
                    break
        if self.settings.reward_control == "constant":
            rewards = mask.astype(np.float32)
        elif self.settings.reward_control == "shuffled":
            rewards = shuffled(rewards, mask, numbers)
        return Rollout(
            tokens=tokens.astype(np.int64, copy=False),
            noise=noise,
            log_probs=log_probs,
            rewards=rewards,
            q_values=discounted_q(rewards, self.settings.discount),
            mask=mask,
            version=weights.version,
        )


def shuffled(rewards: Float, mask: Mask, numbers: np.random.Generator) -> Float:
    """Deal the rewards [B, T] of each position out anew among the sequences that chose a token there."""
    dealt = rewards.copy()
    for t in range(rewards.shape[1]):
        dealt[mask[:, t], t] = numbers.permutation(rewards[mask[:, t], t])
    return dealt


def sample_noise(numbers: np.random.Generator, rows: int, size: int) -> Float:
    """The generator's first state, z ~ N(0, I), float32 [rows, size]. The paper does not say its law."""
    return numbers.standard_normal((rows, size), dtype=np.float32)


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


@torch.no_grad()
def load(network: torch.nn.Module, tensors: Tensors) -> None:
    """Copy numpy arrays, which may be read-only, into a network's parameters of the same names."""
    for name, parameter in network.named_parameters():
        parameter.copy_(torch.tensor(tensors[name]))


def unload(network: torch.nn.Module) -> Tensors:
    """Copy a network's parameters out as numpy arrays by name."""
    return {name: parameter.detach().cpu().numpy().copy() for name, parameter in network.named_parameters()}
