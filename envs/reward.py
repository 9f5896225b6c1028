"""Reward for a text while it is written: what a scorer, such as a discriminator, makes of each next token."""

from typing import Any, Protocol, TypeAlias

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from envs.arrays import Float, Mask, Tokens
from envs.rewards import LOG_DENSITY_RATIO_LIMIT, LOG_TOKEN_RATIO_LIMIT, REWARD_RULES, RewardRule, reward_rule
from envs.text import Observation

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

State: TypeAlias = tuple[NDArray[Any], ...]  # arrays with leading axis N, of the same shapes at every step


class Scorer(Protocol):
    """Reads sequences token by token and says how real each looks so far: a pure function over explicit state."""

    def start(self, count: int) -> State:
        """The state before any token: arrays with leading axis `count`."""
        ...

    def score(self, state: State, tokens: Tokens, /) -> tuple[State, Float]:
        """Read the next token of every sequence, int64 [N]; how real each looks so far, log-odds float32 [N]."""
        ...


class _Readings:
    """A scorer's readings of N sequences, which start and go on row by row."""

    def __init__(self, scorer: Scorer, rule: str | RewardRule, count: int) -> None:
        self._scorer = scorer
        self._rule = reward_rule(rule)
        self._state = scorer.start(count)
        self._scores = np.zeros(count, np.float32)
        for array in self._state:
            if array.shape[:1] != (count,):
                raise ValueError(f"scorer's state has shape {array.shape}, not ({count}, ...): give one row a sequence")

    def restart(self, rows: Mask, prefix: ArrayLike = ()) -> None:
        """Start the sequences of `rows` anew, with `prefix` read.

        Args:
            rows: bool [N].
            prefix: tokens [P] or [N, P].
        """
        if not rows.any():
            return
        self._state = _where(rows, self._scorer.start(len(rows)), self._state)
        self._scores = np.where(rows, np.float32(0), self._scores)
        for tokens in np.atleast_2d(np.asarray(prefix, np.int64)).T:
            self.read(tokens, rows)

    def read(self, tokens: Tokens, rows: Mask) -> Float:
        """Read the next token of the sequences of `rows`.

        Args:
            tokens: int64 [N], or [1] for the same token everywhere; not read where not `rows`.
            rows: bool [N].

        Returns:
            float32 [N], the rewards: 0 where not `rows`.

        Raises:
            ValueError: if the scorer returns another shape.
        """
        if not rows.any():
            return np.zeros(len(rows), np.float32)
        # All rows go to the scorer each time: a matrix product of fewer rows can differ in its last bits.
        tokens = np.where(rows, tokens, 0)
        state, scores = self._scorer.score(self._state, tokens)
        if scores.shape != (len(tokens),):
            raise ValueError(f"scorer returned {scores.shape}, not ({len(tokens)},): give one score per sequence")
        self._state = _where(rows, state, self._state)
        before, after = self._scores, np.asarray(scores, np.float32)
        self._scores = np.where(rows, after, before)
        return np.where(rows, self._rule(after, before), np.float32(0))


def _where(rows: Mask, new: State, old: State) -> State:
    """The new state in `rows`, the old one elsewhere."""
    shapes, due = [array.shape for array in new], [array.shape for array in old]
    if shapes != due:
        raise ValueError(
            f"scorer's state has shapes {shapes}, not {due}: keep them, since rows start at different times"
        )
    return tuple(
        np.where(rows.reshape(-1, *[1] * (array.ndim - 1)), array, before)
        for array, before in zip(new, old, strict=True)
    )


class DiscriminatorReward(gymnasium.Wrapper[Observation, np.int64, Observation, np.int64], RecordConstructorArgs):
    """Add a rule's value of the scorer's log-odds to the reward of each step.

    The scorer reads the actions as tokens, so put this wrapper below any that changes actions. A prefix is read
    without reward; a step after the end of the page adds 0.

    Args:
        env: a text environment.
        scorer: what reads the text.
        rule: a name in `REWARD_RULES`, or a function like those.

    Raises:
        ValueError: if there is no such rule, or the scorer's state is not one row a sequence.
    """

    def __init__(
        self, env: gymnasium.Env[Observation, np.int64], scorer: Scorer, rule: str | RewardRule = "probability"
    ) -> None:
        # No copy: the scorer may be large, and may change while its owner learns.
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, scorer=scorer, rule=rule)
        gymnasium.Wrapper.__init__(self, env)
        self._readings = _Readings(scorer, rule, count=1)
        self._ended = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a page; the scorer reads the `prefix` among the options, if there is one."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._readings.restart(np.ones(1, np.bool_), (options or {}).get("prefix", ()))
        self._ended = False
        return observation, info

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take the step, and have the scorer read its token.

        Raises:
            ValueError: if the action is no token, or the scorer returns another shape.
        """
        observation, reward, terminated, truncated, info = self.env.step(action)
        added = self._readings.read(np.asarray([action], np.int64), np.array([not self._ended]))
        self._ended = terminated or truncated
        return observation, float(reward) + float(added[0]), terminated, truncated, info


class DiscriminatorRewardVector(gymnasium.vector.VectorWrapper):
    """Add a rule's value of the scorer's log-odds to the rewards of each step: `DiscriminatorReward` for N pages.

    It works by what every vector environment says (who ended, and the autoreset mode), and so with a
    `SyncVectorEnv` too. Rows that took no token in a step add exactly 0 and keep their state.

    Args:
        env: a text vector environment, in any autoreset mode.
        scorer: what reads the text.
        rule: a name in `REWARD_RULES`, or a function like those.

    Raises:
        ValueError: if there is no such rule, the environment tells no autoreset mode, or the scorer's state is not
            one row a sequence.
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Observation, Tokens, NDArray[Any]],
        scorer: Scorer,
        rule: str | RewardRule = "probability",
    ) -> None:
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(
                f"metadata['autoreset_mode'] is {mode!r}: give an environment that has an AutoresetMode there"
            )
        self.autoreset_mode = mode
        self._readings = _Readings(scorer, rule, env.num_envs)
        self._ended: Mask = np.zeros(env.num_envs, np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start all pages, or those of `reset_mask`; the scorer reads their `prefix`, if the options have one."""
        # Looked up before the reset: SyncVectorEnv takes the mask out of the options.
        rows = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_)))
        observations, infos = self.env.reset(seed=seed, options=options)
        self._readings.restart(rows, (options or {}).get("prefix", ()))
        self._ended = self._ended & ~rows
        return observations, infos

    def step(self, actions: Tokens) -> tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Take the step, and have the scorer read the tokens.

        Raises:
            ValueError: if an action is no token, or the scorer returns another shape.
        """
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        ended_before, ended = self._ended, terminations | truncations
        added = self._readings.read(np.asarray(actions, np.int64), ~ended_before)
        # What ends now is read to its end: whenever the next text comes, it finds a fresh state.
        self._readings.restart(ended & ~ended_before)
        # In the same step means that the next text has begun already.
        self._ended = np.zeros_like(ended) if self.autoreset_mode is AutoresetMode.SAME_STEP else ended
        return observations, rewards + added, terminations, truncations, infos
