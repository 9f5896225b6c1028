"""A short account of a text: what a person has to know of it before its numbers mean anything."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KNOWN = 0.95  # share of words that a larger vocabulary, and of lines that a larger T, is recommended for
MANY_UNKNOWN = 0.15  # share of unknown words that is warned of
MANY_CUT = 0.05  # share of cut sentences that is warned of
# So much more of the held-out words than of the training's is unknown where the parts of a text differ in kind.
DIFFERENT = 0.1


@dataclass(frozen=True)
class Account:
    """What there is in a text; a line's tokens are counted with its `<eos>`, shares are in [0, 1]."""

    lines: tuple[int, ...]  # with words, to train, to validate and to test
    median: float  # tokens of the training lines
    longest: int
    nearly_all: int  # tokens that hold 95 % of the training lines
    longer: float  # share of the training lines that are longer than T
    unknown: tuple[float, ...]  # share of the words that are unknown, to train, to validate and to test
    vocabulary_due: int  # words that would know 95 % of those of the training text

    def as_json(self, *, sentences: bool) -> dict[str, object]:
        """The account for config.json."""
        return {
            "lines": list(self.lines),
            "tokens_per_line": {"median": self.median, "most": self.longest},
            "unknown_words": dict(zip(("train", "validation", "test"), self.unknown, strict=True)),
            "cut_sentences": self.longer if sentences else 0.0,
        }

    def line(self, *, sentences: bool) -> str:
        """The account for people."""
        cut = f"; {self.longer:.0%} of the sentences are cut" if sentences else ""
        return (
            f"a line has {self.median:g} tokens in the median, with its end, and {self.longest:,} at most; unknown "
            f"words: {self.unknown[1]:.1%} of validation, {self.unknown[2]:.1%} of test{cut}"
        )

    def warnings(self, length: int, *, sentences: bool) -> list[str]:
        """What is off, with a remedy."""
        said = []
        if sentences and self.longer > MANY_CUT:
            said.append(
                f"{self.longer:.0%} of the sentences are cut at {length} tokens and have no end: --length "
                f"{self.nearly_all} would hold 95 %"
            )
        if self.unknown[0] > MANY_UNKNOWN:
            said.append(
                f"{self.unknown[0]:.0%} of the training words are unknown: --vocab-size {self.vocabulary_due} would "
                "know 95 %"
            )
        return said

    @property
    def parts_differ(self) -> bool:
        """Whether the held-out parts are of another kind than the training part."""
        held_out = max(self.unknown[1:])
        return held_out > MANY_UNKNOWN and held_out > self.unknown[0] + DIFFERENT


def account_of(
    lengths: Sequence[NDArray[np.int64]],
    counts: Sequence[NDArray[np.int64]],
    is_unknown: NDArray[np.bool_],
    length: int,
) -> Account:
    """Count what there is.

    Args:
        lengths: of each split, the tokens of each line, int64 [lines].
        counts: of each split, how often each word is there, int64 [words]; of `<unk>` and `<eos>` 0.
        is_unknown: which words are not in the vocabulary, bool [words].
        length: T.

    Example:
        >>> lengths, counts = [np.array([2, 2, 8])] * 3, [np.array([6, 3, 1])] * 3
        >>> account = account_of(lengths, counts, is_unknown=np.array([False, False, True]), length=4)
        >>> account.median, account.longest, round(account.longer, 2), account.unknown[0]
        (2.0, 8, 0.33, 0.1)
        >>> account.vocabulary_due  # two words are 90 %, so all three, and <unk> and <eos>
        5
    """
    train = lengths[0] if len(lengths[0]) else np.array([counts[0].sum()])  # a text without ends of lines
    due = np.cumsum(np.sort(counts[0])[::-1]) < KNOWN * counts[0].sum()
    return Account(
        lines=tuple(len(lines) for lines in lengths),
        median=float(np.median(train)),
        longest=int(train.max()),
        nearly_all=int(np.quantile(train, KNOWN, method="higher")),
        longer=float((train > length).mean()),
        unknown=tuple(float(count[is_unknown].sum() / max(count.sum(), 1)) for count in counts),
        vocabulary_due=int(due.sum()) + 3,  # with the word that reaches it, <unk> and <eos>
    )
