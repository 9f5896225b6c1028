"""Text generation as a Gymnasium environment: one action is the next token.

Importing this package registers `rlgan/TextGeneration-v0`, so both of these work anywhere:

    gymnasium.make("envs:rlgan/TextGeneration-v0", vocab_size=100, max_length=20)
    gymnasium.make_vec("envs:rlgan/TextGeneration-v0", num_envs=8, vocab_size=100, max_length=20)
"""

import gymnasium

from envs.arrays import Array, Float, Mask, Tokens
from envs.checks import CheckError, check_scorer, check_text_env
from envs.pages import Pages
from envs.readings import Readings, Scorer, State
from envs.reward import DiscriminatorReward, DiscriminatorRewardVector
from envs.rewards import REWARD_RULES, RewardRule, limited, reward_rule
from envs.text import TextGenerationEnv
from envs.text_vector import TextGenerationVectorEnv

__all__ = [
    "REWARD_RULES",
    "Array",
    "CheckError",
    "DiscriminatorReward",
    "DiscriminatorRewardVector",
    "Float",
    "Mask",
    "Pages",
    "Readings",
    "RewardRule",
    "Scorer",
    "State",
    "TextGenerationEnv",
    "TextGenerationVectorEnv",
    "Tokens",
    "check_scorer",
    "check_text_env",
    "limited",
    "reward_rule",
]

# A reload of the package comes here again, and Gymnasium warns of an id that is registered twice.
if "rlgan/TextGeneration-v0" not in gymnasium.registry:
    gymnasium.register(
        id="rlgan/TextGeneration-v0",
        entry_point="envs.text:TextGenerationEnv",
        vector_entry_point="envs.text_vector:TextGenerationVectorEnv",
    )
