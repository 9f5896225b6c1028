"""Where text comes from, and how it is laid out in rows.

A data set is a function `(CorpusSettings) -> rlgan.text.corpus.Corpus`; it raises `rlgan.errors.DataError` where the
data can't be had or does not fit the settings. `DATASETS` has those that are built in; whatever else `--data` names is
a directory or a file of text (`files`).

A layout is a `rlgan.text.corpora.layouts.Layout`: how a stream of tokens becomes rows of T, and whether a row ends with
`<eos>`. A kind of tokens is a `rlgan.text.corpora.token_kinds.TokenKind`: how text is cut into tokens, and put together
again.

One of your own is named from outside, `--data package.module:function` or `--layout package.module:LAYOUT`:

    def haiku(settings: CorpusSettings) -> Corpus:
        lines = [line.split() + ["<eos>"] for line in open("haiku.txt")]
        return build_corpus("haiku", [lines[100:], lines[50:100], lines[:50]], settings)

The tables name objects as strings: reading them imports nothing.
"""

DATASETS = {"stories": "rlgan.text.corpora.stories:from_settings", "oracle": "rlgan.text.corpora.oracle:from_settings"}
LAYOUTS = {"windows": "rlgan.text.corpora.layouts:WINDOWS", "sentences": "rlgan.text.corpora.layouts:SENTENCES"}
TOKEN_KINDS = {
    "words": "rlgan.text.corpora.token_kinds:WORDS",
    "characters": "rlgan.text.corpora.token_kinds:CHARACTERS",
}
# How a file is cut into what is trained on, what validates and what tests: see `rlgan.text.corpora.splits`.
SPLITS = {
    "tail": "rlgan.text.corpora.splits:last_lines",
    "shuffle": "rlgan.text.corpora.splits:drawn_lines",
    "words": "rlgan.text.corpora.splits:last_words",
}
