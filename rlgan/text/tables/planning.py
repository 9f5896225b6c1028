"""What the tables of text share: a corpus that is read once, and the words for how a run is kept and measured."""

import math
from collections.abc import Sequence

from rlgan.settings import updated
from rlgan.table import RecipeOf
from rlgan.text.corpora.load import load_corpus
from rlgan.text.corpus import Corpus, chunks
from rlgan.text.schedule import TextSchedule
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask


class Planning:
    """Reads the corpus of a table's recipes, and counts their steps.

    Args:
        recipe_of: the recipe of `rlgan train` with some words.
        words: that name the data; all recipes of the table have the same.

    Raises:
        UsageError: the words make no sense.
        DataError: the data can't be read.
    """

    def __init__(self, recipe_of: RecipeOf, words: Sequence[str]) -> None:
        self._recipe_of = recipe_of
        recipe: TextSettings = recipe_of(words)
        self.data, self.corpus = load_corpus(recipe.corpus)

    def schedule(self, words: Sequence[str]) -> TextSchedule:
        """Which step of a recipe is where in the text."""
        found = {"data": self.data, "layout": self.corpus.layout, "vocab_size": len(self.corpus.words)}
        return TextTask(updated(self._recipe_of(words), found), self.corpus).schedule

    def run_words(self, words: Sequence[str], evaluations_per_epoch: int) -> tuple[str, ...]:
        """How a run of a recipe is computed, measured and kept: in one process, and a checkpoint with each measure."""
        every = str(math.ceil(self.schedule(words).steps(1.0) / evaluations_per_epoch))
        return ("--workers", "0", "--evaluate-every", every, "--checkpoint-every", every, "--keep-checkpoints", "1")

    @property
    def facts(self) -> dict[str, object]:
        """What there is to say of the data."""
        corpus: Corpus = self.corpus
        return {
            "data": corpus.name,
            "fingerprint": corpus.fingerprint,
            "words": len(corpus.words),
            "layout": corpus.layout,
            "length": corpus.train.shape[1],
            "train_tokens": sum(int(rows.mask.sum()) for rows in chunks(corpus.train)),
        }
