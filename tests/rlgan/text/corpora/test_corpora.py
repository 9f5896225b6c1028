import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlgan.errors import DataError
from rlgan.text.corpora.files import encode, load_text
from rlgan.text.corpora.stories import load_stories
from rlgan.text.corpus import Corpus, Rows, batch
from rlgan.text.perplexities import unigram_perplexity
from rlgan.text.settings import CorpusSettings
from rlgan.text.stories import stories
from rlgan.text.vocabulary import to_text

U, E = 0, 1  # <unk>, <eos>


def read(path, vocab_size, length, layout):
    return load_text(path, CorpusSettings(vocab_size=vocab_size, length=length, layout=layout))


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def treebank(folder, train, valid, test):
    for split, lines in (("train", train), ("valid", valid), ("test", test)):
        write(folder / f"ptb.{split}.txt", *lines)
    return folder


@pytest.fixture
def birds(tmp_path):
    # By count: a 3, sings 2, owl and bat 1.
    return treebank(
        tmp_path, ["a owl sings", "a bat", "", "a sings"], ["a bat sings"], ["the owl", "sings sings a owl"]
    )


@pytest.fixture(scope="module")
def tales():
    return load_stories(20, "sentences", train_count=2_000, held_out_count=500)


def test_words_are_ranked_by_frequency_in_training_and_equals_by_alphabet(birds):
    assert read(birds, None, 3, "windows").words == ("<unk>", "<eos>", "a", "sings", "bat", "owl")


def test_a_smaller_vocabulary_keeps_the_most_frequent_words_and_the_rest_is_unknown(birds):
    corpus = read(birds, 4, 3, "windows")
    assert corpus.words == ("<unk>", "<eos>", "a", "sings")
    np.testing.assert_array_equal(corpus.train.tokens, [[2, U, 3], [E, 2, U], [E, 2, 3]])


def test_windows_are_cut_from_the_stream_in_order_and_the_tail_is_dropped(birds):
    rows = read(birds, None, 4, "windows").train
    np.testing.assert_array_equal(rows.tokens, [[2, 5, 3, E], [2, 4, E, 2]])
    assert rows.mask.all()
    assert rows.tokens.dtype == np.int32


def test_a_row_of_sentences_is_one_filled_with_the_size_of_the_vocabulary(birds):
    rows = read(birds, None, 5, "sentences").train
    np.testing.assert_array_equal(rows.tokens, [[2, 5, 3, E, 6], [2, 4, E, 6, 6], [2, 3, E, 6, 6]])
    np.testing.assert_array_equal(rows.mask, rows.tokens != 6)


def test_a_sentence_longer_than_a_row_is_cut(birds):
    rows = read(birds, None, 3, "sentences").test
    np.testing.assert_array_equal(rows.tokens, [[U, 5, E], [3, 3, 2]])
    assert rows.mask.all()


def test_only_sentences_have_a_stop_token(birds):
    assert read(birds, None, 3, "sentences").stop_token == E
    assert read(birds, None, 3, "windows").stop_token is None


def test_marks_in_the_text_are_the_marks_of_the_vocabulary(tmp_path):
    train = ["a <unk> b <eos>", "b a"]
    corpus = read(treebank(tmp_path, train, ["a"], ["b"]), None, 4, "sentences")
    assert corpus.words == ("<unk>", "<eos>", "a", "b")
    np.testing.assert_array_equal(corpus.train.tokens, [[2, U, 3, E], [3, 2, E, 4]])


