"""What a token of a text stands for: a word, or a character."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlgan.settings import resolve
from rlgan.text.corpora import TOKEN_KINDS

# Stands for the end of a line among the tokens of several. No text has it: one with a NUL in it is refused.
MARK = "\0"

# Characters without a width, which some texts have between words or at their beginning: nobody sees them.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))


@dataclass(frozen=True)
class TokenKind:
    r"""A way to cut text into tokens.

    Args:
        split: some lines of a text, `\n` between them -> their tokens, `MARK` for each `\n`.
        join: what stands between two tokens where they are written as text.
        plural: what tokens are called.

    Example:
        >>> pairs = TokenKind(lambda text: [text[i : i + 2] for i in range(0, len(text), 2)], join="")  # of one line
        >>> pairs.split("sleep"), pairs.join.join(pairs.split("sleep"))
        (['sl', 'ee', 'p'], 'sleep')
    """

    split: Callable[[str], Sequence[str]]
    join: str
    plural: str = "tokens"


def split_words(text: str) -> list[str]:
    r"""What stands between white space.

    Example:
        >>> split_words("a cat\nsleeps")
        ['a', 'cat', '\x00', 'sleeps']
    """
    return text.replace("\n", f" {MARK} ").split()


def split_characters(text: str) -> str:
    r"""Every character (Unicode code point), white space within a line as one space.

    Example:
        >>> split_characters("a \t cat \n b")
        'a cat\x00b'
    """
    spaced = re.sub(r"[^\S\n]+", " ", text.translate(_INVISIBLE))
    return re.sub(r" ?\n ?", MARK, spaced)


WORDS = TokenKind(split_words, join=" ", plural="words")
CHARACTERS = TokenKind(split_characters, join="", plural="characters")


def find_token_kind(name: str) -> TokenKind:
    """The kind of a name in `TOKEN_KINDS`, or `module:object`.

    Example:
        >>> len(find_token_kind("words").split("a cat")), len(find_token_kind("characters").split("a cat"))
        (2, 5)
    """
    kind: TokenKind = resolve(name, TOKEN_KINDS)
    return kind
