import numpy as np
import pytest
import scipy.linalg

from rlgan.images.measures import baselines, feature_spread, kernel_distance, mean_picture, measures, pca_gaussian


def _normal(count, width, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((count, width))


def _apart(a, b):
    return float(np.sqrt(((a - b) ** 2).sum()))


def _ball(i, rows):
    """Reach from a row to its 3rd nearest other."""
    return sorted(_apart(rows[i], rows[j]) for j in range(len(rows)) if j != i)[2]


def _by_definition(made, real):
    """Precision and recall (Kynkäänniemi et al. 2019), coverage (Naeem et al. 2020)."""
    made_balls = [_ball(i, made) for i in range(len(made))]
    real_balls = [_ball(i, real) for i in range(len(real))]
    precision = [any(_apart(a, b) <= ball for b, ball in zip(real, real_balls, strict=True)) for a in made]
    recall = [any(_apart(a, b) <= ball for a, ball in zip(made, made_balls, strict=True)) for b in real]
    coverage = [any(_apart(a, b) <= ball for a in made) for b, ball in zip(real, real_balls, strict=True)]
    return {"precision": np.mean(precision), "recall": np.mean(recall), "coverage": np.mean(coverage)}


def test_manifolds_are_those_of_the_definition():
    real, made = _normal(60, 4), _normal(40, 4, seed=1, scale=0.8) + 0.7
    found, due = measures(made, real), _by_definition(made, real)
    assert {name: found[name] for name in due} == pytest.approx(due)
    assert len({0, 1, *due.values()}) == 5  # so that none is mistaken for another


def test_on_a_line_they_are_counted_by_hand():
    """Real 0 1 2 3 10, balls of 3 2 2 3 9 reach over [-3, 19]; made 4 5 6 7 30, balls of 3 2 2 3 25, over [1, 55].

    Of the made all but 30 are within; of the real all but 0. Nearest made: 4, from 0 1 2 3 by 4 3 2 1, 7 from 10 by 3:
    the balls of 2, 3 and 10 hold one.
    """
    real, made = np.array([[0.0], [1], [2], [3], [10]]), np.array([[4.0], [5], [6], [7], [30]])
    found = measures(made, real)
    assert (found["precision"], found["recall"], found["coverage"]) == (0.8, 0.8, 0.6)


def test_rfid_is_the_frechet_distance_of_a_general_matrix_root():
    made, real = _normal(300, 5) @ _normal(5, 5, seed=2), _normal(200, 5, seed=1) + 0.5
    s, t = np.cov(made, rowvar=False), np.cov(real, rowvar=False)
    apart = made.mean(axis=0) - real.mean(axis=0)
    due = apart @ apart + np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
    assert measures(made, real)["rfid"] == pytest.approx(due, rel=1e-9)


def test_kernel_distance_is_the_mean_over_pairs_of_its_definition():
    """Binkowski et al. 2018, pair by pair."""
    x, y = _normal(9, 3), _normal(7, 3, seed=1) + 0.5

    def k(a, b):
        return (sum(a * b) / 3 + 1) ** 3

    within_x = np.mean([k(x[i], x[j]) for i in range(9) for j in range(9) if i != j])
    within_y = np.mean([k(y[i], y[j]) for i in range(7) for j in range(7) if i != j])
    between = np.mean([k(a, b) for a in x for b in y])
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * between)
    assert measures(x, y)["kernel_distance"] == kernel_distance(x, y)


def test_kernel_distance_has_no_bias():
    """Over samples of one distribution its mean is 0, within three standard errors; with the diagonal it is not."""
    found = [kernel_distance(_normal(10, 4, seed=i), _normal(10, 4, seed=1000 + i)) for i in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    assert np.min(found) < 0


def test_fewer_samples_than_features_are_no_trouble():
    real = _normal(50, 200)
    same = measures(real, real[::-1])
    assert same["rfid"] == pytest.approx(0, abs=1e-9)
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)
    assert all(np.isfinite(value) for value in measures(_normal(50, 200, seed=1), real).values())


