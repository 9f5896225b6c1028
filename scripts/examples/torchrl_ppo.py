"""PPO of TorchRL on the text environment, with a run's trained discriminator as its reward.

    pip install torchrl
    python scripts/examples/torchrl_ppo.py runs/a

It prints the mean return of random pages, and of those that the policy writes when it has learned. The features are
embeddings of the page's tokens: token numbers in a linear layer say little.
"""

from dataclasses import dataclass

import gymnasium
import torch
import tyro
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.collectors import Collector
from torchrl.envs import EnvBase, GymWrapper, RewardSum, SerialEnv, TransformedEnv
from torchrl.modules import ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import rlgan
from rlgan.envs import DiscriminatorReward


@dataclass(frozen=True)
class Args:
    """TorchRL's PPO on the environment of a run, with its discriminator as the reward."""

    run: tyro.conf.Positional[str]
    """The directory or address of a text run that trained a discriminator."""
    rule: str = "probability"
    """The reward as a function of the discriminator's log-odds: a name in envs.REWARD_RULES."""
    seed: int = 1
    """Seed of the policy and of its actions."""
    total_steps: int = 50_000
    """Tokens to learn from, in all."""
    num_envs: int = 16
    """Pages that are written at a time."""
    frames: int = 2048
    """Tokens between two updates."""
    learning_rate: float = 2e-3
    """Of Adam; falls to 0."""
    episodes: int = 500
    """Pages, at least, that a mean return is of."""


class Features(nn.Module):
    """A page [N, T] of tokens, blanks included, to features, and those to `outputs` numbers."""

    def __init__(self, vocab_size: int, length: int, outputs: int, embedding_size: int = 32, units: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size + 1, embedding_size)
        self.body = nn.Sequential(
            nn.Linear(length * embedding_size, units), nn.Tanh(), nn.Linear(units, units), nn.Tanh()
        )
        self.output = nn.Linear(units, outputs)
        # Near the uniform policy at first.
        nn.init.orthogonal_(self.output.weight, 0.01)
        nn.init.zeros_(self.output.bias)

    def forward(self, pages: Tensor) -> Tensor:
        """Outputs [N, outputs]."""
        return self.output(self.body(self.embedding(pages).flatten(-2)))


def make_env(scorer: rlgan.Scorer, args: Args) -> EnvBase:
    """Many pages at a time, with the return so far."""

    def page() -> EnvBase:
        env = gymnasium.make("envs:rlgan/TextGeneration-v0", **scorer.env_kwargs)
        return GymWrapper(DiscriminatorReward(env, scorer, rule=args.rule), categorical_action_encoding=True)

    env = TransformedEnv(SerialEnv(args.num_envs, page), RewardSum())
    env.set_seed(args.seed)
    return env


@torch.no_grad()
def mean_return(env: EnvBase, policy: TensorDictModule | None, episodes: int) -> float:
    """The mean return of whole pages: of random ones where there is no policy."""
    returns: list[float] = []
    while len(returns) < episodes:
        # The first page of each: of short pages there are more, and they would count too often.
        written = env.rollout(env.observation_spec["observation"].shape[-1], policy, break_when_any_done=False)["next"]
        ends = written["done"].long().argmax(dim=1, keepdim=True)
        returns += written["episode_reward"].gather(1, ends).flatten().tolist()
    return sum(returns) / len(returns)


def train(args: Args) -> TensorDictModule:
    """Train a policy, and print mean returns."""
    # Networks this small are slowed down by threads.
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    scorer = rlgan.load_scorer(args.run)
    env = make_env(scorer, args)
    sizes = len(scorer.vocabulary), scorer.env_kwargs["max_length"]
    network = TensorDictModule(Features(*sizes, outputs=sizes[0]), in_keys=["observation"], out_keys=["logits"])
    policy = ProbabilisticActor(
        network, in_keys=["logits"], distribution_class=torch.distributions.Categorical, return_log_prob=True
    )
    value = ValueOperator(Features(*sizes, outputs=1), in_keys=["observation"])
    print(f"random policy: mean return {mean_return(env, None, args.episodes):.3f}")
    # A page is short, and its last token counts as much as its first: hence no discount.
    advantage = GAE(gamma=1.0, lmbda=0.95, value_network=value, average_gae=True)
    loss = ClipPPOLoss(policy, value, entropy_coeff=0.01, critic_coeff=0.5)
    optimizer = torch.optim.Adam(loss.parameters(), args.learning_rate)
    updates = max(args.total_steps // args.frames, 1)
    collector = Collector(env, policy, frames_per_batch=args.frames, total_frames=updates * args.frames)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, updates)
    for data in collector:
        for _ in range(4):
            advantage(data)
            flat = data.reshape(-1)
            for rows in torch.randperm(len(flat)).chunk(4):
                losses = loss(flat[rows])
                optimizer.zero_grad()
                (losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]).backward()
                nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
                optimizer.step()
        schedule.step()
    print(f"after learning: mean return {mean_return(env, policy, args.episodes):.3f}")
    return policy


if __name__ == "__main__":
    train(tyro.cli(Args))
