"""The numbers that a person reads first, as lines: what is better, and what to compare with, beside each."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence

from rlgan.task import Headline, Say

ARROWS = {"lower": "↓", "higher": "↑", "nearer": "≈"}
PLAIN_ARROWS = {"lower": "v", "higher": "^", "nearer": "~"}  # where the output is not UTF-8

NARROWEST = 20  # characters of what stands beside a number
DEEPER = "      "


def arrows() -> Mapping[str, str]:
    """Signs for what is better, as the output can show them.

    Example:
        >>> import contextlib
        >>> import io
        >>> with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "ascii")):
        ...     shown = arrows()
        >>> shown["lower"], shown["higher"]
        ('v', '^')
    """
    return ARROWS if (sys.stdout.encoding or "").lower().startswith("utf") else PLAIN_ARROWS


def say_headlines(lines: Sequence[Headline], say: Say, ranges: Mapping[str, str] | None = None) -> None:
    """Tell a person some numbers, a line for each.

    Args:
        lines: the numbers.
        say: is told each line.
        ranges: where the numbers are medians of several seeds, from where to where these lie, by label.
    """
    better, above = arrows(), max((len(line.label) for line in lines), default=0)
    spread = max((len(each) for each in (ranges or {}).values()), default=0)
    if ranges:
        say(f"  {'':{above}}  {'median':>9}    least to greatest")
    for line in lines:
        beside = ", ".join(f"{what} {brief(value)}" for what, value in line.beside.items())
        between = f"{ranges[line.label]:{spread}}  " if ranges else ""
        for row in _rows(f"  {line.label:{above}}  {brief(line.value):>9} {better[line.better]}  {between}", beside):
            say(row.rstrip())


def _rows(head: str, beside: str) -> list[str]:
    """A number with what stands beside it, in more than one line where the terminal is too narrow."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    room = width - len(head)
    if room >= min(NARROWEST, len(beside)):
        first, *others = textwrap.wrap(beside, room) or [""]
        return [f"{head}{first}", *(f"{'':{len(head)}}{other}" for other in others)]
    return [head, *textwrap.wrap(beside, width, initial_indent=DEEPER, subsequent_indent=DEEPER)]


def say_what_arrows_mean(say: Say) -> None:
    """Tell what the signs beside the numbers mean."""
    better = arrows()
    say(
        f"{better['lower']} lower is better, {better['higher']} higher, {better['nearer']} nearer to what stands beside"
    )


def brief(value: object) -> str:
    """A number in four digits.

    Example:
        >>> brief(3.14159), brief(7)
        ('3.142', '7')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
