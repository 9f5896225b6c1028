import math

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from rlgan.text.corpora.stories import load_stories
from rlgan.text.ngrams import ORDERS, bleu, digests, distinct, distinct_sequences, memorised, self_bleu
from rlgan.text.vocabulary import to_text

BLANK = 9


def test_bleu_by_hand():
    """Hypothesis: the cat the cat sat (5 words). References: the cat sat on the mat; a cat sat (6 and 3 words).

    1-grams: the 2, cat 2, sat 1. No reference has cat twice: 2 + 1 + 1 of 5.
    2-grams: the cat 2, cat the 1, cat sat 1. The first clipped to 1, the second nowhere: 1 + 0 + 1 of 4.
    3-grams: the-cat-the, cat-the-cat, the-cat-sat: 1 of 3.  4-grams: none of 2, smoothed to .1.  5-grams: .1 of 1.
    The nearest length to 5 is 6, so exp(1 - 6 / 5).
    """
    hypothesis = ["the", "cat", "the", "cat", "sat"]
    references = [["the", "cat", "sat", "on", "the", "mat"], ["a", "cat", "sat"]]
    precisions = [4 / 5, 2 / 4, 1 / 3, 0.1 / 2, 0.1 / 1]
    due = {n: math.exp(1 - 6 / 5) * math.prod(precisions[:n]) ** (1 / n) for n in (2, 3, 4, 5)}
    assert bleu([hypothesis], references) == pytest.approx(due)
    # A second hypothesis without a common word scores 0, and the mean is half.
    assert bleu([hypothesis, ["dogs", "bark"]], references) == pytest.approx({n: due[n] / 2 for n in due})


def test_of_two_lengths_as_near_the_shorter_counts():
    """Four words between references of 3 and 5: no penalty, as 3 is no longer than 4."""
    hypothesis, references = list("abcd"), [list("abc"), list("abcde")]
    assert bleu([hypothesis], references)[2] == pytest.approx(1)


def test_a_short_text_has_its_longest_grams_for_longer_ones():
    assert bleu([["a", "b"]], [["a", "b"]]) == pytest.approx({2: 1, 3: 1, 4: 1, 5: 1})
    assert bleu([[]], [["a", "b"]]) == {2: 0, 3: 0, 4: 0, 5: 0}


def test_bleu_and_self_bleu_are_sacrebleus_of_each_sentence():
    corpus = load_stories(20, "sentences", train_count=60)
    told = to_text(corpus.words, corpus.train.tokens)
    hypotheses, references = told[:20], told[20:]
    for n in ORDERS:
        judge = BLEU(max_ngram_order=n, tokenize="none", smooth_method="floor", smooth_value=0.1, effective_order=True)
        due = np.mean([judge.sentence_score(text, references).score for text in hypotheses]) / 100
        assert bleu([t.split() for t in hypotheses], [t.split() for t in references])[n] == pytest.approx(due)
        others = [hypotheses[:i] + hypotheses[i + 1 :] for i in range(20)]
        due = np.mean([judge.sentence_score(t, o).score for t, o in zip(hypotheses, others, strict=True)]) / 100
        assert self_bleu([t.split() for t in hypotheses])[n] == pytest.approx(due)


def test_self_bleu_is_1_where_all_is_the_same_and_0_where_nothing_is():
    assert self_bleu([list("abcdef")] * 3) == pytest.approx({2: 1, 3: 1, 4: 1, 5: 1})
    assert self_bleu([list("abcdef"), list("ghijkl")]) == {2: 0, 3: 0, 4: 0, 5: 0}


def test_self_bleu_leaves_the_hypothesis_out():
    """Each of these would score 1 against a set with itself in it; without, only the words a and b are common.

    ab-: p_1 = 2 / 3; ab is in the other: p_2 = 1 / 2. BLEU-2 = sqrt(1 / 3), for both.
    """
    assert bleu([list("abc")], [list("abc"), list("abd")])[2] == pytest.approx(1)
    assert self_bleu([list("abc"), list("abd")])[2] == pytest.approx(math.sqrt(1 / 3))


def test_self_bleu_clips_by_the_others_too():
    """aaa against aa: 2 of 3 words, 1 of 2 pairs; aa against aaa: all, and exp(1 - 3 / 2) for its length."""
    assert self_bleu([list("aaa"), list("aa")])[2] == pytest.approx((math.sqrt(2 / 3 * 1 / 2) + math.exp(-1 / 2)) / 2)


def test_distinct_shares_by_hand():
    tokens = np.array([[1, 2, 1, 2], [1, 2, 1, 2], [3, 1, BLANK, BLANK]])
    mask = tokens < BLANK
    assert distinct_sequences(tokens) == 2 / 3
    assert distinct(tokens, mask, 1) == 3 / 10
    assert distinct(tokens, mask, 2) == 3 / 7  # 12 21 12, 12 21 12, 31
    assert distinct(tokens, mask, 3) == 2 / 4  # 121 212, twice
    assert distinct(tokens, mask, 4) == 1 / 2
    assert distinct(tokens, mask, 5) == 0
    assert distinct(tokens[:, :1], mask[:, :1], 2) == 0


def test_memorised_are_rows_that_are_known_whole():
    known = np.array([[1, 2, 3], [4, 5, BLANK]])
    rows = np.array(
        [[1, 2, 3], [4, 5, BLANK], [3, 2, 1], [4, 5, 6], [1, 2, BLANK], [2, 3, 4], [4, 5, BLANK], [0, 0, 0]]
    )
    assert memorised(rows, digests(known)) == 3 / 8
