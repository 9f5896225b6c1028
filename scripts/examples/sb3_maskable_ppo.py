"""MaskablePPO of sb3-contrib on the text environment: a policy that can't choose what is forbidden.

    pip install sb3-contrib
    python scripts/examples/sb3_maskable_ppo.py runs/a

Forbidden are `<unk>`, and the token before, which no text repeats. It prints the mean return of random pages under the
same mask, and of those that the policy writes when it has learned.
"""

from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
import tyro
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

import rlgan
from rlgan.envs import ActionMask, DiscriminatorReward


@dataclass(frozen=True)
class Args:
    """sb3-contrib's MaskablePPO on the environment of a run, with its discriminator as the reward."""

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
    """One page with its reward and its mask; `action_masks` of the outermost wrapper is what the library asks for."""
    every = np.arange(len(scorer.vocabulary))
    unknown = [scorer.vocabulary.index("<unk>")] if "<unk>" in scorer.vocabulary else []
    env = gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs, forbidden=unknown)
    return ActionMask(DiscriminatorReward(env, scorer, rule=rule), lambda text: ~np.isin(every, text[-1:]))


def random_return(env: gymnasium.Env, episodes: int, seed: int) -> float:
    """The mean return of pages of random tokens among those that are allowed."""
    env.action_space.seed(seed)
    returns = []
    for _ in range(episodes):
        _, info = env.reset()
        total, ended = 0.0, False
        while not ended:
            _, reward, ended, _, info = env.step(env.action_space.sample(mask=info["action_mask"]))
            total += reward
        returns.append(total)
    return float(np.mean(returns))


def train(args: Args) -> MaskablePPO:
    """Train a policy, and print mean returns."""
    # Networks this small are slowed down by threads.
    torch.set_num_threads(1)
    scorer = rlgan.load_scorer(args.run)
    env = make_vec_env(lambda: make_env(scorer, args.rule), n_envs=32, seed=args.seed)
    print(f"random policy: mean return {random_return(make_env(scorer, args.rule), args.episodes, args.seed):.3f}")
    model = MaskablePPO(
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
