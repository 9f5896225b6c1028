"""What a scorer, such as a discriminator, makes of N texts while they are written: on numpy arrays or torch tensors."""

from typing import Protocol, TypeAlias

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.arrays import Array, integers, moved, namespace
from envs.pages import autoreset_mode_of
from envs.rewards import RewardRule, reward_rule

State: TypeAlias = tuple[Array, ...]  # arrays with leading axis N, of the same shapes at every step


class Scorer(Protocol):
    """Reads sequences token by token and says how real each looks so far: a pure function over explicit state.

    The state is the scorer's own affair: a tuple of arrays of one namespace, with the sequences as their leading
    axis. It stays where the scorer makes it, also on another device than the tokens. `envs.check_scorer` checks a
    scorer.

    Example:
        Each even token speaks for the text, and each odd one against it; the state is the sum so far.

        >>> class Evenness:
        ...     def start(self, count):
        ...         return (np.zeros(count, np.float32),)
        ...     def score(self, state, tokens):
        ...         log_odds = state[0] + np.where(tokens % 2, np.float32(-1), np.float32(1))
        ...         return (log_odds,), log_odds
        >>> state, _ = Evenness().score(Evenness().start(2), np.array([2, 3]))
        >>> Evenness().score(state, np.array([4, 4]))[1]
        array([2., 0.], dtype=float32)
    """

    def start(self, count: int) -> State:
        """Return the state before any token: arrays with leading axis `count`."""
        ...

    def score(self, state: State, tokens: Array, /) -> tuple[State, Array]:
        """Read the next token of every sequence.

        Args:
            state: what `start` or `score` returned; must not be changed in place.
            tokens: int64 [N]: a numpy array in the Gymnasium wrappers, a tensor where `Readings` has tensors.

        Returns:
            The state after the tokens, and how real each sequence looks so far: log-odds float32 [N], where the
            tokens are.
        """
        ...


