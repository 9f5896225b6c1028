"""Other views of the page, for learners that want them: one-hot, and a dict with the action mask.

For a float view of the tokens no wrapper is needed: `obs_dtype="float32"`, or Gymnasium's `DtypeObservation`.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.arrays import Float, Mask, Tokens
from envs.masks import ActionMasks
from envs.spaces import Observation, vocab_size_of


class OneHotObservation(gymnasium.ObservationWrapper[NDArray[Any], np.int64, Observation], RecordConstructorArgs):
    """Show each token of the page as a row of zeros with a 1 in its place, and a blank as zeros.

    Observation: float32 [max_length, vocab_size].

    Args:
        env: a text environment whose observation is the page.

    Example:
        >>> from envs import TextGenerationEnv
        >>> env = OneHotObservation(TextGenerationEnv(vocab_size=3, max_length=2))
        >>> _ = env.reset()
        >>> env.step(1)[0]
        array([[0., 1., 0.],
               [0., 0., 0.]], dtype=float32)
    """

    def __init__(self, env: gymnasium.Env[Observation, np.int64]) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.ObservationWrapper.__init__(self, env)
        self._vocab_size = vocab_size_of(env.action_space)
        self.observation_space = _one_hot_space(env.observation_space, self._vocab_size)

    def observation(self, observation: Observation) -> Float:
        """Return the one-hot view of a page."""
        return _one_hot(observation, self._vocab_size)


class OneHotObservationVector(gymnasium.vector.VectorWrapper):
    """Show tokens one-hot, float32 [N, max_length, vocab_size]: `OneHotObservation` for N pages.

    Args:
        env: a text vector environment whose observation is the pages, in any autoreset mode.

    Example:
        >>> from envs import TextGenerationVectorEnv
        >>> env = OneHotObservationVector(TextGenerationVectorEnv(2, vocab_size=3, max_length=4))
        >>> env.reset()[0].shape
        (2, 4, 3)
        >>> env.step(np.array([1, 2]))[0][:, 0]  # the first place of both pages
        array([[0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
    """

    def __init__(self, env: gymnasium.vector.VectorEnv[Observation, Tokens, NDArray[Any]]) -> None:
        super().__init__(env)
        self._vocab_size = vocab_size_of(env.single_action_space)
        self.single_observation_space = _one_hot_space(env.single_observation_space, self._vocab_size)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Float, dict[str, Any]]:
        """Start all pages, or some."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return _one_hot(observations, self._vocab_size), infos

    def step(self, actions: Tokens) -> tuple[Float, NDArray[Any], Mask, Mask, dict[str, Any]]:
        """Take the step."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        infos = _with_final(infos, lambda page, _: _one_hot(page, self._vocab_size))
        return _one_hot(observations, self._vocab_size), rewards, terminations, truncations, infos


class DictObservation(gymnasium.Wrapper[dict[str, Any], np.int64, Any, np.int64], RecordConstructorArgs):
    """Show the observation together with the action mask, for learners that read masks there (RLlib's, for example).

    Observation: a dict of `observation`, as before, and `action_mask`, int8 [vocab_size], 1 where a token is allowed.
    Where the environment has no mask, everything is allowed.

    Args:
        env: a text environment.

    Example:
        >>> from envs import TextGenerationEnv
        >>> env = DictObservation(TextGenerationEnv(vocab_size=3, max_length=2, forbidden=[0]))
        >>> env.reset()[0]
        {'observation': array([3, 3]), 'action_mask': array([0, 1, 1], dtype=int8)}
    """

    def __init__(self, env: gymnasium.Env[Any, np.int64]) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        self._vocab_size = vocab_size_of(env.action_space)
        self.observation_space = _dict_space(env.observation_space, self._vocab_size)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a page."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._with_mask(observation, info), info

    def step(self, action: np.int64) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        """Take the step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._with_mask(observation, info), reward, terminated, truncated, info

    def _with_mask(self, observation: Any, info: dict[str, Any]) -> dict[str, Any]:
        # Copied, so that who changes the observation in place leaves the info as it is.
        mask = info.get("action_mask", np.ones(self._vocab_size, np.int8))
        return {"observation": observation, "action_mask": mask.copy()}


class DictObservationVector(gymnasium.vector.VectorWrapper):
    """Show the observations together with the action masks, int8 [N, vocab_size]: `DictObservation` for N pages.

    Args:
        env: a text vector environment, in any autoreset mode.

    Example:
        >>> from envs import TextGenerationVectorEnv
        >>> env = DictObservationVector(TextGenerationVectorEnv(2, vocab_size=3, max_length=2, forbidden=[0]))
        >>> env.reset()[0]["action_mask"]
        array([[0, 1, 1],
               [0, 1, 1]], dtype=int8)
    """

    def __init__(self, env: gymnasium.vector.VectorEnv[Any, Tokens, NDArray[Any]]) -> None:
        super().__init__(env)
        vocab_size = vocab_size_of(env.single_action_space)
        self.single_observation_space = _dict_space(env.single_observation_space, vocab_size)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._masks: ActionMasks = np.ones((env.num_envs, vocab_size), np.int8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start all pages, or some."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._with_masks(observations, infos), infos

    def step(self, actions: Tokens) -> tuple[dict[str, Any], NDArray[Any], Mask, Mask, dict[str, Any]]:
        """Take the step."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        final_masks = infos.get("final_info", {}).get("action_mask", np.ones_like(self._masks))
        infos = _with_final(infos, lambda seen, row: {"observation": seen, "action_mask": final_masks[row].copy()})
        return self._with_masks(observations, infos), rewards, terminations, truncations, infos

    def _with_masks(self, observations: Any, infos: dict[str, Any]) -> dict[str, Any]:
        if "action_mask" in infos:
            # The infos of a reset of some rows say nothing of the others.
            self._masks = np.where(infos["_action_mask"][:, np.newaxis], infos["action_mask"], self._masks)
        return {"observation": observations, "action_mask": self._masks.copy()}


def _one_hot_space(space: gymnasium.Space[Any], vocab_size: int) -> Box:
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise ValueError(f"The observation space is {space}, not a Box of shape (T,): one-hot is a view of the page.")
    return Box(0, 1, (*space.shape, vocab_size), np.float32)


def _dict_space(space: gymnasium.Space[Any], vocab_size: int) -> Dict:
    return Dict({"observation": space, "action_mask": Box(0, 1, (vocab_size,), np.int8)})


def _one_hot(pages: Observation, vocab_size: int) -> Float:
    # By comparison, in which a blank equals no token and becomes zeros; a table of unit vectors has no row for it.
    one_hot: Float = (pages[..., np.newaxis] == np.arange(vocab_size)).astype(np.float32)
    return one_hot


def _with_final(infos: dict[str, Any], view: Callable[[Any, int], Any]) -> dict[str, Any]:
    """The infos with another view of the final observations, where there are some: a function of one and its row."""
    if "final_obs" not in infos:
        return infos
    # Learners take the value of a page's last observation, so it needs the view that the others have.
    views = np.full(len(infos["final_obs"]), None, object)
    for row in np.flatnonzero(infos["_final_obs"]):
        views[row] = view(infos["final_obs"][row], int(row))
    return infos | {"final_obs": views}
