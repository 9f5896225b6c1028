import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from rlgan.images.features import SPREADS
from rlgan.images.measures import measures


def test_features_are_the_same_on_every_machine(features, natural):
    """Numbers of another convolution, scipy's, in float64, with the raw rng of Philox as they were in numpy 2.4."""
    picture = natural(1)
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


def test_a_picture_has_the_same_features_whatever_stands_beside_it(features, natural):
    pictures = natural(230)
    whole = features(pictures)
    np.testing.assert_array_equal(features(pictures[:1]), whole[:1])
    np.testing.assert_array_equal(features(pictures[:130]), whole[:130])
    np.testing.assert_array_equal(features(pictures[37:]), whole[37:])


def test_every_level_weighs_alike_on_natural_pictures(features, natural):
    spreads = features(natural(400)).std(axis=0)
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
def sides(features, natural):
    """Training pictures, the features of others, and the measures between the two: the floor."""
    train = _with_a_face(natural(400, slope=1.5))
    real = features(_with_a_face(natural(400, seed=1, slope=1.5)))
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