def test_line_ends_of_windows_and_a_byte_order_mark_are_no_words(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("\ufeffa b\r\n\r\na b\r\na b".encode())
    assert read(path, None, 3, "sentences").words == ("<unk>", "<eos>", "a", "b")


def test_a_file_gives_its_last_twentieth_to_the_test_and_the_one_before_to_validation(tmp_path):
    path = write(tmp_path / "text", *(f"w{line:02} x" for line in range(40)))
    corpus = read(path, None, 3, "sentences")
    assert [len(rows.tokens) for rows in (corpus.train, corpus.validation, corpus.test)] == [36, 2, 2]
    assert to_text(corpus.words, corpus.train.tokens)[-1] == "w35 x"
    assert to_text(corpus.words, corpus.test.tokens) == ["<unk> x", "<unk> x"]


def test_three_lines_are_enough(tmp_path):
    corpus = read(write(tmp_path / "text", "a b", "b", "a"), None, 3, "sentences")
    assert to_text(corpus.words, corpus.train.tokens) == ["a b"]
    assert to_text(corpus.words, corpus.validation.tokens) == ["b"]
    assert to_text(corpus.words, corpus.test.tokens) == ["a"]


def test_another_text_is_encoded_in_the_given_vocabulary_and_its_unknown_words_are_counted(tmp_path):
    words = ("<unk>", "<eos>", "a", "b")
    rows, unknown = encode(
        write(tmp_path / "text", "b c <unk>", "d a"), words, CorpusSettings(length=4, layout="sentences")
    )
    np.testing.assert_array_equal(rows.tokens, [[3, U, U, E], [U, 2, E, 4]])
    assert unknown == 2


def test_a_vocabulary_without_a_mark_for_the_unknown_takes_a_text_of_its_own_words_alone(tmp_path):
    words, settings = ("<eos>", "a", "b"), CorpusSettings(length=4, layout="windows")
    rows, unknown = encode(write(tmp_path / "text", "b a b"), words, settings)
    np.testing.assert_array_equal(rows.tokens, [[2, 1, 2, 0]])
    assert unknown == 0
    with pytest.raises(DataError, match="has the word 'yak', not in the run's vocabulary"):
        encode(write(tmp_path / "other", "b a yak"), words, settings)


def test_a_directory_is_encoded_as_its_test_split(birds):
    corpus = read(birds, None, 4, "sentences")
    rows, unknown = encode(birds, corpus.words, CorpusSettings(length=4, layout="sentences"))
    np.testing.assert_array_equal(rows.tokens, corpus.test.tokens)
    assert unknown == 1


def errors(tmp_path):
    text = write(tmp_path / "text", "a b c", "a b c", "a b c")
    empty = write(tmp_path / "empty", "", " ")
    short = write(tmp_path / "short", "a", "b")
    latin = tmp_path / "latin"
    latin.write_bytes(b"a b\nc \xe9 d\n")
    returns = tmp_path / "returns"  # whose lines end as on a Mac of before 2001
    returns.write_bytes(b"a b\ra b\rc \xe9 d\r")
    marks = write(tmp_path / "marks", *["<unk> <unk>"] * 20)
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "ptb.train.txt", "a")
    return {
        "missing": ((tmp_path / "missing", None, 3), "missing: No such file"),
        "empty": ((empty, None, 3), "empty has no words"),
        "short": ((short, None, 3), "2 lines of text: give 3 or more"),
        "latin": ((latin, None, 3), "latin is not UTF-8: invalid continuation byte at byte 6, on line 2"),
        "returns": ((returns, None, 3), "returns is not UTF-8: invalid continuation byte at byte 10, on line 3"),
        "marks": ((marks, None, 3), "marks, train has no words but <unk> and <eos>"),
        "folder": ((folder, None, 3), "has ptb.train.txt and no ptb.test.txt"),
        "window": ((text, None, 5), "text, train has 4 tokens, not one window of 5"),
        "too many words": ((text, 6, 3), "vocabulary of 6: .*text, train has 5 words"),
        "too few words": ((text, 2, 3), "ask for 3 to 5"),
    }


@pytest.mark.parametrize(
    "case",
    ["missing", "empty", "short", "latin", "returns", "marks", "folder", "window", "too many words", "too few words"],
)
def test_a_text_that_cannot_be_used_is_refused_in_one_clear_line(case, tmp_path):
    (path, vocab_size, length), message = errors(tmp_path)[case]
    with pytest.raises(DataError, match=message) as caught:
        read(path, vocab_size, length, "windows")
    assert "\n" not in str(caught.value)


def test_a_split_shorter_than_one_window_is_named(birds):
    with pytest.raises(DataError, match=r"ptb\.valid\.txt has 4 tokens"):
        read(birds, None, 5, "windows")


def test_the_unigram_perplexity_is_that_of_the_training_frequencies():
    train = Rows(np.array([[2, 2, 1], [3, 1, 4]]), np.array([[True, True, True], [True, True, False]]))
    test = Rows(np.array([[2, 0, 1, 4]]), np.array([[True, True, True, False]]))
    corpus = Corpus("pen and paper", ("<unk>", "<eos>", "a", "b"), train, train, test, 1)
    # Counts: <unk> 0 taken as 1, <eos> 2, a 2, b 1: the test has 2/6, 1/6, 2/6.
    assert unigram_perplexity(corpus, test) == pytest.approx((3 * 6 * 3) ** (1 / 3))


def numbered(count):
    return Rows(np.arange(count)[:, None] * np.ones((1, 3), dtype=np.int64), np.arange(count)[:, None] % [2, 3, 4] == 0)


def drawn(rows, size, indices, seed=0):
    return np.concatenate([batch(rows, size, index, seed).tokens[:, 0] for index in indices])


def test_a_pass_reads_every_row_once_and_each_pass_in_another_order():
    read = drawn(numbered(12), 4, range(6))
    np.testing.assert_array_equal(np.sort(read[:12]), np.arange(12))
    np.testing.assert_array_equal(np.sort(read[12:]), np.arange(12))
    assert not np.array_equal(read[:12], read[12:])
    assert not np.array_equal(read[:12], np.arange(12))


