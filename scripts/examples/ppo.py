"""PPO in one file, in the manner of CleanRL, on the text environment with a trained discriminator as its reward.

    rlgan train --data lines.txt --length 8 --run-dir runs/a
    python scripts/examples/ppo.py runs/a

It prints the mean return of a page before and while the policy learns, and at the end texts that it writes. A place to
start from: the features are embeddings of the page's tokens, since token numbers in a linear layer say little.

PPO: Schulman et al. 2017, arXiv 1707.06347. CleanRL: Huang et al. 2022, JMLR 23(274).
"""

from dataclasses import dataclass
from typing import Annotated

import gymnasium
import numpy as np
import torch
import tyro
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn
from torch.distributions import Categorical

import rlgan
from rlgan.envs import DiscriminatorRewardVector


@dataclass(frozen=True)
class Args:
    """PPO on the environment of a run, with its discriminator as the reward."""

    run: tyro.conf.Positional[str]
    """The directory or address of a text run that trained a discriminator."""
    rule: str = "probability"
    """The reward as a function of the discriminator's log-odds: a name in envs.REWARD_RULES."""
    seed: int = 1
    """Seed of the policy and of its actions."""
    total_steps: int = 50_000
    """Tokens to learn from, in all."""
    num_envs: int = 64
    """Pages that are written at a time."""
    num_steps: int = 32
    """Tokens of each page's environment between updates."""
    learning_rate: float = 2e-3
    """Of Adam; falls to 0."""
    gamma: float = 1.0
    """Discount: a page is short, and its last token counts as much as its first."""
    gae_lambda: Annotated[float, tyro.conf.arg(name="lambda")] = 0.95
    """Lambda of the generalised advantage estimate."""
    epochs: int = 4
    """Passes over what was collected, per update."""
    minibatches: int = 4
    """Parts of each pass."""
    clip: float = 0.2
    """How far the ratio of probabilities may move from 1."""
    entropy: float = 0.01
    """Weight of the policy's entropy."""
    value: float = 0.5
    """Weight of the value loss."""
    gradient_norm: float = 0.5
    """Larger gradients are scaled down to this norm."""


class Agent(nn.Module):
    """Policy and value over a page [N, T] of tokens, blanks included; features are the embeddings of all places."""

    def __init__(self, vocab_size: int, length: int, embedding_size: int = 32, hidden_size: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size + 1, embedding_size)
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(length * embedding_size, hidden_size),
            nn.Tanh(),
            nn.Linear(hidden_size, hidden_size),
            nn.Tanh(),
        )
        self.policy = nn.Linear(hidden_size, vocab_size)
        self.value = nn.Linear(hidden_size, 1)
        # Near the uniform policy at first.
        nn.init.orthogonal_(self.policy.weight, 0.01)
        nn.init.zeros_(self.policy.bias)

    def forward(self, pages: Tensor) -> tuple[Categorical, Tensor]:
        """The distribution of the next token, and the value [N] of the page so far."""
        features = self.body(self.embedding(pages))
        return Categorical(logits=self.policy(features)), self.value(features)[:, 0]


@dataclass(frozen=True)
class Batch:
    """What was collected between two updates: each [steps, envs, ...]."""

    pages: Tensor
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    rewards: Tensor
    ended: Tensor  # whether the page ended with the action

    def flat(self) -> "Batch":
        """The same, with steps and environments in one axis."""
        return Batch(**{name: tensor.flatten(0, 1) for name, tensor in vars(self).items()})


def make_env(scorer: rlgan.Scorer, args: Args) -> VectorEnv:
    """Many pages at a time, each begun anew in the step in which it ends."""
    env = gymnasium.make_vec(
        "envs:rlgan/TextGeneration-v0",
        num_envs=args.num_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.SAME_STEP,
        **scorer.env_kwargs,
    )
    return DiscriminatorRewardVector(env, scorer, rule=args.rule)


@torch.no_grad()
def collect(agent: Agent, env: VectorEnv, pages: Tensor, steps: int) -> tuple[Batch, Tensor]:
    """Write so many tokens on every page; returns what was collected, and the pages [N, T] after it."""
    collected = []
    for _ in range(steps):
        distribution, values = agent(pages)
        actions = distribution.sample()
        observations, rewards, terminations, truncations, _ = env.step(actions.numpy())
        ended = torch.from_numpy(terminations | truncations)
        rewarded = torch.from_numpy(rewards).float()
        collected.append((pages, actions, distribution.log_prob(actions), values, rewarded, ended))
        pages = torch.from_numpy(observations)
    return Batch(*(torch.stack(column) for column in zip(*collected, strict=True))), pages


