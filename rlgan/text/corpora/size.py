"""How many words a text has, before it is read as a corpus: a preset depends on it. Imports no numpy for --help."""

from pathlib import Path

from rlgan.errors import DataError
from rlgan.settings import absolute, is_import_here
from rlgan.text.corpora import DATASETS
from rlgan.text.settings import CorpusSettings

# Words in the vocabulary from which on it counts as large.
LARGE = 5_000
# Of the data sets that are built in, of which only these are small.
SMALL_DATASETS = ("stories",)


def is_large(settings: CorpusSettings) -> bool:
    """Whether the vocabulary has 5,000 words or more; true where that can't be known, as of data from outside.

    Example:
        >>> is_large(CorpusSettings(vocab_size=4_999)), is_large(CorpusSettings(vocab_size=5_000))
        (False, True)
        >>> is_large(CorpusSettings(data="my_module:my_corpus"))
        True
    """
    if settings.vocab_size is not None:
        return settings.vocab_size >= LARGE
    if settings.data in DATASETS:
        return settings.data not in SMALL_DATASETS
    if is_import_here(settings.data):
        return True
    return _has_words(absolute("--data", settings.data), LARGE, settings.tokens)


def _has_words(path: Path, count: int, tokens: str) -> bool:
    """Whether the training text at a path has so many different words; what can't be read is said when it is loaded."""
    from rlgan.text.corpora.reading import BLOCK
    from rlgan.text.corpora.splits import split_files
    from rlgan.text.corpora.token_kinds import MARK, find_token_kind

    kind, words = find_token_kind(tokens), set[str]()
    try:
        with (split_files(path).train if path.is_dir() else path).open("rb") as opened:
            # In blocks, which end the reading as soon as it is known: most texts have so many in their beginning. A
            # word that two blocks share counts as two, which here makes no difference.
            while block := opened.read(BLOCK):
                words.update(kind.split(block.decode(errors="ignore")))
                words.discard(MARK)
                if len(words) >= count:
                    return True
    except (OSError, DataError):
        return True
    return False
