"""Agents of other libraries learn from a trained discriminator, each in an environment of its own.

Run by `scripts/test --long agents`.
"""

import resource

import pytest

LIBRARIES = {
    "sb3": ["stable-baselines3==2.9.2", "sb3-contrib==2.9.2"],
    "torchrl": ["torchrl==0.14.1"],
    # It pins Gymnasium.
    "rllib": ["ray[rllib]==2.60.0", "gymnasium==1.2.2"],
}
CPU_SECONDS = 2 * 180  # three minutes of two cores


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("library", "example"),
    [("sb3", "sb3_ppo"), ("sb3", "sb3_maskable_ppo"), ("torchrl", "torchrl_ppo"), ("rllib", "rllib_ppo")],
)
def test_the_return_rises_by_two_over_the_random_policys(python_with, toys, learned_by, library, example):
    """A page has 8 tokens with a reward of at most 1 each; random pages end early and earn some 0.8."""
    python = python_with(library, *LIBRARIES[library])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    before, after = learned_by(python, example, toys.path)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{example}: {before:.2f} -> {after:.2f}, {now.ru_utime - used.ru_utime:.0f} CPU seconds")
    assert before < 1.5
    assert after > before + 2
    assert now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime < CPU_SECONDS
