"""The reward rule that settings name."""

from envs import RewardRule
from envs.rewards import limited
from rlgan.settings import resolve
from rlgan.text.rewards import REWARD_RULES


def find_reward_rule(name: str, limit: float = 0.0) -> RewardRule:
    """The rule of a name in `REWARD_RULES`, or `module:object`; the reward of each token at most `limit` either way.

    Args:
        name: of the rule.
        limit: 0: none.

    Example:
        >>> import numpy as np
        >>> find_reward_rule("log_odds", limit=5.0)(np.array([-9.0, 1.0, 7.0]), np.zeros(3))
        array([-5.,  1.,  5.])
    """
    rule: RewardRule = resolve(name, REWARD_RULES)
    return limited(rule, limit) if limit else rule