def test_batches_of_any_size_read_the_same_sequence_also_across_passes():
    rows = numbered(7)
    np.testing.assert_array_equal(drawn(rows, 5, range(6)), drawn(rows, 15, range(2)))


def test_a_batch_depends_on_its_index_and_the_seed_alone():
    rows = numbered(50)
    later_first = [drawn(rows, 8, [index]) for index in (90, 3)]
    np.testing.assert_array_equal(drawn(rows, 8, [3]), later_first[1])
    np.testing.assert_array_equal(drawn(rows, 8, [90]), later_first[0])
    assert not np.array_equal(drawn(rows, 50, [0], seed=0), drawn(rows, 50, [0], seed=1))


def test_a_batch_keeps_the_mask_beside_its_row():
    rows = batch(numbered(10), 10, 0, seed=3)
    np.testing.assert_array_equal(rows.mask, rows.tokens % [2, 3, 4] == 0)


def test_the_fingerprint_changes_with_a_word_a_token_or_a_mask_and_with_nothing_else(birds):
    corpus = read(birds, None, 5, "sentences")
    assert read(birds, None, 5, "sentences").fingerprint == corpus.fingerprint
    assert replace(corpus, name="other").fingerprint == corpus.fingerprint
    tokens, mask = corpus.test.tokens.copy(), corpus.test.mask.copy()
    tokens[0, 0], mask[0, 0] = 3, False
    for other in (
        replace(corpus, words=(*corpus.words[:-1], "crow")),
        replace(corpus, test=replace(corpus.test, tokens=tokens)),
        replace(corpus, test=replace(corpus.test, mask=mask)),
        replace(corpus, validation=corpus.test, test=corpus.validation),
    ):
        assert other.fingerprint != corpus.fingerprint


def test_stories_are_the_same_for_the_same_seed_and_the_splits_differ(tales):
    again = load_stories(20, "sentences", train_count=2_000, held_out_count=500)
    other = load_stories(20, "sentences", seed=1, train_count=2_000, held_out_count=500)
    assert again.fingerprint == tales.fingerprint != other.fingerprint
    assert not np.array_equal(tales.validation.tokens, tales.test.tokens)
    assert not np.array_equal(tales.train.tokens[:500], tales.test.tokens)


def test_rows_of_20_hold_whole_stories(tales):
    ends = tales.train.tokens == tales.stop_token
    assert len(tales.train.tokens) == 2_000
    assert (ends.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(ends.argmax(axis=1) + 1, tales.train.mask.sum(axis=1))


@pytest.mark.parametrize("layout", ["sentences", "windows"])
def test_the_floor_of_stories_lies_at_their_entropy_and_no_text_of_people_has_one(layout, birds):
    corpus = load_stories(20, layout, train_count=10, held_out_count=3_000)
    entropy_rate = stories().entropy / stories().mean_length
    floor = corpus.floor_perplexity(corpus.test)
    if layout == "sentences":
        assert floor == pytest.approx(2**entropy_rate, rel=0.02)
    else:  # where a window begins, the reader has not heard what came before it
        assert 2**entropy_rate < floor < 2 * 2**entropy_rate
    assert read(birds, None, 3, layout).floor_perplexity(corpus.test) is None


def test_cut_stories_have_a_floor_too(tales):
    cut = load_stories(6, "sentences", train_count=10, held_out_count=500)
    assert np.isfinite(cut.floor_perplexity(cut.test))
    np.testing.assert_array_equal(cut.test.tokens, tales.test.tokens[:, :6])


def test_the_floor_lies_far_below_the_unigram_perplexity(tales):
    assert tales.floor_perplexity(tales.test) < 5
    assert 60 < unigram_perplexity(tales, tales.test) < 130


def test_a_corpus_can_be_sent_to_another_process(tales):
    received = pickle.loads(pickle.dumps(tales))
    assert received.fingerprint == tales.fingerprint
    assert received.floor_perplexity(received.test) == tales.floor_perplexity(tales.test)


@pytest.fixture(scope="module")
def penn():
    folder = Path(os.environ.get("RLGAN_DATA", "")) / "ptb"
    if not (folder / "ptb.train.txt").is_file():
        pytest.skip("needs the Penn Treebank: set RLGAN_DATA to the directory that has ptb/ptb.train.txt")
    return folder


def test_the_penn_treebank_has_its_known_counts_and_loads_in_two_seconds(penn):
    begin = time.process_time()
    corpus = read(penn, None, 1, "windows")
    assert time.process_time() - begin < 2
    assert len(corpus.words) == 10_000
    assert [rows.tokens.size for rows in (corpus.train, corpus.validation, corpus.test)] == [929_589, 73_760, 82_430]


def test_the_penn_treebank_has_its_known_unigram_perplexity(penn):
    corpus = read(penn, 10_000, 20, "windows")
    assert unigram_perplexity(corpus, corpus.test) == pytest.approx(639.3, abs=0.2)
