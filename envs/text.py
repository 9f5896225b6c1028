"""Text generation for Gymnasium, one page at a time: a face of `Pages` on numpy arrays."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete

from envs.arrays import Mask
from envs.masks import forbidding
from envs.pages import Pages
from envs.render import METADATA, Screen, check_render, line, word
from envs.spaces import Observation, number_type, page_space


class TextGenerationEnv(gymnasium.Env[Observation, np.int64]):
    """Write one page of text.

    Action: the next token. Observation: obs_dtype [max_length], the tokens so far, `vocab_size` where the page is
    blank. Reward: 0; see `DiscriminatorReward`. A full page is terminated, never truncated: its length is part of the
    task. A step after the end writes nothing and is terminated again.

    Args:
        vocab_size: how many tokens there are: 0 to vocab_size - 1.
        max_length: places on the page.
        stop_token: the token that ends the page early; it is written. None: no token does.
        obs_dtype: a numpy type of integers or floats, by name.
        forbidden: tokens that the agent is told not to choose, by `info["action_mask"]`. Empty: there is no mask.
        vocabulary: the word of each token, for `render`. None: tokens are shown by their numbers.
        render_mode: "ansi": `render` returns the text so far. "human": it is printed while it is written.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> env = TextGenerationEnv(vocab_size=5, max_length=4, stop_token=0)
        >>> env.reset(options={"prefix": [3]})[0]
        array([3, 5, 5, 5])
        >>> env.step(0)
        (array([3, 0, 5, 5]), 0.0, True, False, {})
    """

    metadata: dict[str, Any] = METADATA

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        stop_token: int | None = None,
        obs_dtype: str = "int64",
        forbidden: Sequence[int] = (),
        vocabulary: Sequence[str] | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_render(render_mode, vocabulary, vocab_size)
        self._pages = Pages(1, vocab_size, max_length, stop_token)
        self._dtype = number_type(obs_dtype, largest=vocab_size)
        self._action_mask = forbidding(forbidden, vocab_size)
        # One's own: SyncVectorEnv of Gymnasium 1.2 writes into it, and the class's is shared by all environments.
        self.metadata = dict(METADATA)
        self.render_mode = render_mode
        self.vocabulary = vocabulary
        self._screen = Screen()
        self._started = False
        self.observation_space = page_space(vocab_size, max_length, self._dtype)
        self.action_space: Discrete = Discrete(vocab_size)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a page.

        Args:
            seed: of `np_random`, of which the environment itself makes no use.
            options: `prefix`, integers [P] with P < max_length: what the page starts with.

        Raises:
            ValueError: if the prefix is not the beginning of an unfinished page.
        """
        super().reset(seed=seed)
        self._pages.clear(np.ones(1, np.bool_), (options or {}).get("prefix", ()))
        self._started = True
        if self.render_mode == "human":
            self._screen.start(word(token, self.vocabulary) for token in self._text())
        return self._pages.tokens[0].astype(self._dtype), self._info()

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Write the next token.

        Raises:
            ValueError: if the action is not a token.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        # Asked here, since `gymnasium.make` adds such a check, and an environment that is made directly has none.
        if not self._started:
            raise ResetNeeded("The environment has no page to write on yet: call reset() before step().")
        ended_before = bool(self._pages.ended[0])
        self._pages.write(np.asarray(action)[np.newaxis])
        if self.render_mode == "human" and not ended_before:
            self._screen.add(word(int(action), self.vocabulary))
        # Python's own float and bool: stable-baselines3's check of an environment refuses numpy's bool and float32.
        return self._pages.tokens[0].astype(self._dtype), 0.0, bool(self._pages.ended[0]), False, self._info()

    def render(self) -> str | None:
        """Return the text so far in render mode "ansi", else None."""
        return line(self._text(), self.vocabulary) if self.render_mode == "ansi" else None

    def close(self) -> None:
        """End the line on the terminal, if there is one."""
        self._screen.end()

    def action_masks(self) -> Mask:
        """Return which tokens may come next, bool [vocab_size]; what sb3-contrib's MaskablePPO asks for."""
        if self._action_mask is None:
            return np.ones(int(self.action_space.n), np.bool_)
        return self._action_mask.astype(np.bool_)

    def _text(self) -> list[int]:
        page = self._pages.tokens[0]
        written: list[int] = page[page != self.action_space.n].tolist()
        return written

    def _info(self) -> dict[str, Any]:
        return {} if self._action_mask is None else {"action_mask": self._action_mask.copy()}