def test_one_sample_repeated_is_near_but_covers_nothing():
    real = _normal(50, 40)
    repeated = np.repeat(real[:1] + 1e-3, 50, axis=0)
    found = measures(repeated, real)
    assert found["precision"] == 1
    assert found["recall"] == 0
    assert found["coverage"] == _by_definition(repeated, real)["coverage"] < 0.5
    # The Gaussians of a point and of a set: |apart|^2 and the trace.
    apart = repeated[0] - real.mean(axis=0)
    assert found["rfid"] == pytest.approx(apart @ apart + np.trace(np.cov(real, rowvar=False)))


@pytest.mark.parametrize("count", [2, 3])
def test_two_samples_are_enough(count):
    assert all(np.isfinite(value) for value in measures(_normal(count, 4), _normal(50, 4, seed=1)).values())


def test_spread_is_the_median_distance_to_the_nearest_other():
    assert feature_spread(np.array([[0.0], [1], [3], [7], [20]])) == 2  # of 1 1 2 4 13
    few = np.repeat(_normal(10, 40), 10, axis=0)
    assert feature_spread(few) == 0  # though their covariance is that of ten
    one = np.repeat(1e3 + _normal(1, 40), 30, axis=0)
    assert feature_spread(one) == 0


def test_baselines_are_the_measures_of_three_that_learned_nothing(features, natural):
    train, test = natural(300, 16), natural(100, 16, seed=1)
    found = baselines(train, test, 100, np.random.default_rng(0), features)
    names = ("rfid", "kernel_distance", "precision", "recall", "coverage")
    assert list(found) == [f"{name}_{rival}" for rival in ("floor", "mean_picture", "pca200") for name in names]
    assert found["rfid_floor"] < found["rfid_pca200"] < found["rfid_mean_picture"]
    assert found["recall_mean_picture"] == 0
    assert found["coverage_floor"] > 0.7
    assert found == baselines(train, test, 100, np.random.default_rng(0), features)
    fewer = measures(features(np.repeat(mean_picture(train)[None], 2, axis=0)), features(test))
    assert found["rfid_mean_picture"] == pytest.approx(fewer["rfid"])


def test_the_mean_picture_is_the_mean(monkeypatch, natural):
    monkeypatch.setattr("rlgan.images.measures.CHUNK", 7)
    train = natural(30, 8)
    np.testing.assert_array_equal(mean_picture(train), np.rint(train.astype(float).mean(axis=0)))
    assert mean_picture(train).dtype == np.uint8


def test_a_pca_gaussian_has_the_moments_of_the_pixels_it_was_fitted_to(natural):
    """With all components, as unclipped as can be: mean and covariance of 8 x 8 pictures, by numpy."""
    train = (128 + (natural(2000, 8).astype(int) - 128) // 4).astype(np.uint8)
    drawn = pca_gaussian(train, 20_000, np.random.default_rng(1))
    assert drawn.shape == (20_000, 8, 8, 3)
    assert drawn.dtype == np.uint8
    made, real = (p.reshape(len(p), -1).astype(np.float64) for p in (drawn, train))
    np.testing.assert_allclose(made.mean(axis=0), real.mean(axis=0), atol=0.6)
    due = np.cov(real, rowvar=False)
    assert np.linalg.norm(np.cov(made, rowvar=False) - due) < 0.05 * np.linalg.norm(due)


def test_a_pca_gaussian_has_the_first_components_alone(natural):
    """What numpy's whole decomposition finds in the first 5, found; and nothing beside them."""
    train = (128 + (natural(400, 16).astype(int) - 128) // 4).astype(np.uint8)
    drawn = pca_gaussian(train, 4000, np.random.default_rng(1), components=5)
    pixels = train.reshape(400, -1).astype(np.float64)
    centred = pixels - pixels.mean(axis=0)
    values, axes = np.linalg.svd(centred, full_matrices=False)[1:]
    scores = (drawn.reshape(4000, -1) - pixels.mean(axis=0)) @ axes.T
    np.testing.assert_allclose(scores[:, :5].std(axis=0), values[:5] / np.sqrt(399), rtol=0.05)
    assert (scores[:, 5:].std(axis=0) < 1).all()  # rounding to whole rng: 1 / sqrt(12)


def test_a_pca_gaussian_of_two_pictures_is_on_the_line_through_them():
    train = np.stack([np.full((8, 8, 3), 100), np.full((8, 8, 3), 140)]).astype(np.uint8)
    drawn = pca_gaussian(train, 50, np.random.default_rng(0))
    assert (drawn == drawn[:, :1, :1, :1]).all()
    assert drawn.std() > 5
