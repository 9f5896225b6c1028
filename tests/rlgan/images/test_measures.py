import sys

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.signal
import torch

from rlgan.errors import RunError
from rlgan.images.measures import (
    SPREADS,
    Features,
    baselines,
    feature_spread,
    inception_fid,
    kernel_distance,
    mean_picture,
    measures,
    pca_gaussian,
)

CPU = torch.device("cpu")


def _natural(count, size=64, seed=0, slope=1):
    """Pictures of noise of 1/f^slope amplitude, whose colours are alike."""
    numbers = np.random.default_rng(seed)
    frequencies = np.fft.fftfreq(size)
    radius = np.hypot(frequencies[:, None], frequencies)
    radius[0, 0] = 1 / size
    white = np.fft.fft2(numbers.standard_normal((count, 3, size, size)))
    waves = np.fft.ifft2(white / radius**slope).real.transpose(0, 2, 3, 1)
    mixed = waves @ np.linalg.cholesky(np.full((3, 3), 0.9) + 0.1 * np.eye(3)).T
    return np.clip(115 + 55 * mixed / mixed.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def features():
    return Features(CPU)


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


def test_features_are_the_same_on_every_machine(features):
    """Numbers of another convolution, scipy's, in float64, with the raw numbers of Philox as they were in numpy 2.4."""
    picture = _natural(1)
    found = features(picture)
    assert found.shape == (1, 320)
    assert found.dtype == np.float64
    raw = np.random.Philox(0).random_raw(2)
    assert raw.tolist() == [259491006799949737, 4754966410622352325]
    x = picture[0].transpose(2, 0, 1) / 127.5 - 1
    due = []
    for (weight, bias), (of_means, of_deviations) in zip(features.weights, SPREADS, strict=True):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
        kernels = weight.numpy().astype(np.float64)[:, ::-1, ::-1, ::-1]  # convolve turns them round again
        x = np.array([scipy.signal.convolve(padded, kernel, mode="valid")[0, ::2, ::2] for kernel in kernels])
        x += bias.numpy()[:, None, None]
        x = np.where(x > 0, x, 0.2 * x)
        half = x.shape[1] // 2
        parts = x.reshape(16, 2, half, 2, half).mean(axis=(2, 4))
        due += [parts.ravel() / of_means, x.std(axis=(1, 2)) / of_deviations]
    np.testing.assert_allclose(found[0], np.concatenate(due), rtol=1e-4, atol=1e-4)


def test_weights_are_the_philox_counter_s(features):
    """First filter: U[-sqrt(3), sqrt(3)) times sqrt(2 / 27), out of the upper 53 bits."""
    unit = (np.random.Philox(0).random_raw(27) >> np.uint64(11)) / 2**53
    due = np.sqrt(2 / 27) * np.sqrt(3) * (2 * unit - 1)
    np.testing.assert_allclose(features.weights[0][0][0].numpy().ravel(), due, rtol=1e-5)
    np.testing.assert_allclose(features.weights[0][0][4:].sum(dim=(2, 3)).numpy(), 0, atol=1e-6)


def test_a_picture_has_the_same_features_whatever_stands_beside_it(features):
    pictures = _natural(230)
    whole = features(pictures)
    np.testing.assert_array_equal(features(pictures[:1]), whole[:1])
    np.testing.assert_array_equal(features(pictures[:130]), whole[:130])
    np.testing.assert_array_equal(features(pictures[37:]), whole[37:])


def test_every_level_weighs_alike_on_natural_pictures(features):
    spreads = features(_natural(400)).std(axis=0)
    blocks = np.split(spreads, np.cumsum([64, 16] * 4)[:-1])
    np.testing.assert_allclose([block.mean() for block in blocks], 0.5, rtol=0.15)


def _turned(pictures):
    return np.concatenate([pictures[:, :, 32:], pictures[:, :, :32]], axis=2)


def _blurred(pictures):
    return scipy.ndimage.gaussian_filter(pictures.astype(np.float32), (0, 1, 1, 0)).astype(np.uint8)


def _noisy(pictures):
    noise = np.random.default_rng(3).normal(0, 10, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def _redder(pictures):
    return np.clip(pictures.astype(int) + np.array([20, 0, 0]), 0, 255).astype(np.uint8)


def _grey(pictures):
    return np.repeat(pictures.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)


def _few(pictures):
    return pictures[np.arange(len(pictures)) % 20]


def _with_a_face(pictures):
    """Darken the left third: a shape that is at one place in all."""
    pictures = pictures.copy()
    pictures[:, 10:50, 4:24] //= 2
    return pictures


@pytest.fixture(scope="module")
def sides(features):
    """Training pictures, the features of others, and the measures between the two: the floor."""
    train = _with_a_face(_natural(400, slope=1.5))
    real = features(_with_a_face(_natural(400, seed=1, slope=1.5)))
    return train, real, measures(features(train), real)


@pytest.mark.parametrize("change", [_turned, _blurred, _noisy, _redder, _grey, _few])
def test_the_features_see(features, sides, change):
    """Changed, pictures are at least 1.3 times as far from real ones as others are."""
    train, real, floor = sides
    assert measures(features(change(train)), real)["rfid"] > 1.3 * floor["rfid"]


def test_a_few_pictures_repeated_have_no_recall(features, sides):
    train, real, floor = sides
    found = measures(features(_few(train)), real)
    assert floor["recall"] > 0.8
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.5 * floor["coverage"]


def test_baselines_are_the_measures_of_three_that_learned_nothing(features):
    train, test = _natural(300, 16), _natural(100, 16, seed=1)
    found = baselines(train, test, 100, np.random.default_rng(0), features)
    names = ("rfid", "kernel_distance", "precision", "recall", "coverage")
    assert list(found) == [f"{name}_{rival}" for rival in ("floor", "mean_picture", "pca200") for name in names]
    assert found["rfid_floor"] < found["rfid_pca200"] < found["rfid_mean_picture"]
    assert found["recall_mean_picture"] == 0
    assert found["coverage_floor"] > 0.7
    assert found == baselines(train, test, 100, np.random.default_rng(0), features)
    fewer = measures(features(np.repeat(mean_picture(train)[None], 2, axis=0)), features(test))
    assert found["rfid_mean_picture"] == pytest.approx(fewer["rfid"])


def test_the_mean_picture_is_the_mean(monkeypatch):
    monkeypatch.setattr("rlgan.images.measures.FITTED", 7)
    train = _natural(30, 8)
    np.testing.assert_array_equal(mean_picture(train), np.rint(train.astype(float).mean(axis=0)))
    assert mean_picture(train).dtype == np.uint8


def test_a_pca_gaussian_has_the_moments_of_the_pixels_it_was_fitted_to():
    """With all components, as unclipped as can be: mean and covariance of 8 x 8 pictures, by numpy."""
    train = (128 + (_natural(2000, 8).astype(int) - 128) // 4).astype(np.uint8)
    drawn = pca_gaussian(train, 20_000, np.random.default_rng(1))
    assert drawn.shape == (20_000, 8, 8, 3)
    assert drawn.dtype == np.uint8
    made, real = (p.reshape(len(p), -1).astype(np.float64) for p in (drawn, train))
    np.testing.assert_allclose(made.mean(axis=0), real.mean(axis=0), atol=0.6)
    due = np.cov(real, rowvar=False)
    assert np.linalg.norm(np.cov(made, rowvar=False) - due) < 0.05 * np.linalg.norm(due)


def test_a_pca_gaussian_has_the_first_components_alone():
    """What numpy's whole decomposition finds in the first 5, found; and nothing beside them."""
    train = (128 + (_natural(400, 16).astype(int) - 128) // 4).astype(np.uint8)
    drawn = pca_gaussian(train, 4000, np.random.default_rng(1), components=5)
    pixels = train.reshape(400, -1).astype(np.float64)
    centred = pixels - pixels.mean(axis=0)
    values, axes = np.linalg.svd(centred, full_matrices=False)[1:]
    scores = (drawn.reshape(4000, -1) - pixels.mean(axis=0)) @ axes.T
    np.testing.assert_allclose(scores[:, :5].std(axis=0), values[:5] / np.sqrt(399), rtol=0.05)
    assert (scores[:, 5:].std(axis=0) < 1).all()  # rounding to whole numbers: 1 / sqrt(12)


def test_a_pca_gaussian_of_two_pictures_is_on_the_line_through_them():
    train = np.stack([np.full((8, 8, 3), 100), np.full((8, 8, 3), 140)]).astype(np.uint8)
    drawn = pca_gaussian(train, 50, np.random.default_rng(0))
    assert (drawn == drawn[:, :1, :1, :1]).all()
    assert drawn.std() > 5


def test_inception_weights_that_are_not_there_are_one_line(tmp_path):
    with pytest.raises(RunError, match=r"^\S+none\.pth can't be read: No such file or directory$"):
        inception_fid(_natural(2, 8), _natural(2, 8), tmp_path / "none.pth")
    with pytest.raises(RunError, match="can't be read: Is a directory"):
        inception_fid(_natural(2, 8), _natural(2, 8), tmp_path)


class _Code:
    """Read by pickle it would write a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>", b"hello\n", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_a_file_without_weights_is_one_line(tmp_path, content):
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"weights\.pth has no weights of Inception: give \S+ weights-inc") as caught:
        inception_fid(_natural(2, 8), _natural(2, 8), file)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_can_run_nothing(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({"fc.weight": _Code(tmp_path / "written")}, file)
    with pytest.raises(RunError, match="has no weights of Inception"):
        inception_fid(_natural(2, 8), _natural(2, 8), file)
    assert not (tmp_path / "written").exists()


def test_without_the_library_one_line_says_how_to_install_it(tmp_path, monkeypatch):
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(RunError, match=r"needs torch-fidelity .*pip install 'rlgan\[fid\]'$"):
        inception_fid(_natural(2, 8), _natural(2, 8), tmp_path / "weights.pth")


@pytest.fixture
def inception(tmp_path, monkeypatch):
    """Give random weights in a file as the library reads it."""
    pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed: pip install 'rlgan[fid]'")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    file, weights = tmp_path / "weights.pth", {}
    torch.save({}, file)
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, _: weights.update(self.state_dict()))
        FeatureExtractorInceptionV3("inception", ["2048"], str(file))
    torch.save(weights, file)
    return file


@pytest.mark.slow
def test_the_fid_is_that_of_torch_fidelity(inception):
    from torch_fidelity import calculate_metrics

    made, real = _natural(4, 16), _grey(_natural(5, 16, seed=1))
    data = [[torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures] for pictures in (made, real)]
    sets = [_Pictures(pictures) for pictures in data]
    due = calculate_metrics(
        input1=sets[0],
        input2=sets[1],
        fid=True,
        cuda=False,
        batch_size=4,
        feature_extractor_weights_path=str(inception),
        verbose=False,
    )["frechet_inception_distance"]
    assert due > 0
    assert inception_fid(made, real, inception) == pytest.approx(due, rel=1e-3)
    assert inception_fid(made, made[::-1], inception) == pytest.approx(0, abs=1e-3 * due)


@pytest.mark.slow
@pytest.mark.usefixtures("inception")
def test_weights_of_another_network_are_one_line(tmp_path):
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("other.pth", "list.pth"):
        with pytest.raises(RunError, match=rf"{name} has no weights of Inception: give torch-fidelity's weights-inc"):
            inception_fid(_natural(2, 8), _natural(2, 8), tmp_path / name)


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.pictures[i]
