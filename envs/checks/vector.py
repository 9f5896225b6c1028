"""Checks of text environments side by side: in a `SyncVectorEnv`, and in a vector environment of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs.arrays import Mask, Tokens
from envs.checks.expect import expect, same

ROWS = 4
VectorEnv: TypeAlias = gymnasium.vector.VectorEnv[Any, Any, Any]
Make: TypeAlias = Callable[[], gymnasium.Env[Any, Any]]
MakeVec: TypeAlias = Callable[[int, AutoresetMode], VectorEnv]


@dataclass(frozen=True)
class _Step:
    """What a step of a vector environment gave; each field but infos has the rows as its first axis."""

    observations: Any
    rewards: Any
    terminations: Any
    truncations: Any
    infos: dict[str, Any]
    observations_after_reset: Any  # of the pages that had ended; with autoreset, the observations


def check_vectors(make: Make, make_vec: MakeVec | None, vocab_size: int, max_length: int, prefix: Tokens) -> None:
    """Check the environment in vectors, in each autoreset mode.

    Args:
        make: makes one environment.
        make_vec: makes a vector environment of (number of environments, autoreset mode), where there is one.
        vocab_size: V.
        max_length: T.
        prefix: int64 [P], the beginning of an unfinished page.

    Raises:
        CheckError: at the first fault that is found.

    Example:
        >>> from envs import TextGenerationEnv
        >>> shared = TextGenerationEnv(vocab_size=5, max_length=3)
        >>> check_vectors(lambda: shared, None, 5, 3, np.array([1]))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        envs.checks.expect.CheckError: Other actions in one row changed the observations of another row ...
    """
    # Long enough for every row to end and to begin anew several times, in the modes that spend a step on it too.
    actions = np.random.default_rng(1).integers(vocab_size, size=(3 * max_length + 3, ROWS))
    changed = actions.copy()
    changed[:, 1] = (changed[:, 1] + 1) % vocab_size
    for mode in AutoresetMode:
        loop = _play(_loop(make, mode), actions, prefix)
        _check_rows(loop, _play(_loop(make, mode), changed, prefix), f"SyncVectorEnv, {mode.value}")
        if make_vec is not None:
            _check_declarations(_loop(make, mode), make_vec(ROWS, mode), mode)
            _check_steps(loop, _play(make_vec(ROWS, mode), actions, prefix), mode)


def _loop(make: Make, mode: AutoresetMode) -> VectorEnv:
    return SyncVectorEnv([make] * ROWS, autoreset_mode=mode)


def _play(env: VectorEnv, actions: Tokens, prefix: Tokens) -> list[_Step]:
    """Take the actions [steps, N]; rows start at different times, so that they end at different times too."""
    seen, _ = env.reset(seed=0)
    _reset(env, np.arange(ROWS) % 2 == 0, prefix, seen)
    steps = []
    for chosen in actions:
        step = env.step(chosen)
        ended: Mask = np.asarray(step[2]) | np.asarray(step[3])
        after = step[0]
        if env.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            # With autoreset off a SyncVectorEnv refuses to step a row that has ended.
            after = _reset(env, ended, prefix, after)
        steps.append(_Step(*step, after))
    return steps


def _reset(env: VectorEnv, rows: Mask, prefix: Tokens, seen: Any) -> Any:
    """Reset some rows; the others must stay as they were seen."""
    # SyncVectorEnv takes the mask out of the options that it is given.
    observations, _ = env.reset(options={"reset_mask": rows.copy(), "prefix": prefix})
    expect(
        same(observations[~rows], seen[~rows]),
        f"A reset of the rows {np.flatnonzero(rows).tolist()} changed the page of another row.",
    )
    return observations


def _check_rows(steps: list[_Step], changed: list[_Step], where: str) -> None:
    """Only the actions of row 1 differ: nothing of another row may."""
    others = np.arange(ROWS) != 1
    for first, second in zip(steps, changed, strict=True):
        for name in ("observations", "rewards", "terminations", "truncations", "observations_after_reset"):
            expect(
                same(getattr(first, name)[others], getattr(second, name)[others]),
                f"Other actions in one row changed the {name} of another row ({where}): they share a state.",
            )


def _check_declarations(loop: VectorEnv, twin: VectorEnv, mode: AutoresetMode) -> None:
    told = twin.metadata.get("autoreset_mode")
    expect(told is mode, f"metadata['autoreset_mode'] of the vector environment is {told!r}, not {mode!r}.")
    for name in ("num_envs", "single_observation_space", "single_action_space", "observation_space", "action_space"):
        ours, due = getattr(twin, name), getattr(loop, name)
        expect(ours == due, f"The {name} of the vector environment is {ours}, and of a SyncVectorEnv {due}.")


def _check_steps(loop: list[_Step], twin: list[_Step], mode: AutoresetMode) -> None:
    for place, (due, step) in enumerate(zip(loop, twin, strict=True)):
        for name in _Step.__dataclass_fields__:
            ours, theirs = getattr(step, name), getattr(due, name)
            expect(
                same(ours, theirs),
                f"In step {place} ({mode.value}) the {name} of the vector environment are {ours}, and of a "
                f"SyncVectorEnv of the single ones {theirs}.",
            )
