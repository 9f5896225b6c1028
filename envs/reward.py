"""Reward for a text while it is written: what a scorer, such as a discriminator, makes of each next token."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.arrays import Float, Mask, Tokens
from envs.readings import Readings, Scorer, State
from envs.render import amount, line
from envs.rewards import LOG_DENSITY_RATIO_LIMIT, LOG_TOKEN_RATIO_LIMIT, REWARD_RULES, RewardRule
from envs.spaces import Observation, vocab_size_of

# With the names that code of others imports from here, from before they had modules of their own.
__all__ = [
    "LOG_DENSITY_RATIO_LIMIT",
    "LOG_TOKEN_RATIO_LIMIT",
    "REWARD_RULES",
    "DiscriminatorReward",
    "DiscriminatorRewardVector",
    "Float",
    "Scorer",
    "State",
]


class DiscriminatorReward(gymnasium.Wrapper[Observation, np.int64, Observation, np.int64], RecordConstructorArgs):
    """Add a rule's value of the scorer's log-odds to the reward of each step.

    The scorer reads the actions as tokens, so put this wrapper below any that changes actions. A prefix is read
    without reward; a step after the end of the page adds 0. Where the environment renders, so does the wrapper, with
    the reward of each token.

    Args:
        env: a text environment.
        scorer: what reads the text.
        rule: a name in `REWARD_RULES`, or a function like those.

    Raises:
        ValueError: if there is no such rule, the scorer has a `vocabulary` of another size than the environment's, or
            its state is not one row a sequence.

    Example:
        >>> from envs import PrefixScorer, TextGenerationEnv
        >>> scorer = PrefixScorer(lambda texts: np.where(texts[:, -1] == 3, 2.0, -2.0), context=1)
        >>> env = DiscriminatorReward(TextGenerationEnv(vocab_size=5, max_length=2), scorer, rule="log_odds")
        >>> _ = env.reset()
        >>> [env.step(token)[1] for token in (3, 4, 3)]  # the page has two places: the third token is not read
        [2.0, -2.0, 0.0]
    """

    def __init__(
        self, env: gymnasium.Env[Observation, np.int64], scorer: Scorer, rule: str | RewardRule = "probability"
    ) -> None:
        # No copy: the scorer may be large, and may change while its owner learns.
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, scorer=scorer, rule=rule)
        gymnasium.Wrapper.__init__(self, env)
        _check_vocabulary(scorer, env.action_space)
        self._readings = Readings(scorer, rule, count=1)
        self._ended = False
        self._shown: list[int] = []
        self._rewards: list[float] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a page; the scorer reads the `prefix` among the options, if there is one."""
        observation, info = self.env.reset(seed=seed, options=options)
        prefix = (options or {}).get("prefix", ())
        # After the environment's reset, which refuses a wrong prefix before it is read.
        self._readings.restart(np.ones(1, np.bool_), prefix)
        self._ended, self._shown, self._rewards = False, np.ravel(prefix).tolist(), []
        return observation, info

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take the step, and have the scorer read its token.

        Raises:
            ValueError: if the action is not a token, or the scorer returns another shape.
        """
        observation, reward, terminated, truncated, info = self.env.step(action)
        # After the environment's step, which refuses what is no token before the scorer would read it.
        added = self._readings.step(np.asarray([action], np.int64), np.array([terminated or truncated]))
        total = float(reward) + float(added[0])
        if self.render_mode is not None and not self._ended:
            self._show(int(action), total)
        self._ended = terminated or truncated
        return observation, total, terminated, truncated, info

    def render(self) -> Any:
        """Return the text so far with the reward of each token in render mode "ansi"; else as the environment does.

        In render mode "human" each reward is printed behind its token.
        """
        if self.render_mode != "ansi":
            return self.env.render()
        return line(self._shown, getattr(self.unwrapped, "vocabulary", None), self._rewards)

    def _show(self, token: int, reward: float) -> None:
        self._shown.append(token)
        self._rewards.append(reward)
        if self.render_mode == "human":
            print(amount(reward), end="", flush=True)


class DiscriminatorRewardVector(gymnasium.vector.VectorWrapper):
    """Add a rule's value of the scorer's log-odds to the rewards of each step: `DiscriminatorReward` for N pages.

    It works by what every vector environment says (who ended, and the autoreset mode), and so with a
    `SyncVectorEnv` too. Rows that took no token in a step add exactly 0 and keep their state. What the environment
    renders stays without rewards.

    Args:
        env: a text vector environment, in any autoreset mode.
        scorer: what reads the text.
        rule: a name in `REWARD_RULES`, or a function like those.

    Raises:
        ValueError: if there is no such rule, the environment tells no autoreset mode, the scorer has a `vocabulary` of
            another size than the environment's, or its state is not one row a sequence.

    Example:
        >>> from envs import PrefixScorer, TextGenerationVectorEnv
        >>> scorer = PrefixScorer(lambda texts: np.where(texts[:, -1] == 3, 2.0, -2.0), context=1)
        >>> pages = TextGenerationVectorEnv(2, vocab_size=5, max_length=9, stop_token=0, autoreset_mode="Disabled")
        >>> env = DiscriminatorRewardVector(pages, scorer, rule="log_odds")
        >>> _ = env.reset()
        >>> [env.step(np.array([0, 3]))[1].tolist() for _ in range(2)]  # the first page ends with its first token
        [[-2.0, 2.0], [0.0, 2.0]]
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Observation, Tokens, NDArray[Any]],
        scorer: Scorer,
        rule: str | RewardRule = "probability",
    ) -> None:
        super().__init__(env)
        # By the mode it is known when a text begins anew; after a wrong guess the scorer would go on with the old one.
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(
                f"metadata['autoreset_mode'] is {mode!r}: give an environment that has an AutoresetMode there"
            )
        self.autoreset_mode = mode
        _check_vocabulary(scorer, env.single_action_space)
        self._readings = Readings(scorer, rule, env.num_envs, mode)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start all pages, or those of `reset_mask`; the scorer reads their `prefix`, if the options have one."""
        # Looked up before the reset: SyncVectorEnv takes the mask out of the options.
        rows = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_)))
        observations, infos = self.env.reset(seed=seed, options=options)
        self._readings.restart(rows, (options or {}).get("prefix", ()))
        return observations, infos

    def step(self, actions: Tokens) -> tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Take the step, and have the scorer read the tokens.

        Raises:
            ValueError: if an action is not a token, or the scorer returns another shape.
        """
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        added = self._readings.step(np.asarray(actions, np.int64), terminations | truncations)
        return observations, rewards + added, terminations, truncations, infos


def _check_vocabulary(scorer: Scorer, actions: gymnasium.Space[Any]) -> None:
    """Refuse a scorer that says it has another number of words than there are actions."""
    words = getattr(scorer, "vocabulary", None)
    if words is not None and len(words) != vocab_size_of(actions):
        raise ValueError(
            f"The scorer has a vocabulary of {len(words)} words, the environment one of {vocab_size_of(actions)}: make "
            "the environment with vocab_size=len(scorer.vocabulary), or with **scorer.env_kwargs where it has them."
        )
