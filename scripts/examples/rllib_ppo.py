"""PPO of RLlib (its new API stack) on the text environment, with a run's trained discriminator as its reward.

    pip install "ray[rllib]" "gymnasium==1.2.2"     # in an environment of its own: RLlib pins Gymnasium
    python scripts/examples/rllib_ppo.py runs/a

It prints the mean return of random pages, and of those that the policy writes when it has learned. The features are
embeddings of the page's tokens: token numbers in a linear layer say little.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import ray
import tyro
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.tune.registry import register_env
from torch import Tensor, nn

import rlgan
from rlgan.envs import DiscriminatorReward


@dataclass(frozen=True)
class Args:
    """RLlib's PPO on the environment of a run, with its discriminator as the reward."""

    run: tyro.conf.Positional[str]
    """The directory or address of a text run that trained a discriminator."""
    rule: str = "probability"
    """The reward as a function of the discriminator's log-odds: a name in envs.REWARD_RULES."""
    seed: int = 1
    """Seed of the policy and of its actions."""
    total_steps: int = 25_000
    """Tokens to learn from, in all."""
    episodes: int = 500
    """Pages that the mean return of random ones is of."""


class EmbeddingModule(TorchRLModule, ValueFunctionAPI):
    """Policy and value over pages [N, T] of tokens, blanks included, which come as floats."""

    def setup(self) -> None:
        """Make the networks; `model_config` has their sizes."""
        sizes = self.model_config
        (length,), blank = self.observation_space.shape, int(self.observation_space.high[0])
        self.embedding = nn.Embedding(blank + 1, sizes["embedding_size"])
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(length * sizes["embedding_size"], sizes["units"]),
            nn.Tanh(),
            nn.Linear(sizes["units"], sizes["units"]),
            nn.Tanh(),
        )
        self.policy = nn.Linear(sizes["units"], int(self.action_space.n))
        self.value = nn.Linear(sizes["units"], 1)
        # Near the uniform policy at first.
        nn.init.orthogonal_(self.policy.weight, 0.01)
        nn.init.zeros_(self.policy.bias)

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        features = self._features(batch)
        return {Columns.ACTION_DIST_INPUTS: self.policy(features), Columns.EMBEDDINGS: features}

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """The value of each page, [N]."""
        return self.value(self._features(batch) if embeddings is None else embeddings)[:, 0]

    def _features(self, batch: dict[str, Any]) -> Tensor:
        return self.body(self.embedding(batch[Columns.OBS].long()))


def make_env(config: dict[str, Any]) -> gymnasium.Env:
    """One page with its reward, as numbers of a float type, which the library wants."""
    scorer = rlgan.load_scorer(config["run"])
    env = gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs, obs_dtype="float32")
    return DiscriminatorReward(env, scorer, rule=config["rule"])


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


def train(args: Args) -> None:
    """Train a policy, and print mean returns."""
    config = {"run": args.run, "rule": args.rule}
    print(f"random policy: mean return {random_return(make_env(config), args.episodes, args.seed):.3f}")
    ray.init(address="local", include_dashboard=False, num_cpus=2)
    register_env("text", make_env)
    updates = max(args.total_steps // 2048, 1)
    algorithm = (
        PPOConfig()
        .environment("text", env_config=config)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=16)
        .learners(num_learners=0)
        .rl_module(
            rl_module_spec=RLModuleSpec(module_class=EmbeddingModule, model_config={"embedding_size": 32, "units": 128})
        )
        .training(
            lr=[[0, 2e-3], [args.total_steps, 0.0]],
            # A page is short, and its last token counts as much as its first.
            gamma=1.0,
            train_batch_size_per_learner=2048,
            minibatch_size=512,
            num_epochs=4,
            entropy_coeff=0.01,
            use_kl_loss=False,
            clip_param=0.2,
            vf_loss_coeff=0.5,
            grad_clip=0.5,
        )
        .debugging(seed=args.seed)
        .build_algo()
    )
    for number in range(updates):
        result = algorithm.train()
        print(f"update {number + 1} of {updates}: mean return {result['env_runners']['episode_return_mean']:.3f}")
    # Of the last hundred pages that were written while it learned.
    print(f"after learning: mean return {result['env_runners']['episode_return_mean']:.3f}")
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    train(tyro.cli(Args))