class Readings:
    """A scorer's readings of N sequences, which start and go on row by row, and the reward for each token.

    The Gymnasium wrappers use it on numpy arrays. A rollout whose networks are on a device uses it directly beside
    `envs.Pages`, with `like` one of their tensors: tokens, states and rewards are then tensors there, and nothing asks
    the device for a value. As on numpy, all rows go to the scorer each time.

    Args:
        scorer: what reads the text.
        rule: a name in `REWARD_RULES`, or a function like those.
        count: N, the number of sequences.
        autoreset_mode: of the pages that are read, for `step`.
        like: an array whose namespace and device tokens and rewards have; numpy's where none is given.

    Raises:
        ValueError: if there is no such rule, or the scorer's state is not one row for each sequence.

    Example:
        A rollout of `policy`, where all are on one device. To go on from given beginnings in some rows, call
        `pages.clear(rows, prefix)` and `readings.restart(rows, prefix)`; with automatic resets,
        `_, ended = pages.step(actions)` and `readings.step(actions, ended)`.

        >>> import torch
        >>> from envs import Pages
        >>> class Evenness:
        ...     def start(self, count):
        ...         return (torch.zeros(count),)
        ...     def score(self, state, tokens):
        ...         log_odds = state[0] + 1.0 - 2.0 * (tokens % 2)
        ...         return (log_odds,), log_odds
        >>> policy = lambda pages: torch.tensor([2, 3])
        >>> pages = Pages(2, vocab_size=5, max_length=3, like=torch.zeros(0))
        >>> readings = Readings(Evenness(), "log_odds", 2, like=pages.tokens)
        >>> rewards = torch.zeros(2, 3)
        >>> for place in range(3):
        ...     actions, alive = policy(pages.tokens), ~pages.ended
        ...     pages.write(actions)
        ...     rewards[:, place] = readings.read(actions, alive)
        >>> rewards
        tensor([[ 1.,  2.,  3.],
                [-1., -2., -3.]])
    """

    def __init__(
        self,
        scorer: Scorer,
        rule: str | RewardRule,
        count: int,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
        like: Array = None,
    ) -> None:
        like = np.zeros(0) if like is None else like
        xp = namespace(like)
        self._scorer = scorer
        self._rule = reward_rule(rule)
        self._mode = autoreset_mode_of(autoreset_mode)
        if not (hasattr(scorer, "start") and hasattr(scorer, "score")):
            raise ValueError(
                f"The scorer is a {type(scorer).__name__}: give an object with start(count) and score(state, tokens)."
            )
        self._state = scorer.start(count)
        self._log_odds: Array = xp.zeros(count, dtype=xp.float32, device=like.device)
        self._ended: Array = xp.zeros(count, dtype=xp.bool, device=like.device)
        _check_state(self._state, count)

    @property
    def state(self) -> State:
        """The scorer's state: what it has read of every sequence."""
        return self._state

    @property
    def log_odds(self) -> Array:
        """How real each sequence looked after its last token, log-odds float32 [N]; 0 where nothing was read."""
        return self._log_odds

    def restart(self, rows: Array, prefix: Array = ()) -> None:
        """Start the sequences of `rows` anew, with `prefix` read, without reward.

        Args:
            rows: bool [N].
            prefix: tokens [P] or [N, P].
        """
        if _none(rows):
            return
        xp = namespace(self._log_odds)
        self._state = _where(rows, self._scorer.start(len(rows)), self._state)
        self._log_odds = xp.where(rows, xp.zeros_like(self._log_odds), self._log_odds)
        self._ended = self._ended & xp.logical_not(rows)
        for tokens in xp.moveaxis(integers(prefix, self._log_odds, "prefix"), -1, 0):
            self.read(tokens, rows)

    def read(self, tokens: Array, rows: Array) -> Array:
        """Read the next token of the sequences of `rows`.

        Args:
            tokens: int64 [N], or [] for the same token everywhere; not read where not `rows`.
            rows: bool [N].

        Returns:
            float32 [N], the rewards: 0 where not `rows`.

        Raises:
            ValueError: if the scorer returns another shape, another device's array, or NaN (looked for in numpy's
                arrays alone), or the rule another shape.
        """
        xp = namespace(self._log_odds)
        if _none(rows):
            return xp.zeros_like(self._log_odds)
        # All rows go to the scorer each time: a matrix product of fewer rows can differ in its last bits.
        state, returned = self._scorer.score(self._state, xp.where(rows, tokens, xp.zeros_like(tokens)))
        before, after = self._log_odds, self._checked(returned, rows)
        self._state = _where(rows, state, self._state)
        # Where `rows` is false the scorer read a token that nobody wrote: state and log-odds stay as they were.
        self._log_odds = xp.where(rows, after, before)
        rewards = self._rule(after, before)
        if rewards.shape != before.shape:
            raise ValueError(
                f"The reward rule returned shape {tuple(rewards.shape)} for log-odds of {tuple(before.shape)}: "
                "give one reward for each."
            )
        return xp.where(rows, rewards, xp.zeros_like(rewards))

    def step(self, tokens: Array, ended: Array) -> Array:
        """Read what the pages took in a step, then restart what the autoreset mode says.

        Args:
            tokens: int64 [N], the actions of the step; not read for pages that were ended before it.
            ended: bool [N], which pages are ended after it.

        Returns:
            float32 [N], the rewards: 0 for pages that took no token.
        """
        xp = namespace(self._ended)
        taking = xp.logical_not(self._ended)
        rewards = self.read(tokens, taking)
        if self._mode is AutoresetMode.DISABLED:
            self._ended = ended
            return rewards
        # What ends now is read to its end: whenever the next text comes, it finds a fresh state.
        self.restart(ended & taking)
        # In the same step means that the next text has begun already.
        self._ended = xp.zeros_like(ended) if self._mode is AutoresetMode.SAME_STEP else ended
        return rewards

    def _checked(self, log_odds: Array, rows: Array) -> Array:
        """What the scorer returned, as float32 [N] where the readings are."""
        due = self._log_odds
        if getattr(log_odds, "shape", None) != due.shape:
            raise ValueError(
                f"The scorer returned {getattr(log_odds, 'shape', type(log_odds).__name__)}, not {tuple(due.shape)}: "
                "give one score for each sequence."
            )
        # By their names: numpy's device is a string, torch's an object that equals no string.
        if str(log_odds.device) != str(due.device):
            raise ValueError(
                f"The scorer returned log-odds on {log_odds.device}; the tokens are on {due.device}: move them there."
            )
        xp = namespace(due)
        # No gradient goes through a reward.
        detached = log_odds.detach() if hasattr(log_odds, "detach") else log_odds
        scores = xp.asarray(detached, dtype=xp.float32)
        if isinstance(scores, np.ndarray) and np.isnan(scores[rows]).any():
            row = int(np.flatnonzero(np.isnan(scores) & rows)[0])
            raise ValueError(f"The scorer returned NaN for sequence {row}: look at its weights.")
        return scores


def _none(rows: Array) -> bool:
    """Whether no row is marked, as far as that can be told without waiting for a device."""
    return isinstance(rows, np.ndarray) and not rows.any()


def _check_state(state: State, count: int) -> None:
    if not isinstance(state, tuple):
        raise ValueError(f"The scorer's state is a {type(state).__name__}: give a tuple of arrays.")
    for array in state:
        if tuple(array.shape[:1]) != (count,):
            raise ValueError(
                f"The scorer's state has shape {tuple(array.shape)}, not ({count}, ...): give one row a sequence."
            )


def _where(rows: Array, new: State, old: State) -> State:
    """The new state in `rows`, the old one elsewhere."""
    shapes, due = [tuple(array.shape) for array in new], [tuple(array.shape) for array in old]
    if shapes != due:
        raise ValueError(
            f"The scorer's state has shapes {shapes}, not {due}: keep them, since rows start at different times."
        )
    # Each array by itself, since a scorer may keep some of its state on another device than the tokens.
    return tuple(
        namespace(array).where(moved(rows, array).reshape(-1, *[1] * (array.ndim - 1)), array, before)
        for array, before in zip(new, old, strict=True)
    )
