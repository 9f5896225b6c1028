"""scripts/examples: programs that a person starts from."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

import rlgan

EXAMPLES = Path(__file__).parents[1] / "scripts" / "examples"


@pytest.fixture(scope="module")
def ppo():
    spec = importlib.util.spec_from_file_location("ppo", EXAMPLES / "ppo.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["ppo"] = module  # dataclasses look up the module of their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules["ppo"]


def test_advantages_are_by_hand_and_end_with_the_page(ppo):
    column = lambda *values: torch.tensor(values)[:, None]  # noqa: E731
    batch = ppo.Batch(
        pages=torch.zeros(3, 1, 2, dtype=torch.int64),
        actions=torch.zeros(3, 1, dtype=torch.int64),
        log_probs=torch.zeros(3, 1),
        values=column(1.0, 2.0, 4.0),
        rewards=column(3.0, 5.0, 7.0),
        ended=column(False, True, False),
    )
    # Lambda 1: what really came, less the value. The second page goes on behind the batch, with the last value.
    returns = ppo.advantages(batch, torch.tensor([10.0]), gamma=0.5, gae_lambda=1.0)[:, 0]
    assert returns.tolist() == [3 + 0.5 * 5 - 1, 5 - 2, 7 + 0.5 * 10 - 4]
    # Lambda 0: the reward and the next value, less the value.
    one_step = ppo.advantages(batch, torch.tensor([10.0]), gamma=0.5, gae_lambda=0.0)[:, 0]
    assert one_step.tolist() == [3 + 0.5 * 2 - 1, 5 - 2, 7 + 0.5 * 10 - 4]


@pytest.mark.slow
def test_ppo_raises_the_return_by_two_over_the_random_policys(ppo, toys):
    """A page has 8 tokens with a reward of at most 1 each; random pages end early and earn 0.8."""
    threads = torch.get_num_threads()
    args = ppo.Args(run=toys.path)
    agent, (before, after) = ppo.train(args)
    torch.set_num_threads(threads)
    assert before < 1.5
    assert after > before + 2
    texts = ppo.write(agent, rlgan.load_scorer(toys.path), args)
    assert len(texts) == args.num_envs
    assert all(len(text.split()) <= 8 for text in texts)


@pytest.mark.slow
@pytest.mark.parametrize("example", ["sb3_ppo", "sb3_maskable_ppo", "torchrl_ppo"])
def test_agents_of_libraries_raise_the_return_by_two_over_the_random_policys(learned_by, example):
    """RLlib's is in `scripts/test --long agents`: it needs another Gymnasium than the newest."""
    learned_by(sys.executable, example)