def advantages(batch: Batch, last_values: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Generalised advantage estimates [steps, envs]: Schulman et al. 2016, arXiv 1506.02438, equation 16."""
    estimates = torch.zeros_like(batch.rewards)
    following, next_values = torch.zeros_like(last_values), last_values
    for t in reversed(range(len(estimates))):
        goes_on = (~batch.ended[t]).float()
        delta = batch.rewards[t] + gamma * goes_on * next_values - batch.values[t]
        following = delta + gamma * gae_lambda * goes_on * following
        estimates[t], next_values = following, batch.values[t]
    return estimates


def loss(agent: Agent, batch: Batch, gains: Tensor, returns: Tensor, args: Args) -> Tensor:
    """PPO's clipped loss of a minibatch, with advantages `gains` and the returns that values should have had."""
    distribution, values = agent(batch.pages)
    ratio = (distribution.log_prob(batch.actions) - batch.log_probs).exp()
    gains = (gains - gains.mean()) / (gains.std() + 1e-8)
    policy_loss = -torch.min(ratio * gains, ratio.clamp(1 - args.clip, 1 + args.clip) * gains).mean()
    value_loss = 0.5 * (values - returns).square().mean()
    entropy: Tensor = distribution.entropy().mean()
    return policy_loss + args.value * value_loss - args.entropy * entropy


def update(agent: Agent, optimizer: torch.optim.Optimizer, batch: Batch, gains: Tensor, args: Args) -> None:
    """Some passes over what was collected."""
    flat, gains = batch.flat(), gains.flatten()
    returns = gains + flat.values
    for _ in range(args.epochs):
        for rows in torch.randperm(len(gains)).chunk(args.minibatches):
            part = Batch(**{name: tensor[rows] for name, tensor in vars(flat).items()})
            optimizer.zero_grad()
            loss(agent, part, gains[rows], returns[rows], args).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), args.gradient_norm)
            optimizer.step()


def mean_return(agent: Agent, scorer: rlgan.Scorer, args: Args, pages: int = 2048) -> float:
    """The mean return of whole pages that an agent writes."""
    env = make_env(scorer, args)
    length = scorer.env_kwargs["max_length"]
    totals: list[float] = []
    while len(totals) < pages:
        # Of each environment the first page alone: short pages, of which there are more, would count too often.
        batch, _ = collect(agent, env, torch.from_numpy(env.reset()[0]), length)
        first = batch.ended.cumsum(0) - batch.ended.long() == 0
        totals += (batch.rewards * first).sum(0).tolist()
    return float(np.mean(totals))


def train(args: Args) -> tuple[Agent, list[float]]:
    """Train an agent; returns it, and the mean returns before it learned (of a nearly uniform policy) and after."""
    # Networks this small are slowed down by threads.
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    scorer = rlgan.load_scorer(args.run)
    env = make_env(scorer, args)
    agent = Agent(len(scorer.vocabulary), scorer.env_kwargs["max_length"])
    returns = [mean_return(agent, scorer, args)]
    print(f"before learning: mean return {returns[0]:.3f}")
    optimizer = torch.optim.Adam(agent.parameters(), args.learning_rate, eps=1e-5)
    updates = max(args.total_steps // (args.num_envs * args.num_steps), 1)
    pages = torch.from_numpy(env.reset(seed=args.seed)[0])
    for number in range(updates):
        optimizer.param_groups[0]["lr"] = args.learning_rate * (1 - number / updates)
        batch, pages = collect(agent, env, pages, args.num_steps)
        with torch.no_grad():
            gains = advantages(batch, agent(pages)[1], args.gamma, args.gae_lambda)
        update(agent, optimizer, batch, gains, args)
        if number % 10 == 9:
            print(f"update {number + 1} of {updates}: reward per token {batch.rewards.mean():.3f}")
    returns.append(mean_return(agent, scorer, args))
    print(f"after learning: mean return {returns[1]:.3f}")
    return agent, returns


def write(agent: Agent, scorer: rlgan.Scorer, args: Args) -> list[str]:
    """One text of each environment."""
    env = make_env(scorer, args)
    length = scorer.env_kwargs["max_length"]
    batch, _ = collect(agent, env, torch.from_numpy(env.reset()[0]), length)
    texts = []
    for actions, ended in zip(batch.actions.T.tolist(), batch.ended.T.tolist(), strict=True):
        words = [scorer.vocabulary[token] for token in actions[: ended.index(True) + 1]]
        texts.append(" ".join(word for word in words if word != "<eos>"))
    return texts


if __name__ == "__main__":
    arguments = tyro.cli(Args)
    trained, _ = train(arguments)
    print(*write(trained, rlgan.load_scorer(arguments.run), arguments)[:5], sep="\n")
