"""Text generation for Gymnasium, one page at a time: a face of `Pages` on numpy arrays."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

from envs.pages import Pages
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

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(
        self, vocab_size: int, max_length: int, stop_token: int | None = None, obs_dtype: str = "int64"
    ) -> None:
        self._pages = Pages(1, vocab_size, max_length, stop_token)
        self._dtype = number_type(obs_dtype, largest=vocab_size)
        # One's own: SyncVectorEnv of Gymnasium 1.2 writes into it, and the class's is shared by all environments.
        self.metadata = {"render_modes": []}
        self.observation_space = page_space(vocab_size, max_length, self._dtype)
        self.action_space = Discrete(vocab_size)

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
        return self._pages.tokens[0].astype(self._dtype), {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Write the next token.

        Raises:
            ValueError: if the action is not a token.
        """
        self._pages.write(np.asarray(action)[np.newaxis])
        return self._pages.tokens[0].astype(self._dtype), 0.0, bool(self._pages.ended[0]), False, {}
