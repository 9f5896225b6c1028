"""Fixtures of the tests on pictures."""

import numpy as np
import pytest
import torch

from rlgan.errors import DataError
from rlgan.images.features import Features
from rlgan.images.pictures import open_pictures
from rlgan.images.sources import Request


@pytest.fixture
def folder(tmp_path):
    """Make a folder of pictures by name; each is an image, or bytes as they are."""

    def make(pictures, name="pictures"):
        for file, picture in pictures.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(picture, bytes):
                path.write_bytes(picture)
            else:
                picture.save(path)
        return tmp_path / name

    return make


@pytest.fixture
def opened(tmp_path):
    """Open pictures with a cache of the test's own."""

    def open_(data, *, skip_bad=False, cache=tmp_path / "cache", **request):
        return open_pictures(Request(str(data), **request), cache=cache, skip_bad=skip_bad)

    return open_


@pytest.fixture
def made(opened):
    """Open and prepare; what was said goes into `said`."""

    def make(data, said=None, **settings):
        pictures = opened(data, **settings)
        pictures.prepare(map, [].append if said is None else said.append)
        return pictures

    return make


@pytest.fixture
def refusal():
    """Give the one line with which a call is refused."""

    def of(call, *words, **settings):
        with pytest.raises(DataError) as caught:
            call(*words, **settings)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return of


@pytest.fixture(scope="session")
def natural():
    """Make pictures with the spectrum of natural ones."""

    def make(count, size=64, seed=0, slope=1):
        """Pictures of noise of 1/f^slope amplitude, whose colours are alike."""
        rng = np.random.default_rng(seed)
        frequencies = np.fft.fftfreq(size)
        radius = np.hypot(frequencies[:, None], frequencies)
        radius[0, 0] = 1 / size
        white = np.fft.fft2(rng.standard_normal((count, 3, size, size)))
        waves = np.fft.ifft2(white / radius**slope).real.transpose(0, 2, 3, 1)
        mixed = waves @ np.linalg.cholesky(np.full((3, 3), 0.9) + 0.1 * np.eye(3)).T
        return np.clip(115 + 55 * mixed / mixed.std(), 0, 255).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def features():
    """Give the features that pictures are measured by."""
    return Features(torch.device("cpu"))
