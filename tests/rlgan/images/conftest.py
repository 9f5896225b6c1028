"""Fixtures of the tests on pictures."""

import pytest

from rlgan.errors import DataError
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
