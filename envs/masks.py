"""Action masks: which tokens an agent may choose next; for forbidden words, or for a grammar.

A mask is advice to the agent, as everywhere in Gymnasium: `info["action_mask"]`, int8 with 1 where a token is allowed,
fits `action_space.sample(mask=...)`, and `action_masks()` is what sb3-contrib's MaskablePPO asks for. The environment
takes a forbidden token all the same.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from envs.arrays import Mask, Tokens, is_integer
from envs.spaces import Observation, vocab_size_of

ActionMasks: TypeAlias = NDArray[np.int8]
MaskFunction: TypeAlias = Callable[[Tokens], ArrayLike]  # the text so far, int64 [t] -> [V], true where allowed


def forbidding(forbidden: Sequence[int], vocab_size: int) -> ActionMasks | None:
    """Return the mask, int8 [V], that forbids these tokens always; None where there are none.

    Raises:
        ValueError: if one of them is not a token, or nothing would be left.

    Example:
        >>> forbidding([0, 2], 4)
        array([0, 1, 0, 1], dtype=int8)
    """
    if not len(forbidden):
        return None
    mask = np.ones(vocab_size, np.int8)
    for token in forbidden:
        if not is_integer(token) or not 0 <= token < vocab_size:
            raise ValueError(f"forbidden holds {token!r}, which is not a token: give 0 to {vocab_size - 1}.")
        mask[token] = 0
    if not mask.any():
        raise ValueError(f"forbidden holds all {vocab_size} tokens: leave at least one that is allowed.")
    return mask


def mask_infos(masks: ActionMasks, rows: Mask) -> dict[str, Any]:
    """Return the infos of masks [N, V] of some rows, as `SyncVectorEnv` gives them: 0 in the other rows.

    Example:
        >>> mask_infos(np.array([[0, 1], [1, 1]], np.int8), np.array([True, False]))["action_mask"]
        array([[0, 1],
               [0, 0]], dtype=int8)
    """
    return {"action_mask": masks * rows[:, np.newaxis], "_action_mask": rows.copy()}


class ActionMask(gymnasium.Wrapper[Observation, np.int64, Observation, np.int64], RecordConstructorArgs):
    """Tell the agent which tokens may come next, by a function of the text so far.

    Put it on an environment whose observation is the page. Where the environment has a mask already, a token must be
    allowed by both. When the page has ended the function is not asked: nothing comes next.

    Args:
        env: a text environment.
        mask_function: of the text so far, int64 [t], to the mask, [V] of bools or of 0 and 1.

    Raises:
        ValueError: in `reset` and `step`, if a mask has another shape, or forbids every token.

    Example:
        >>> from envs import TextGenerationEnv
        >>> no_repetition = lambda text: ~np.isin(np.arange(4), text[-1:])
        >>> env = ActionMask(TextGenerationEnv(vocab_size=4, max_length=9), no_repetition)
        >>> _ = env.reset()
        >>> env.step(2)[4]["action_mask"]
        array([1, 1, 0, 1], dtype=int8)
    """

    def __init__(self, env: gymnasium.Env[Observation, np.int64], mask_function: MaskFunction) -> None:
        RecordConstructorArgs.__init__(self, mask_function=mask_function)
        gymnasium.Wrapper.__init__(self, env)
        self._function = mask_function
        self._vocab_size = vocab_size_of(env.action_space)
        self._mask: ActionMasks = np.ones(self._vocab_size, np.int8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a page; the info has the mask of its first token."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._masked(info, observation, ended=False)

    def step(self, action: np.int64) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Take the step; the info has the mask of the next token."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._masked(info, observation, terminated or truncated)

    def action_masks(self) -> Mask:
        """Return which tokens may come next, bool [V]."""
        return self._mask.astype(np.bool_)

    def _masked(self, info: dict[str, Any], observation: Observation, ended: bool) -> dict[str, Any]:
        given = info.get("action_mask", np.ones(self._vocab_size, np.int8))
        # At the end nothing comes next, and a mask must allow something all the same: the environment's is kept.
        self._mask = given if ended else _next_mask(self._function, observation, given)
        return info | {"action_mask": self._mask.copy()}


class ActionMaskVector(gymnasium.vector.VectorWrapper):
    """Tell the agents which tokens may come next: `ActionMask` for N pages.

    The function is called for one page after the other. For `action_space.sample`, make a tuple of the masks.

    Args:
        env: a text vector environment, in any autoreset mode.
        mask_function: as for `ActionMask`.

    Raises:
        ValueError: in `reset` and `step`, if a mask has another shape, or forbids every token.

    Example:
        >>> from envs import TextGenerationVectorEnv
        >>> no_repetition = lambda text: ~np.isin(np.arange(4), text[-1:])
        >>> env = ActionMaskVector(TextGenerationVectorEnv(2, vocab_size=4, max_length=9), no_repetition)
        >>> _ = env.reset()
        >>> env.step(np.array([2, 0]))[4]["action_mask"]
        array([[1, 1, 0, 1],
               [0, 1, 1, 1]], dtype=int8)
    """

    def __init__(
        self, env: gymnasium.vector.VectorEnv[Observation, Tokens, NDArray[Any]], mask_function: MaskFunction
    ) -> None:
        super().__init__(env)
        self._function = mask_function
        self._vocab_size = vocab_size_of(env.single_action_space)
        self._masks: ActionMasks = np.ones((env.num_envs, self._vocab_size), np.int8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start all pages, or those of `reset_mask`; the infos have the masks of those."""
        # Looked up before the reset: SyncVectorEnv takes the mask out of the options.
        rows = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_)))
        observations, infos = self.env.reset(seed=seed, options=options)
        self._masks = np.where(rows[:, np.newaxis], self._ask(observations, infos, rows), self._masks)
        return observations, infos | mask_infos(self._masks, rows)

    def step(self, actions: Tokens) -> tuple[Observation, NDArray[Any], Mask, Mask, dict[str, Any]]:
        """Take the step; the infos have the masks of the next tokens."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        ended, every = terminations | truncations, np.ones(self.num_envs, np.bool_)
        # Here the pages that ended have been replaced already: the masks are those of the new pages, and that of a page
        # that has ended, which forbids nothing, goes where its last observation goes.
        if self.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP:
            if ended.any():
                infos["final_info"] = mask_infos(np.ones_like(self._masks), ended) | infos["final_info"]
            ended = ~every
        self._masks = self._ask(observations, infos, ~ended)
        return observations, rewards, terminations, truncations, infos | mask_infos(self._masks, every)

    def action_masks(self) -> Mask:
        """Return which tokens may come next, bool [N, V]."""
        return self._masks.astype(np.bool_)

    def _ask(self, observations: Observation, infos: dict[str, Any], rows: Mask) -> ActionMasks:
        """The masks of `rows` by the function and the environment, of the others by the environment alone."""
        masks: ActionMasks = infos.get("action_mask", np.ones_like(self._masks)).copy()
        for row in np.flatnonzero(rows):
            masks[row] = _next_mask(self._function, observations[row], masks[row])
        return masks


def _next_mask(function: MaskFunction, page: Observation, given: ActionMasks) -> ActionMasks:
    """The mask after what is written on the page, where `given` allows it too."""
    text = page[page != len(given)].astype(np.int64)
    returned = np.asarray(function(text))
    if returned.shape != given.shape:
        raise ValueError(
            f"The mask function returned shape {returned.shape}, not {given.shape}: give one value for each token."
        )
    mask = (returned.astype(np.bool_) & given.astype(np.bool_)).astype(np.int8)
    if not mask.any():
        raise ValueError(f"The action mask forbids every token after {text.tolist()}: allow at least one.")
    return mask
