"""What suits a text, and what is off with it: chosen, said, and always with a remedy that can be typed."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlgan.text.corpora.account import Account
from rlgan.text.corpora.formats import HEAD, table_format
from rlgan.text.corpora.splits import split_files
from rlgan.text.corpus import Corpus
from rlgan.text.settings import CorpusSettings

# Scripts whose words do not stand between blanks: kana and Chinese characters, Thai and Lao, Burmese, Khmer.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_ZERO_WIDTH = re.compile("\\S\u200b\\S")
LONG = 3  # characters of such a script in a word, on average: more are no word


def chosen_layout(
    lengths: NDArray[np.int64], settings: CorpusSettings, *, treebank: bool = False, few: bool = False
) -> tuple[str, list[str]]:
    """The layout, and a line that says why where it was not typed.

    Args:
        lengths: tokens of each line of the training text, with its end.
        settings: the layout, or None, and T.
        treebank: whether the text is laid out as the Penn Treebank is, whose protocol has windows.
        few: whether the lines are too few to be sequences.
    """
    if settings.layout is not None:
        return settings.layout, []
    longer = float((lengths > settings.length).mean()) if len(lengths) else 1.0
    if treebank:
        layout, reason = "windows", "these are the Penn Treebank's names of files"
    elif few or not len(lengths):
        layout, reason = "windows", f"there are {len(lengths)} lines"
    elif longer > 0.5:
        hold = int(np.quantile(lengths, 0.95, method="higher"))
        layout = "windows"
        reason = (
            f"{longer:.0%} of the lines have more than {settings.length} tokens; --layout sentences --length {hold} "
            "would hold 95 % of them whole"
        )
    else:
        layout, reason = "sentences", f"{1 - longer:.0%} of the lines fit into {settings.length} tokens"
    return layout, [f"--layout {layout}, since {reason}"]


def advice(path: Path, corpus: Corpus, settings: CorpusSettings, split: str) -> list[str]:
    """Lines on what is off with a text of people."""
    account = corpus.account
    assert account is not None, "a text of people has an account"
    file = split_files(path).train if path.is_dir() else path
    said = []
    if table := table_format(file):
        said.append(
            f"{file.name} looks like {table}, and all of it is trained on as text: give a file with the text alone, a "
            "sentence on each line"
        )
    unspaced = settings.tokens == "words" and (
        _is_unspaced(_head(file)) or (account.median == 2 and account.unknown[2] > 0.5)
    )
    if unspaced:
        said.append(
            f"words are what stands between blanks, and this text has hardly any: {account.unknown[2]:.0%} of the "
            "words in the test are unknown; give --tokens characters"
        )
    elif account.parts_differ:
        said.append(_parts_differ(path, account, split))
    said += [] if unspaced else account.warnings(settings.length, sentences=corpus.stop_token is not None)
    return [f"warning: {line}" for line in said]


def _parts_differ(path: Path, account: Account, split: str) -> str:
    shares = (
        f"{account.unknown[1]:.0%} of the words in validation and {account.unknown[2]:.0%} in the test are unknown, "
        f"{account.unknown[0]:.0%} in training"
    )
    if path.is_dir() or split == "shuffle":
        return f"{shares}: the vocabulary is that of the training text, so give more of it, or parts of one kind"
    return f"{shares}: where the lines are sorted, --split shuffle draws the held-out lines from all over the text"


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(HEAD).decode(errors="ignore")


def _is_unspaced(text: str) -> bool:
    if _ZERO_WIDTH.search(text):
        return True
    words = [word for word in text.split() if _UNSPACED.search(word)]
    if len(words) < len(text.split()) / 2 or not words:
        return False
    return sum(len(_UNSPACED.findall(word)) for word in words) > LONG * len(words)
