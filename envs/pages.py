"""The dynamics of text generation, written once for numpy arrays and torch tensors: N pages are filled with tokens."""

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.arrays import Array, Tokens, check_place, integers, is_integer, namespace


class Pages:
    """N pages, each filled with tokens from the left.

    A page ends when it is full, or with the stop token. An ended page takes no token until it is cleared.

    The Gymnasium environments are faces of this class on numpy arrays. A rollout whose networks are on a device uses
    it directly, with `like` one of their tensors, together with `envs.Readings`: then all arrays are tensors there,
    and no operation asks the device for a value, so that a whole episode can be captured as one CUDA graph. The
    price: the values of tensors are not checked, only their shapes, types and devices; numpy's values are.

    Args:
        count: N, the number of pages.
        vocab_size: the number of tokens: 0 to vocab_size - 1.
        max_length: T, the number of places on a page.
        stop_token: the token that ends a page early; it is written. None: no token does.
        autoreset_mode: what `step` does with ended pages: an `AutoresetMode`, or its value.
        like: an array whose namespace and device all arrays have; numpy's where none is given.

    Attributes:
        tokens: int64 [N, T], `vocab_size` where nothing is written. No method changes it in place.
        ended: bool [N].

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> pages = Pages(2, vocab_size=5, max_length=3, stop_token=0, like=torch.zeros(1))
        >>> while not pages.ended.all():
        ...     pages.write(torch.tensor([2, 0]))  # where a policy that has read pages.tokens draws
        >>> pages.tokens
        tensor([[2, 2, 2],
                [0, 5, 5]])
    """

    def __init__(
        self,
        count: int,
        vocab_size: int,
        max_length: int,
        stop_token: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
        like: Array = None,
    ) -> None:
        _check_sizes(count, vocab_size, max_length, stop_token)
        like = np.zeros(0) if like is None else like
        xp, device = namespace(like), like.device
        self.autoreset_mode = autoreset_mode_of(autoreset_mode)
        self.tokens: Array = xp.full((count, max_length), vocab_size, dtype=xp.int64, device=device)
        self.ended: Array = xp.zeros(count, dtype=xp.bool, device=device)
        self._lengths: Array = xp.zeros(count, dtype=xp.int64, device=device)
        self._places: Array = xp.arange(max_length, dtype=xp.int64, device=device)
        self._vocab_size = vocab_size
        self._stop_token = stop_token

    def clear(self, rows: Array, prefix: Array = ()) -> None:
        """Start the pages of `rows` anew, with `prefix` written on them.

        Args:
            rows: bool [N].
            prefix: integers [P] or [N, P], P < T; what it holds for other rows is not read.

        Raises:
            ValueError: if `prefix` has another shape or type, or is not the beginning of an unfinished page.
        """
        check_place(rows, self.tokens, "rows")
        begun = self._begun(prefix, rows)
        (count, length), max_length = begun.shape, self.tokens.shape[1]
        xp = namespace(begun)
        blank = xp.full((count, max_length - length), self._vocab_size, dtype=xp.int64, device=begun.device)
        self.tokens = xp.where(rows.reshape(-1, 1), xp.concat((begun, blank), 1), self.tokens)
        # A tensor, since torch copies a number from the host to the device, and waits for that.
        self._lengths = xp.where(rows, xp.full_like(self._lengths, length), self._lengths)
        self.ended = self.ended & xp.logical_not(rows)

    def write(self, actions: Array) -> None:
        """Write the next token of every page that has not ended.

        Args:
            actions: integers [N] (tensors: int64); what they hold for ended pages is not read.

        Raises:
            ValueError: if `actions` has another shape or type, or holds what is not a token.
        """
        xp = namespace(self.tokens)
        taking = xp.logical_not(self.ended)
        chosen = self._chosen(actions, taking)
        # By `where` and not by assignment at an array of places, which the array API does not have. The result is a new
        # array: whoever was given the old one, as an observation, may keep it.
        here = taking.reshape(-1, 1) & (self._places == self._lengths.reshape(-1, 1))
        self.tokens = xp.where(here, chosen.reshape(-1, 1), self.tokens)
        self._lengths = self._lengths + taking
        self.ended = self.ended | (self._lengths == self.tokens.shape[1])
        # The actions of ended pages may hold it too, and change nothing: those pages have ended.
        if self._stop_token is not None:
            self.ended = self.ended | (chosen == self._stop_token)

    def step(self, actions: Array) -> tuple[Array, Array]:
        """Write the next tokens, then clear what the autoreset mode says; `tokens` is what is to be seen after that.

        Args:
            actions: as in `write`.

        Returns:
            The pages with the tokens written, int64 [N, T] (of a page that ended and is cleared in the same step,
            this is its final text); and which pages are ended, bool [N].
        """
        # No copy: `write` and `clear` put new arrays in its place and leave this one as it is.
        ended_before = self.ended
        self.write(actions)
        # In this mode the step after the end is the reset; `write` has left these pages alone.
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            self.clear(ended_before)
        written, ended = self.tokens, self.ended
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            self.clear(ended)
        return written, ended

    def _begun(self, prefix: Array, rows: Array) -> Array:
        """The prefix as int64 [N, P], checked."""
        given = integers(prefix, self.tokens, "prefix")
        count, max_length = self.tokens.shape
        if given.ndim == 0 or given.shape[:-1] not in ((), (count,)):
            raise ValueError(
                f"The prefix has shape {tuple(given.shape)}, not (P,) or ({count}, P): give one, or one for each page."
            )
        length = given.shape[-1]
        if length >= max_length:
            raise ValueError(f"The prefix has {length} tokens and max_length is {max_length}: leave room for a token.")
        begun = namespace(given).broadcast_to(given, (count, length))
        # Of numpy's arrays alone: what a tensor holds is known only when the device has been waited for.
        if isinstance(begun, np.ndarray):
            self._check_tokens(begun[rows], "prefix")
            # Without a stop token this compares with None, which no number equals.
            if (begun[rows] == self._stop_token).any():
                raise ValueError(
                    f"The prefix holds the stop token {self._stop_token}: give the beginning of an unfinished text."
                )
        return begun

    def _chosen(self, actions: Array, taking: Array) -> Array:
        """The actions as int64 [N], checked."""
        chosen = integers(actions, self.tokens, "action")
        if chosen.shape != taking.shape:
            raise ValueError(
                f"The action has shape {tuple(chosen.shape)}, not {tuple(taking.shape)}: give one token for each page."
            )
        if isinstance(chosen, np.ndarray):
            self._check_tokens(chosen[taking], "action")
        return chosen

    def _check_tokens(self, tokens: Tokens, name: str) -> None:
        wrong = tokens[(tokens < 0) | (tokens >= self._vocab_size)]
        if wrong.size:
            raise ValueError(f"The {name} holds {wrong[0]}, which is not a token: give 0 to {self._vocab_size - 1}.")


def _check_sizes(count: int, vocab_size: int, max_length: int, stop_token: int | None) -> None:
    for name, size in (("num_envs", count), ("vocab_size", vocab_size), ("max_length", max_length)):
        if not is_integer(size) or size < 1:
            raise ValueError(f"{name} {size!r} is not a positive integer: give at least 1.")
    if stop_token is not None and not (is_integer(stop_token) and 0 <= stop_token < vocab_size):
        raise ValueError(
            f"stop_token {stop_token} is not a token: give 0 to {vocab_size - 1}, or None for no stop token."
        )


def autoreset_mode_of(mode: AutoresetMode | str) -> AutoresetMode:
    """Return the mode, which may be given by its value.

    Raises:
        ValueError: if there is no such mode.

    Example:
        >>> autoreset_mode_of("SameStep")
        <AutoresetMode.SAME_STEP: 'SameStep'>
    """
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        modes = ", ".join(member.value for member in AutoresetMode)
        raise ValueError(f"autoreset_mode {mode!r} does not exist: give one of {modes}.") from error
