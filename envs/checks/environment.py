"""Checks of a single text environment; those of its vectors are in `envs.checks.vector`."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode

from envs.arrays import Tokens
from envs.checks.expect import expect, expect_refusal, same
from envs.checks.vector import check_vectors

EPISODES = 4


def check_text_env(
    make: Callable[[], gymnasium.Env[Any, Any]],
    make_vec: Callable[[int, AutoresetMode], gymnasium.vector.VectorEnv[Any, Any, Any]] | None = None,
) -> None:
    """Check that an environment writes text as `envs.TextGenerationEnv` does, whatever its rewards are.

    The contract: an action is a token, `Discrete(V)` from 0. An observation is the page, a Box [T] of tokens written
    from the left, V where it is blank; it belongs to the caller. The page ends when it is full at the latest. The
    same seed and actions give the same episode, whatever was played before. `reset(options={"prefix": tokens})`
    begins where an episode with these actions would be. An action or prefix that holds no tokens is a ValueError.
    In a `SyncVectorEnv`, in all three autoreset modes, no row depends on another; a vector environment of its own
    equals that, step by step.

    Args:
        make: makes the environment, a new one each time.
        make_vec: makes the vector environment of (number of environments, autoreset mode), where there is one.

    Raises:
        CheckError: at the first fault that is found; what the environment itself raises is not caught.

    Example:
        >>> from envs import TextGenerationEnv, TextGenerationVectorEnv
        >>> check_text_env(
        ...     lambda: TextGenerationEnv(vocab_size=5, max_length=4),
        ...     lambda count, mode: TextGenerationVectorEnv(count, 5, 4, autoreset_mode=mode),
        ... )
    """
    vocab_size, max_length = _check_spaces(make())
    rng = np.random.default_rng(0)
    scripts = rng.integers(vocab_size, size=(EPISODES, max_length))
    # A new environment each time, so that no check sees what another one left behind.
    episodes = [_play(make(), script) for script in scripts]
    for script, episode in zip(scripts, episodes, strict=True):
        _check_page(script, episode, vocab_size)
    _check_purity(make(), scripts, episodes)
    for script, episode in zip(scripts, episodes, strict=True):
        _check_prefix(make(), script, episode)
    _check_refusals(make(), vocab_size, max_length)
    _check_ownership(make())
    # The longest, because its beginning is an unfinished page most surely: a short one may have met the stop token.
    longest = max(range(EPISODES), key=lambda number: len(episodes[number].rewards))
    check_vectors(make, make_vec, vocab_size, max_length, scripts[longest, : len(episodes[longest].rewards) - 1][:2])


@dataclass(frozen=True)
class _Episode:
    """What was seen: observations has one more entry than rewards."""

    observations: list[Tokens]
    rewards: list[float]


def _check_spaces(env: gymnasium.Env[Any, Any]) -> tuple[int, int]:
    """Check both spaces; return V and T."""
    actions, observations = env.action_space, env.observation_space
    expect(
        isinstance(actions, Discrete) and actions.start == 0,
        f"The action space is {actions}, not Discrete(V) from 0: one action is one token.",
    )
    expect(
        isinstance(observations, Box) and len(observations.shape) == 1,
        f"The observation space is {observations}, not a Box of shape (T,): an observation is the page.",
    )
    # For mypy, which does not know that `expect` raises.
    assert isinstance(actions, Discrete)
    assert isinstance(observations, Box)
    return int(actions.n), observations.shape[0]


def _play(env: gymnasium.Env[Any, Any], script: Tokens, prefix: int = 0) -> _Episode:
    """Play the actions of the script until the page ends, its first `prefix` as a prefix; check what each step is."""
    options = {"prefix": script[:prefix]} if prefix else None
    observation, info = env.reset(seed=0, options=options)
    expect(isinstance(info, dict), f"reset() returned a {type(info).__name__} as info, not a dict.")
    episode = _Episode([_observed(env, observation)], [])
    for token in script[prefix:]:
        # As agents give it: `Discrete.sample` returns an int64 of numpy's.
        observation, reward, terminated, truncated, info = env.step(np.int64(token))
        # By `type`: numpy's float64 is an instance of float too, and Python's own is due.
        expect(type(reward) is float, f"A reward is a {type(reward)}, not a float.")
        expect(math.isfinite(float(reward)), f"A reward is {reward}, not a finite number.")
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            expect(type(value) is bool, f"{name} is a {type(value)}, not a bool.")
        expect(isinstance(info, dict), f"step() returned a {type(info).__name__} as info, not a dict.")
        _check_mask(info, env.action_space)
        episode.observations.append(_observed(env, observation))
        episode.rewards.append(float(reward))
        if terminated or truncated:
            return episode
    expect(False, f"The page of {len(script)} tokens is full, and the episode has not ended.")
    return episode


def _observed(env: gymnasium.Env[Any, Any], observation: Any) -> Tokens:
    space = env.observation_space
    expect(
        space.contains(observation),
        f"The observation {observation!r} is not in the observation space {space}.",
    )
    # A copy: an environment that writes all its pages into one array would change what was seen before.
    return np.array(observation)


def _check_mask(info: dict[str, Any], actions: gymnasium.Space[Any]) -> None:
    """Check the action mask, where there is one."""
    if "action_mask" not in info or not isinstance(actions, Discrete):
        return
    mask = info["action_mask"]
    shape = (int(actions.n),)
    expect(
        isinstance(mask, np.ndarray) and mask.dtype == np.int8 and mask.shape == shape,
        f"info['action_mask'] is not an array of int8 of shape {shape}, but {mask!r}.",
    )
    expect(
        np.isin(mask, (0, 1)).all() and mask.any(),
        f"info['action_mask'] holds {np.unique(mask).tolist()}: 0 and 1 are due, with at least one 1.",
    )


def _check_page(script: Tokens, episode: _Episode, vocab_size: int) -> None:
    """Check that tokens are written one by one from the left, on a page that was blank."""
    for count, page in enumerate(episode.observations):
        due = np.where(np.arange(len(script)) < count, script, vocab_size)
        expect(
            np.array_equal(page, due),
            f"After the actions {script[:count].tolist()} the page is {page.tolist()}, not {due.tolist()}.",
        )


def _check_purity(env: gymnasium.Env[Any, Any], scripts: Tokens, episodes: list[_Episode]) -> None:
    """Play all episodes in the same environment, twice: each must be as it was in an environment of its own."""
    for script, due in [*zip(scripts, episodes, strict=True)] * 2:
        # An episode that is broken off must leave nothing behind either.
        env.reset()
        env.step(np.int64(script[-1]))
        played = _play(env, script)
        expect(
            same(np.array(played.rewards), np.array(due.rewards)),
            f"The same seed and actions {script.tolist()} gave the rewards {due.rewards} in a new environment and "
            f"{played.rewards} in one that was played before.",
        )
        expect(
            len(played.observations) == len(due.observations),
            f"The same seed and actions {script.tolist()} ended after {len(due.rewards)} and {len(played.rewards)} "
            "tokens.",
        )


def _check_prefix(env: gymnasium.Env[Any, Any], script: Tokens, episode: _Episode) -> None:
    """Begin an episode in its middle: all must be as in the episode that came there by its actions."""
    length = len(episode.rewards)
    for prefix in sorted({1, length // 2, length - 1} & set(range(1, length))):
        begun, _ = env.reset(seed=0, options={"prefix": script[:prefix]})
        due = episode.observations[prefix]
        expect(
            np.array_equal(begun, due),
            f"After a reset with the prefix {script[:prefix].tolist()} the page is {np.asarray(begun).tolist()}, not "
            f"{due.tolist()}.",
        )
        rewards = _play(env, script, prefix).rewards
        # A limit of steps, which does not count the prefix, may end one of them earlier.
        count = min(len(rewards), length - prefix)
        expect(
            same(np.array(rewards[:count]), np.array(episode.rewards[prefix : prefix + count])),
            f"After the prefix {script[:prefix].tolist()} the rewards are {rewards}, and after the same tokens as "
            f"actions {episode.rewards[prefix:]}.",
        )
    expect(
        same(_play(env, script).observations[0], episode.observations[0]),
        "A reset without a prefix, after one with a prefix, does not give a blank page.",
    )


def _check_refusals(env: gymnasium.Env[Any, Any], vocab_size: int, max_length: int) -> None:
    for wrong in (vocab_size, -1):
        env.reset()
        expect_refusal(
            # As a default, because a closure would look the variable up when it is called.
            lambda wrong=wrong: env.step(np.int64(wrong)),  # type: ignore[misc]
            f"The action {wrong} raises no ValueError, and tokens go from 0 to {vocab_size - 1}.",
        )
    for prefix in ([vocab_size], [0] * max_length):
        expect_refusal(
            lambda prefix=prefix: env.reset(options={"prefix": prefix}),  # type: ignore[misc]
            f"The prefix {prefix} raises no ValueError, and is not the beginning of an unfinished page.",
        )


def _check_ownership(env: gymnasium.Env[Any, Any]) -> None:
    """Write into an observation: nothing else may change."""
    first, _ = env.reset()
    kept = first.copy()
    second = env.step(np.int64(0))[0]
    expect(np.array_equal(first, kept), "An observation changes when the next step is taken: return a copy.")
    # As an agent does that changes its observations in place.
    second[:] = 0
    env.reset()
    again = env.step(np.int64(0))[0]
    expect(
        not np.shares_memory(first, second) and not np.shares_memory(again, second),
        "Two observations share their memory: return copies.",
    )
