import numpy as np
import pytest
import scipy.linalg

from rlgan.learning.distances import frechet_distance
from rlgan.text.corpora.stories import load_stories
from rlgan.text.ngram_features import ngram_features

WORDS = ("<unk>", "<eos>", "a", "b", "c")


def _with_moments(mean, deviation):
    """Give samples that have exactly this mean and, on the diagonal, exactly this covariance."""
    count = 2 * len(mean)
    samples = np.zeros((count, len(mean)))
    for i, d in enumerate(deviation):
        samples[[2 * i, 2 * i + 1], i] = np.array([1, -1]) * d * np.sqrt((count - 1) / 2)
    return samples + mean


def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form():
    """|m_1 - m_2|^2 + sum (s_1 - s_2)^2 = 1 + 4 + 9 + (2 - 1)^2 + (3 - .5)^2 + 0."""
    one, other = _with_moments([0, 0, 0], [2, 3, 1]), _with_moments([1, -2, 3], [1, 0.5, 1])
    np.testing.assert_allclose(np.cov(one, rowvar=False), np.diag([4, 9, 1]), atol=1e-12)
    assert frechet_distance(one, other) == pytest.approx(14 + 1 + 6.25)
    assert frechet_distance(other, one) == pytest.approx(21.25)


def test_frechet_distance_is_that_of_a_general_matrix_root():
    numbers = np.random.default_rng(0)
    one = numbers.standard_normal((200, 6)) @ numbers.standard_normal((6, 6))
    other = numbers.standard_normal((300, 6)) @ numbers.standard_normal((6, 6)) + 1
    s, t = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    apart = one.mean(axis=0) - other.mean(axis=0)
    due = apart @ apart + np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
    assert frechet_distance(one, other) == pytest.approx(due, rel=1e-9)


@pytest.mark.parametrize("count", [2, 5, 400])
def test_equal_sets_are_0_apart_however_few_samples_there_are(count):
    samples = np.random.default_rng(1).standard_normal((count, 64))
    assert frechet_distance(samples, samples[::-1]) == pytest.approx(0, abs=1e-9)


def test_fewer_samples_than_features_are_no_trouble():
    """Two flat sets in different planes: nothing is shared, and the traces add up."""
    one, other = np.zeros((2, 4, 50))
    one[:, 0] = [1, -1, 1, -1]
    other[:, 1] = [2, -2, 2, -2]
    assert frechet_distance(one, other) == pytest.approx(4 / 3 + 16 / 3)


def test_one_feature_is_a_feature_too():
    assert frechet_distance(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])) == pytest.approx(1)


def test_features_depend_on_the_words_and_on_nothing_else():
    rows = np.array([[2, 3, 4], [3, 2, 5]])
    other_words = ("c", "b", "<unk>", "a", "<eos>")
    same_rows = np.array([[3, 1, 0], [1, 3, 5]])
    features = ngram_features(rows, WORDS)
    assert features.shape == (2, 64)
    np.testing.assert_array_equal(ngram_features(same_rows, other_words), features)
    np.testing.assert_array_equal(ngram_features(rows[:1], WORDS), features[:1])


def test_a_feature_is_the_mean_of_the_vectors_of_its_grams():
    """Row ab has a, b and ab: what a row of a and a row of b have leaves the vector of ab, which ba does not have."""
    a, b, ab, ba, aab = ngram_features(np.array([[2, 5, 5], [3, 5, 5], [2, 3, 5], [3, 2, 5], [2, 2, 3]]), WORDS)
    pair, reverse = 3 * ab - a - b, 3 * ba - a - b
    assert 0.3 < (pair @ pair) / 64 < 3  # of N(0, I) in 64 dimensions
    assert abs(pair @ reverse) / 64 < 0.7
    # aab: a twice, b, aa, ab, aab. Without what is known, two vectors more are left.
    rest = 6 * aab - 2 * a - b - pair
    assert 0.6 < (rest @ rest) / 64 < 6
    np.testing.assert_array_equal(ngram_features(np.array([[5, 5, 5]]), WORDS), np.zeros((1, 64)))


def test_the_order_of_words_is_seen():
    corpus = load_stories(20, "sentences", held_out_count=500)
    tokens, words = corpus.validation.tokens, corpus.words
    turned = tokens.copy()
    for row, mask in zip(turned, corpus.validation.mask, strict=True):
        row[: mask.sum() - 1] = row[: mask.sum() - 1][::-1]
    real, due = (ngram_features(rows, words) for rows in (tokens, corpus.test.tokens))
    assert frechet_distance(ngram_features(turned, words), due) > 2 * frechet_distance(real, due)
