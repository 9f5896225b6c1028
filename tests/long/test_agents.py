"""An agent of RLlib learns from a trained discriminator, in an environment of its own, since RLlib pins Gymnasium.

Run by `scripts/test --long agents`. Agents of the other libraries learn in `scripts/test --all`.
"""

import pytest


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_rllibs_agent_raises_the_return_by_two_over_the_random_policys(python_with, learned_by):
    learned_by(python_with("rllib", "ray[rllib]==2.60.0", "gymnasium==1.2.2"), "rllib_ppo")
