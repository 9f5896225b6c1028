"""PPO of Stable-Baselines3 on the text environment, with a run's trained discriminator as its reward.

    pip install stable-baselines3
    python scripts/examples/sb3_ppo.py runs/a

It prints the mean return of random pages, and of those that the policy writes when it has learned. The features are
embeddings of the page's tokens: token numbers in a linear layer say little.
"""

from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

import rlgan
from rlgan.envs import DiscriminatorReward


@dataclass(frozen=True)
class Args:
    """Stable-Baselines3's PPO on the environment of a run, with its discriminator as the reward."""

    run: tyro.conf.Positional[str]
    """The directory or address of a text run that trained a discriminator."""
    rule: str = "probability"
    """The reward as a function of the discriminator's log-odds: a name in envs.REWARD_RULES."""
    seed: int = 1
    """Seed of the policy and of its actions."""
    total_steps: int = 50_000
    """Tokens to learn from, in all."""
    episodes: int = 500
    """Pages that a mean return is of."""


class TokenEmbeddings(BaseFeaturesExtractor):
    """The embeddings of all places of a page, blanks included."""

    def __init__(self, observation_space: gymnasium.spaces.Box, embedding_size: int = 32) -> None:
        (length,) = observation_space.shape
        super().__init__(observation_space, features_dim=length * embedding_size)
        # A blank is the number after the last token: the upper bound of the space.
        self.embedding = nn.Embedding(int(observation_space.high[0]) + 1, embedding_size)

    def forward(self, pages: Tensor) -> Tensor:
        """Pages [N, T], which the library has made floats, to features [N, T * embedding_size]."""
        return self.embedding(pages.long()).flatten(1)


def make_env(scorer: rlgan.Scorer, rule: str) -> gymnasium.Env:
    """One page with its reward."""
    env = gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs)
    return DiscriminatorReward(env, scorer, rule=rule)


def random_return(env: gymnasium.Env, episodes: int, seed: int) -> float:
    """The mean return of pages of random tokens."""
    env.action_space.seed(seed)
    returns = []
    for _ in range(episodes):
        env.reset()
        total, ended = 0.0, False
        while not ended:
            _, reward, ended, _, _ = env.step(env.action_space.sample())
            total += reward
        returns.append(total)
    return float(np.mean(returns))


def train(args: Args) -> PPO:
    """Train a policy, and print mean returns."""
    # Networks this small are slowed down by threads.
    torch.set_num_threads(1)
    scorer = rlgan.load_scorer(args.run)
    env = make_vec_env(lambda: make_env(scorer, args.rule), n_envs=32, seed=args.seed)
    print(f"random policy: mean return {random_return(make_env(scorer, args.rule), args.episodes, args.seed):.3f}")
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=lambda left: 2e-3 * left,
        n_steps=64,
        batch_size=512,
        n_epochs=4,
        # A page is short, and its last token counts as much as its first.
        gamma=1.0,
        ent_coef=0.01,
        policy_kwargs={"features_extractor_class": TokenEmbeddings, "net_arch": [128, 128]},
        seed=args.seed,
        device="cpu",
    )
    model.learn(args.total_steps)
    mean, _ = evaluate_policy(model, env, n_eval_episodes=args.episodes, deterministic=False)
    print(f"after learning: mean return {mean:.3f}")
    return model


if __name__ == "__main__":
    train(tyro.cli(Args))
