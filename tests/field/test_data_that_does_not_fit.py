"""Data that does not fit the settings: what is said of it before it is trained on, and whether the advice works."""

import gzip
import json
import re
import resource
import subprocess
import sys

import numpy as np
import pytest

from rlgan.cli import main
from rlgan.device import naming_what_is_too_large
from rlgan.errors import DataError, RunError
from rlgan.text.corpora.load import load_corpus
from rlgan.text.corpus import Corpus
from rlgan.text.settings import CorpusSettings
from rlgan.text.vocabulary import to_text

TRAIN = ["train", "--method", "mle", "--workers", "0", "--steps", "1", "--batch-size", "2", "--hidden-size", "4"]
TRAIN += ["--embedding-size", "4"]
# Words by frequency like those of a text: the vocabulary of the training part knows nearly all of the rest.
COMMON = ["the", "cat", "dog", "owl", "sees", "likes", "a", "fox", "hen", "that", "this", "small", "big", "red", "blue"]


def prose(lines, words, seed=0):
    """Lines of so many words of `COMMON`."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(COMMON, words)) for _ in range(lines)]


def load(path, **settings) -> Corpus:
    return load_corpus(CorpusSettings(data=str(path), **settings))[1]


def warnings(corpus):
    return [note for note in corpus.notes if note.startswith("warning: ")]


@pytest.fixture
def text(tmp_path):
    """Write a text of lines."""

    def write(lines, name="text.txt", end="\n", encoding="utf-8"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((end.join(lines) + end).encode(encoding))
        return file

    return write


def test_a_text_that_fits_is_told_in_a_line_in_config_and_in_tensorboard_and_warned_of_nothing(typed, text, tmp_path):
    run = tmp_path / "run"
    done = typed(*TRAIN, "--data", text(prose(200, 6)), "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert "17 words; 180 / 10 / 10 sentences of 20 tokens" in done.stdout
    assert "a line has 7 tokens in the median" in done.stdout
    assert "unknown words: 0.0% of validation, 0.0% of test; 0% of the sentences are cut" in done.stdout
    assert "warning" not in done.stdout
    config = json.loads((run / "config.json").read_text())
    assert config["data"] == {
        "rows": {"train": 180, "validation": 10, "test": 10},
        "vocabulary": 17,
        "lines": [180, 10, 10],
        "tokens_per_line": {"median": 7.0, "most": 7},
        "unknown_words": {"train": 0.0, "validation": 0.0, "test": 0.0},
        "cut_sentences": 0.0,
    }
    (events,) = (run / "events").iterdir()
    assert b"tokens_per_line" in events.read_bytes()


CHINESE = ["床前明月光疑是地上霜" + chr(0x4E00 + number) for number in range(100)]


@pytest.mark.parametrize("lines", [CHINESE, ["\u200b".join(line.split()) for line in prose(100, 6)]])
def test_text_without_blanks_is_said_and_read_by_characters_as_advised(text, lines):
    file = text(lines)
    (said,) = warnings(load(file))
    assert "--tokens characters" in said
    assert "100% of the words in the test are unknown" in said
    corpus = load(file, tokens="characters", length=40)
    assert warnings(corpus) == []
    assert max(map(len, corpus.words)) == len("<unk>")
    # What is read is written again as it stood there, but for characters that nobody sees.
    due = lines[0].replace("\u200b", "")[:40]
    assert to_text(corpus.words, corpus.train.tokens[:1], join="")[0].startswith(due[:10])


def test_characters_keep_the_blanks_of_a_line_as_one(text):
    corpus = load(text(["a  b ", " c\t d", "e f"]), tokens="characters", length=6, layout="sentences")
    assert to_text(corpus.words, corpus.train.tokens, join="") == ["a b"]


def test_poems_with_blanks_between_characters_are_left_alone(text):
    assert warnings(load(text([" ".join(line) for line in CHINESE[:40] * 5]))) == []


def test_samples_of_characters_are_written_without_blanks(typed, text, tmp_path):
    run = tmp_path / "run"
    assert typed(*TRAIN, "--data", text(CHINESE), "--tokens", "characters", "--run-dir", run).returncode == 0
    (line,) = typed("sample", run, "--count", 1).stdout.splitlines()
    assert " " not in line
    assert len(line) > 3


def test_a_sorted_file_is_said_and_split_as_advised(text):
    lines = [f"w{number // 4} x" for number in range(400)]
    (said,) = warnings(load(text(lines)))
    assert "50% in the test are unknown, 0% in training" in said
    assert "--split shuffle" in said
    corpus = load(text(lines), split="shuffle")
    assert warnings(corpus) == []
    assert corpus.account.unknown[2] < 0.1
    assert corpus.fingerprint == load(text(lines), split="shuffle").fingerprint
    parts = [corpus.train, corpus.validation, corpus.test]
    assert [len(rows.tokens) for rows in parts] == [360, 20, 20]
    # Nothing is lost, and nothing is on two sides: each word was there four times.
    found = [word for rows in parts for word in to_text(corpus.words, rows.tokens) if word != "<unk> x"]
    assert max(map(found.count, found)) == 4


def test_sentences_that_are_all_longer_than_a_row_are_said_and_fit_as_advised(text):
    file = text([*prose(95, 60), *prose(5, 70)])
    (said,) = warnings(load(file, layout="sentences"))
    assert (
        said == ("warning: 100% of the sentences are cut at 20 tokens and have no end: --length 61 would hold 95 %")
        or "--length 71" in said
    )
    length = int(re.search(r"--length (\d+)", said)[1])
    assert warnings(load(file, layout="sentences", length=length)) == []


def test_lines_longer_than_a_row_are_windows_unless_asked_and_the_reason_is_said(text):
    corpus = load(text(prose(100, 60)))
    assert corpus.layout == "windows"
    assert corpus.notes == (
        "--layout windows, since 100% of the lines have more than 20 tokens; --layout sentences --length 61 would hold "
        "95 % of them whole",
    )


def test_a_file_with_a_sentence_per_line_is_sentences_and_the_treebanks_names_are_windows(text, tmp_path):
    assert load(text(prose(100, 6))).notes == ("--layout sentences, since 100% of the lines fit into 20 tokens",)
    for split in ("train", "valid", "test"):
        text(prose(100, 6), f"ptb/ptb.{split}.txt")
        text(prose(100, 6), f"other/{split}.txt")
    assert load(tmp_path / "ptb").layout == "windows"
    assert load(tmp_path / "other").layout == "sentences"


@pytest.mark.parametrize("name", ["text.txt", "folder/ptb.train.txt"])
def test_carriage_returns_alone_end_lines_too(text, name):
    for each in ("ptb.valid.txt", "ptb.test.txt"):
        text(prose(50, 5), f"folder/{each}")
    lines = prose(100, 5)
    corpora = []
    for end in ("\n", "\r", "\r\n"):
        file = text(lines, name, end=end)
        corpora.append(load(file if name == "text.txt" else file.parent))
    assert len({corpus.fingerprint for corpus in corpora}) == 1
    assert corpora[0].account.lines[0] == 90 if name == "text.txt" else 100


@pytest.mark.parametrize(
    ("content", "said"),
    [
        # Without the time, which would give the test another name in each of the processes that run the tests.
        (gzip.compress(b"a b c\n" * 50, mtime=0), "is a gzip archive, not plain text: unpack it with gunzip"),
        (b"PK\x03\x04 and more", "is a zip archive"),
        (("a b c\n" * 50).encode("utf-16"), "is UTF-16, not plain text: convert it: iconv -f UTF-16 -t UTF-8"),
        (("a b c\n" * 50).encode("utf-16-le"), "is UTF-16 without a byte order mark: convert it: iconv -f UTF-16LE"),
        (("a b c\n" * 50).encode("utf-16-be"), "is UTF-16 without a byte order mark: convert it: iconv -f UTF-16BE"),
        (b"a b c\n" * 50 + b"\0" + b"a b c\n" * 50, "has NUL bytes, which no text has"),
        (b"%PDF-1.4 ...", "is a PDF"),
    ],
)
def test_archives_utf_16_and_nuls_are_refused(capsys, tmp_path, content, said):
    file = tmp_path / "text.txt"
    file.write_bytes(content)
    assert main([*TRAIN, "--data", str(file), "--run-dir", str(tmp_path / "run")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "run").exists()


def test_nuls_far_inside_a_text_are_refused_too(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(b"a b c\n" * 50_000 + b"a \0 c\n")
    with pytest.raises(DataError, match="has NUL bytes"):
        load(file)


@pytest.mark.parametrize(
    ("format_", "row"),
    [
        ("CSV", lambda line: f'{len(line)},"{line}, or not"'),
        ("TSV", lambda line: f"{len(line)}\t{line}"),
        ("JSON lines", lambda line: json.dumps({"text": line})),
    ],
)
def test_tables_are_trained_on_with_a_hint_that_names_the_format(text, format_, row):
    (said, *_) = warnings(load(text([row(line) for line in prose(60, 5)])))
    assert f"text.txt looks like {format_}" in said
    assert "give a file with the text alone" in said


def test_sentences_with_commas_are_no_table(text):
    assert warnings(load(text([f"well, {line}" for line in prose(60, 5)]))) == []


def test_a_book_on_one_line_and_three_long_lines_are_windows_and_that_is_said(text):
    for lines in (prose(1, 2000), prose(3, 700)):
        corpus = load(text(lines))
        assert corpus.layout == "windows"
        assert corpus.split == "words"
        assert f"--layout windows, since there are {len(lines)} lines" in corpus.notes
        rows = [len(rows.tokens) for rows in (corpus.train, corpus.validation, corpus.test)]
        assert rows[0] > 80
        assert rows[1:] == [5, 5]


def test_two_short_lines_are_refused_with_what_is_due(text):
    with pytest.raises(DataError, match="has 2 lines of text: give 3 or more"):
        load(text(["a b", "c d"]))


@pytest.mark.parametrize(
    "names",
    [
        ("train.txt", "valid.txt", "test.txt"),
        ("train.txt", "dev.txt", "test.txt"),
        ("Train.txt", "val.txt", "test.txt"),
        ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
        ("ptb.train.txt", "ptb.validation.txt", "ptb.test.txt"),
        ("training", "validation", "testing"),
    ],
)
def test_a_directory_has_its_files_by_any_of_the_usual_names(text, tmp_path, names):
    for number, name in enumerate(names):
        text([*prose(40, 6, seed=number)], f"folder/{name}")
    text(["not", "a", "split"], "folder/README.txt")
    corpus = load(tmp_path / "folder")
    assert corpus.account.lines == (40, 40, 40)
    assert warnings(corpus) == []


def test_a_directory_without_validation_holds_out_the_last_tenth_of_train_and_says_so(text, tmp_path):
    text([f"{line} {number}" for number, line in enumerate(prose(100, 6))], "folder/train.txt")
    text(prose(20, 6), "folder/test.txt")
    corpus = load(tmp_path / "folder")
    assert corpus.account.lines == (90, 10, 20)
    assert any("no file for validation: a tenth of train.txt is held out" in note for note in corpus.notes)
    assert corpus.words[-1] == "9"  # the tenth that is held out has the largest numbers


def test_a_directory_without_a_test_is_refused_with_what_is_there(text, tmp_path):
    text(prose(20, 6), "folder/train.txt")
    with pytest.raises(DataError, match=r"has train\.txt and no test\.txt: name a directory with train\.txt"):
        load(tmp_path / "folder")


def test_the_splits_of_a_directory_are_not_split_again(text, tmp_path):
    for split in ("train", "valid", "test"):
        text(prose(20, 6), f"folder/{split}.txt")
    with pytest.raises(DataError, match=r"--split shuffle: .* has a file for each split: leave it out"):
        load(tmp_path / "folder", split="shuffle")


def test_a_line_of_a_directory_that_is_cut_where_rows_are_whole_ones_is_a_warning(text, tmp_path):
    for split in ("train", "test"):
        text(prose(40, 6), f"folder/{split}.txt")
    (warning,) = warnings(load(tmp_path / "folder", split="words"))
    assert "--split words cuts a line of train.txt in two, and --layout sentences has whole ones" in warning
    assert warnings(load(tmp_path / "folder", split="words", layout="windows")) == []


@pytest.mark.parametrize("data", ["stories", "oracle"])
def test_who_asks_for_characters_of_what_is_made_of_words_is_warned(data):
    assert warnings(load(data)) == []
    (warning,) = warnings(load(data, tokens="characters"))
    assert f"{data} is made of words, and --tokens characters" in warning


def test_a_file_that_is_called_as_a_built_in_is_said(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("stories").notes == ()
    text(prose(20, 6), "stories")
    (said,) = load("stories").notes
    assert said == "stories is the built-in data set; what lies here by that name is ./stories"
    assert load("./stories").name == "stories"
    assert load("./stories").account is not None


LARGE = """
import resource, sys
from rlgan.text.corpora.load import load_corpus
from rlgan.text.settings import CorpusSettings
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
_, corpus = load_corpus(CorpusSettings(data=sys.argv[1], layout=sys.argv[2], length=60))
corpus.fingerprint
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024)
"""


# Filled up to 60 tokens, all rows of sentences at once would take three times as much as the text.
@pytest.mark.parametrize("layout", ["windows", "sentences"])
def test_a_large_text_takes_eight_bytes_a_word(tmp_path, layout):
    file = tmp_path / "large.txt"
    lines = "".join(line + "\n" for line in prose(10_000, 20))
    file.write_text(lines * 15)
    done = subprocess.run([sys.executable, "-c", LARGE, file, layout], capture_output=True, text=True, check=True)
    words = 15 * 10_000 * 21
    # Four of the numbers themselves; the blocks that are read and looked at take some MB of any text.
    assert int(done.stdout) < 8 * words + 16e6


def test_too_little_memory_is_told_with_the_file_its_size_and_a_remedy(text, monkeypatch):
    from rlgan.text.corpora import load as loading

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(loading, "load_text", full)
    file = text(["x" * 99] * 30_000)
    with pytest.raises(DataError, match=r"not enough memory for .*text\.txt of 3 MB: give a part of it"):
        load(file)


def test_too_little_memory_for_networks_is_told_with_the_size_and_a_remedy(tmp_path):
    words = [*TRAIN[:-4], "--hidden-size", "30000", "--embedding-size", "4", "--run-dir", str(tmp_path / "run")]
    limit = 2**32
    done = subprocess.run(
        [sys.executable, "-m", "rlgan", *words], capture_output=True, text=True, timeout=300, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    # Three gates of 30,000 x 30,000 numbers of 4 bytes.
    assert f"not enough memory: {3 * 30_000**2 * 4 / 2**30:.2f} GiB were asked for, " in line
    assert "give a smaller --batch-size, smaller networks or less data" in line


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_for_a_step_names_the_step(error):
    due = r"not enough memory for an update on 8 sequences: [\d.]+ GiB were in use at most; give a smaller --batch-size"
    with pytest.raises(RunError, match=due), naming_what_is_too_large("an update on 8 sequences"):
        raise error


def test_reinforce_with_one_sequence_and_nothing_to_compare_it_with_is_refused_and_learns_as_advised(capsys, tmp_path):
    words = ["train", "--batch", "1", "--shards", "1", "--estimator", "reinforce", "--workers", "0", "--steps", "2"]
    words += ["--hidden-size", "4", "--embedding-size", "4", "--run-dir", str(tmp_path / "run")]
    words += ["--baseline", "leave_one_out"]
    assert main(words) == 2
    assert "a sequence has no others to be compared with" in capsys.readouterr().err
    assert main([*words[:-1], "moving_average"]) == 0
    losses = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1]["gradient_norm_generator"] > 0


def test_a_gradient_of_exactly_0_is_said_once_in_any_recipe(capsys, tmp_path, monkeypatch):
    (tmp_path / "still.py").write_text("def still(log_odds, log_odds_before):\n    return log_odds * 0\n")
    monkeypatch.chdir(tmp_path)
    words = ["train", "--reward", "still:still", "--estimator", "reinforce", "--baseline", "none", "--workers", "0"]
    words += ["--entropy-bonus", "0"]
    words += ["--steps", "25", "--batch", "2", "--hidden-size", "4", "--embedding-size", "4", "--run-dir", "run"]
    assert main(words) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "exactly 0" in line]
    assert said == [
        "WARNING: the gradient of the generator was exactly 0 in each of the 20 steps up to 20: it learns nothing"
    ]
