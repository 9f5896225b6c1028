"""Text generation for Gymnasium, N pages at once: a face of `Pages` on numpy arrays."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.arrays import Mask, Tokens
from envs.masks import forbidding, mask_infos
from envs.pages import Pages
from envs.render import METADATA, check_render, line
from envs.spaces import Observation, number_type, page_space


class TextGenerationVectorEnv(gymnasium.vector.VectorEnv[Observation, Tokens, NDArray[Any]]):
    """Write N pages at once: equal to a `SyncVectorEnv` of `TextGenerationEnv`, step by step.

    One thing is more lenient: with autoreset off, where `SyncVectorEnv` demands a reset, an ended page takes no token,
    earns 0 and stays terminated, so that a batch can be played until its last page has ended. The action of a page
    that takes no token is not read.

    Args:
        num_envs: N, the number of pages.
        vocab_size: how many tokens there are: 0 to vocab_size - 1.
        max_length: places on a page.
        stop_token: the token that ends a page early; it is written. None: no token does.
        obs_dtype: a numpy type of integers or floats, by name.
        autoreset_mode: an `AutoresetMode`, or its value: what is done with ended pages.
        forbidden: tokens that the agents are told not to choose, by `infos["action_mask"]`. Empty: there is no mask.
        vocabulary: the word of each token, for `render`. None: tokens are shown by their numbers.
        render_mode: "ansi": `render` returns the texts so far. "human": each text is printed when it has ended.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> env = TextGenerationVectorEnv(2, vocab_size=5, max_length=3, stop_token=0, autoreset_mode="Disabled")
        >>> _ = env.reset()
        >>> env.step(np.array([0, 3]))[2]
        array([ True, False])
        >>> env.step(np.array([4, 4]))[0]  # the first page has ended, and takes no token
        array([[0, 5, 5],
               [3, 4, 5]])
    """

    def __init__(
        self,
        num_envs: int,
        vocab_size: int,
        max_length: int,
        stop_token: int | None = None,
        obs_dtype: str = "int64",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        forbidden: Sequence[int] = (),
        vocabulary: Sequence[str] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._pages = Pages(num_envs, vocab_size, max_length, stop_token, autoreset_mode)
        self._dtype = number_type(obs_dtype, largest=vocab_size)
        check_render(render_mode, vocabulary, vocab_size)
        self._action_mask = forbidding(forbidden, vocab_size)
        self.num_envs = num_envs
        self.single_observation_space = page_space(vocab_size, max_length, self._dtype)
        self.single_action_space: Discrete = Discrete(vocab_size)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.autoreset_mode = self._pages.autoreset_mode
        # Wrappers, Gymnasium's and ours, look for the mode there.
        self.metadata = METADATA | {"autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.vocabulary = vocabulary
        self._started: Mask = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start all pages, or some.

        Args:
            seed: of `np_random`, of which the environment itself makes no use.
            options: `prefix`, integers [P] or [N, P] with P < max_length: what the pages start with; `reset_mask`,
                bool [N] and not all false: the pages to start, the others stay as they are.

        Raises:
            ValueError: if the prefix is not the beginning of unfinished pages, or the mask no such mask.
        """
        super().reset(seed=seed)
        chosen = options or {}
        rows = np.asarray(chosen.get("reset_mask", np.ones(self.num_envs, np.bool_)))
        if rows.shape != (self.num_envs,) or rows.dtype != np.bool_ or not rows.any():
            raise ValueError(
                f"reset_mask is {rows.dtype} of shape {rows.shape}, not bool of ({self.num_envs},) with a true in it: "
                "mark the pages to start, or leave it out to start all."
            )
        self._pages.clear(rows, chosen.get("prefix", ()))
        self._started = self._started | rows
        # `astype` copies, also to the same type: an observation belongs to the caller.
        return self._pages.tokens.astype(self._dtype), self._infos(rows)

    def step(self, actions: Tokens) -> tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Write the next token of every page that has not ended, then reset what the autoreset mode says.

        Args:
            actions: integers [N].

        Returns:
            Observations [N, max_length], rewards float64 [N], terminations bool [N], truncations bool [N], infos.

        Raises:
            ValueError: if an action is not a token.
            gymnasium.error.ResetNeeded: while there is a page that has never been reset.
        """
        if not self._started.all():
            raise ResetNeeded("The environment has pages that were never started: call reset() before step().")
        ended_before = self._pages.ended
        written, ended = self._pages.step(actions)
        if self.render_mode == "human":
            # Whole texts: the words of several pages that are written at once would be mixed on the terminal.
            for text in self._texts(written[ended & ~ended_before]):
                print(text, flush=True)
        infos = self._infos(np.ones(self.num_envs, np.bool_))
        if self.autoreset_mode is AutoresetMode.SAME_STEP and ended.any():
            infos |= _final(written.astype(self._dtype), ended, self._infos(ended))
        return (
            self._pages.tokens.astype(self._dtype),
            # float64, as in a SyncVectorEnv.
            np.zeros(self.num_envs),
            ended.copy(),
            np.zeros(self.num_envs, np.bool_),
            infos,
        )

    def render(self) -> tuple[str, ...] | None:
        """Return the texts so far in render mode "ansi", else None."""
        return tuple(self._texts(self._pages.tokens)) if self.render_mode == "ansi" else None

    def action_masks(self) -> Mask:
        """Return which tokens may come next, bool [N, vocab_size]."""
        allowed = np.ones(int(self.single_action_space.n)) if self._action_mask is None else self._action_mask
        return np.tile(allowed.astype(np.bool_), (self.num_envs, 1))

    def _texts(self, pages: Tokens) -> list[str]:
        return [line(page[page != self.single_action_space.n], self.vocabulary) for page in pages]

    def _infos(self, rows: Mask) -> dict[str, Any]:
        return {} if self._action_mask is None else mask_infos(self._action_mask[np.newaxis], rows)


def _final(pages: Observation, ended: Mask, infos: dict[str, Any]) -> dict[str, Any]:
    """The infos of pages that were reset in the step that ended them, as `SyncVectorEnv` gives them."""
    # An array of objects with None in the other rows: that is how Gymnasium gives final observations.
    observations = np.full(len(pages), None, object)
    for row in np.flatnonzero(ended):
        observations[row] = pages[row].copy()
    return {"final_obs": observations, "_final_obs": ended.copy(), "final_info": infos, "_final_info": ended.copy()}
