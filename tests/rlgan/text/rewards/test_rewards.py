from envs import REWARD_RULES as RULES
from rlgan.settings import resolve
from rlgan.text.rewards import POSITIVE_REWARDS, REWARD_RULES


def test_the_table_has_the_rules_of_the_environment_under_the_same_names():
    assert list(REWARD_RULES) == list(RULES)
    assert {name: resolve(name, REWARD_RULES) for name in REWARD_RULES} == RULES
    assert set(POSITIVE_REWARDS) < set(REWARD_RULES)
