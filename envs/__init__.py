"""Text generation as a Gymnasium environment: one action is the next token.

Importing this package registers `rlgan/TextGeneration-v0`, so both of these work anywhere:

    gymnasium.make("envs:rlgan/TextGeneration-v0", vocab_size=100, max_length=20)
    gymnasium.make_vec("envs:rlgan/TextGeneration-v0", num_envs=8, vocab_size=100, max_length=20)

Rewards come from a scorer, by wrappers: `DiscriminatorReward` with a rule of `REWARD_RULES`, composed with `limited`,
`potential` and `TerminalReward`. Each wrapper has a twin for vector environments, `...Vector`. `ActionMask`,
`OneHotObservation` and `DictObservation` are other views for learners. `PrefixScorer` makes a scorer of a function of
the text so far. `check_text_env` and `check_scorer` check an
environment or a scorer of one's own. `Pages` and `Readings` are the same dynamics and rewards on torch tensors, for a
rollout whose networks are on a device. In processes of their own (`AsyncVectorEnv`) give `context="spawn"` where torch
was imported before: a fork after torch has started its threads can hang.
"""

import gymnasium

from envs.arrays import Array, Float, Mask, Tokens
from envs.checks import CheckError, check_scorer, check_text_env
from envs.masks import ActionMask, ActionMaskVector
from envs.observations import (
    DictObservation,
    DictObservationVector,
    OneHotObservation,
    OneHotObservationVector,
)
from envs.pages import Pages
from envs.prefix_scorer import PrefixScorer
from envs.readings import Readings, Scorer, State
from envs.reward import DiscriminatorReward, DiscriminatorRewardVector
from envs.rewards import REWARD_RULES, RewardRule, limited, potential, reward_rule
from envs.shaping import TerminalReward, TerminalRewardVector
from envs.text import TextGenerationEnv
from envs.text_vector import TextGenerationVectorEnv

__all__ = [
    "REWARD_RULES",
    "ActionMask",
    "ActionMaskVector",
    "Array",
    "CheckError",
    "DictObservation",
    "DictObservationVector",
    "DiscriminatorReward",
    "DiscriminatorRewardVector",
    "Float",
    "Mask",
    "OneHotObservation",
    "OneHotObservationVector",
    "Pages",
    "PrefixScorer",
    "Readings",
    "RewardRule",
    "Scorer",
    "State",
    "TerminalReward",
    "TerminalRewardVector",
    "TextGenerationEnv",
    "TextGenerationVectorEnv",
    "Tokens",
    "check_scorer",
    "check_text_env",
    "limited",
    "potential",
    "reward_rule",
]

# A reload of the package comes here again, and Gymnasium warns of an id that is registered twice.
if "rlgan/TextGeneration-v0" not in gymnasium.registry:
    gymnasium.register(
        id="rlgan/TextGeneration-v0",
        entry_point="envs.text:TextGenerationEnv",
        vector_entry_point="envs.text_vector:TextGenerationVectorEnv",
    )
