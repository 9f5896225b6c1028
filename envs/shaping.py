"""Rewards at the end of the text alone. Rewards per token are those of a rule, see `envs.rewards`."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from envs.arrays import Mask, Tokens


class TerminalReward(gymnasium.Wrapper[Any, np.int64, Any, np.int64], RecordConstructorArgs):
    """Keep the reward of the last token, which judges the whole text, and give 0 for all others.

    Args:
        env: a text environment with rewards, such as a `DiscriminatorReward`.

    Example:
        >>> from envs import DiscriminatorReward, PrefixScorer, TextGenerationEnv
        >>> scorer = PrefixScorer(lambda texts: np.where(texts[:, -1] == 3, 2.0, -2.0), context=1)
        >>> env = TerminalReward(DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=2), scorer, "log_odds"))
        >>> _ = env.reset()
        >>> [env.step(token)[1] for token in (4, 3)]  # the scorer's own rewards are -2 and 2
        [0.0, 2.0]
    """

    def __init__(self, env: gymnasium.Env[Any, np.int64]) -> None:
        # Before the wrapper's own constructor: Gymnasium keeps the arguments that are recorded first, for the spec.
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take the step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        # Truncated too: a limit of steps may end a text before its page is full.
        return observation, float(reward) if terminated or truncated else 0.0, terminated, truncated, info


class TerminalRewardVector(gymnasium.vector.VectorWrapper):
    """Keep the rewards of the last tokens: `TerminalReward` for N pages.

    Args:
        env: a text vector environment with rewards, such as a `DiscriminatorRewardVector`.

    Example:
        >>> from envs import DiscriminatorRewardVector, PrefixScorer, TextGenerationVectorEnv
        >>> scorer = PrefixScorer(lambda texts: np.where(texts[:, -1] == 3, 2.0, -2.0), context=1)
        >>> pages = TextGenerationVectorEnv(2, vocab_size=5, max_length=9, stop_token=0)
        >>> env = TerminalRewardVector(DiscriminatorRewardVector(pages, scorer, "log_odds"))
        >>> _ = env.reset()
        >>> env.step(np.array([0, 3]))[1]  # the first page ends, the second goes on
        array([-2.,  0.])
    """

    def step(self, actions: Tokens) -> tuple[Any, NDArray[Any], Mask, Mask, dict[str, Any]]:
        """Take the step."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        rewards = np.where(terminations | truncations, rewards, 0.0)
        return observations, rewards, terminations, truncations, infos
