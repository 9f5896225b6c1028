"""Shows a text: as a string, or on the terminal while it is written."""

from collections.abc import Iterable, Sequence
from typing import Any

# Gymnasium wants a rate declared; nothing here waits.
METADATA: dict[str, Any] = {"render_modes": ["ansi", "human"], "render_fps": 4}


def check_render(render_mode: str | None, vocabulary: Sequence[str] | None, vocab_size: int) -> None:
    """Refuse a render mode that does not exist, and a vocabulary that does not have one word for each token.

    Raises:
        ValueError: if one of them is given.
    """
    modes = METADATA["render_modes"]
    if render_mode is not None and render_mode not in modes:
        raise ValueError(f"render_mode {render_mode!r} does not exist: give one of {', '.join(modes)}, or None.")
    if vocabulary is not None and len(vocabulary) != vocab_size:
        raise ValueError(
            f"The vocabulary has {len(vocabulary)} words and vocab_size is {vocab_size}: give one word for each token."
        )


def word(token: int, vocabulary: Sequence[str] | None) -> str:
    """Return the token's word, or its number where there is no vocabulary.

    Example:
        >>> word(1, ["cat", "sat"]), word(1, None)
        ('sat', '1')
    """
    return str(int(token)) if vocabulary is None else vocabulary[int(token)]


def line(tokens: Iterable[int], vocabulary: Sequence[str] | None, rewards: Sequence[float] = ()) -> str:
    """Return the text in one line, with its reward behind each token that has one: the last ones.

    Example:
        >>> line([2, 0, 1], ["cat", "sat", "the"], [0.5, -1.25])
        'the cat(+0.50) sat(-1.25)'
    """
    words = [word(token, vocabulary) for token in tokens]
    amounts = [""] * (len(words) - len(rewards)) + [amount(reward) for reward in rewards]
    return " ".join(map("".join, zip(words, amounts, strict=True)))


def amount(reward: float) -> str:
    """Return the reward as it stands behind its token.

    Example:
        >>> amount(0.5), amount(-1.256)
        ('(+0.50)', '(-1.26)')
    """
    return f"({reward:+.2f})"


class Screen:
    """Prints a text on the terminal word by word, each text on a line of its own."""

    def __init__(self) -> None:
        self._in_line = False

    def start(self, words: Iterable[str]) -> None:
        """End the line of the text before, and begin with the words of a prefix."""
        self.end()
        for each in words:
            self.add(each)

    def add(self, text: str) -> None:
        """Print the next word."""
        # Flushed, because a terminal shows a line when it is complete, and here each word is to be seen as it comes.
        print(f" {text}" if self._in_line else text, end="", flush=True)
        self._in_line = True

    def end(self) -> None:
        """End the line, if one was begun."""
        if self._in_line:
            print(flush=True)
        self._in_line = False
