import io

import numpy as np
from PIL import Image

from rlgan.drawing import encoded, save_png
from rlgan.images import grids as pictures
from rlgan.images.figures import side_by_side
from rlgan.images.grids import cut, grid, nearest, neighbours


def _noise(count, size=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_a_grid_has_every_picture_in_its_place_and_white_between():
    made = _noise(5)
    page = grid(made, columns=3)
    assert page.shape == (4 + 2 + 4, 4 + 2 + 4 + 2 + 4, 3)
    assert page.dtype == np.uint8
    np.testing.assert_array_equal(page[:4, 6:10], made[1])
    np.testing.assert_array_equal(page[6:, :4], made[3])
    np.testing.assert_array_equal(page[6:, 6:10], made[4])
    assert (page[4:6] == 255).all()
    assert (page[:, 4:6] == 255).all()
    assert (page[6:, 12:] == 255).all()  # there is no sixth


def test_a_grid_is_no_wider_than_its_pictures():
    made = _noise(2)
    np.testing.assert_array_equal(grid(made, columns=8), grid(made, columns=2))


def test_panels_need_not_be_square():
    wide = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 3), dtype=np.uint8)
    page = grid(wide, columns=2)
    assert page.shape == (3, 18, 3)
    np.testing.assert_array_equal(page[:, 10:], wide[1])


def test_a_grid_is_cut_into_the_pictures_that_it_was_made_of():
    made = _noise(6)
    np.testing.assert_array_equal(cut(grid(made, columns=3), 4), made)
    np.testing.assert_array_equal(cut(grid(made[:4], columns=3), 4)[:4], made[:4])


def test_panels_keep_their_pixels_and_their_titles():
    large, small = _noise(1, 300)[0], _noise(1, 8, seed=1)[0]
    with Image.open(io.BytesIO(encoded(side_by_side("what it shows", {"a title": large, "b": small})))) as picture:
        page = np.asarray(picture.convert("RGB"))
    windows = np.lib.stride_tricks.sliding_window_view(page, (8, 8, 3))[:, :, 0]
    assert (windows == small).all(axis=(2, 3, 4)).sum() == 1
    (top,), (left,) = np.nonzero((windows == large[:8, :8]).all(axis=(2, 3, 4)))
    np.testing.assert_array_equal(page[top : top + 300, left : left + 300], large)
    for ink in (page[: top // 2], page[top // 2 : top, : left + 300], page[top // 2 : top, left + 300 :]):
        assert (ink < 128).any()


def test_neighbours_are_those_that_a_loop_finds(monkeypatch):
    """The distance of pixels, over chunks that do not divide the pictures."""
    monkeypatch.setattr(pictures, "CHUNK", 7)
    made, train = _noise(5), _noise(30, seed=1)
    train[[3, 20]] = made[2]
    due = [
        sorted(range(30), key=lambda j: (((train[j].astype(int) - picture) ** 2).sum(), j))[:4]
        for picture in made.astype(int)
    ]
    np.testing.assert_array_equal(nearest(made, train, 4), due)
    assert due[2][:2] == [3, 20]


def test_neighbours_are_near_by_pixels_and_not_by_brightness():
    """Of two pictures, the one that differs in a corner is near, not that of the same mean."""
    train = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    train[0, :, :2], train[1, :, 2:], train[1, 0, 0] = 200, 200, 99
    made = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    made[0, :, 2:] = 200
    assert nearest(made, train, 1).item() == 1


def test_a_copy_stands_beside_its_original():
    made, train = _noise(2), _noise(9, seed=1)
    train[4] = made[1]
    page = neighbours(made, train, count=2)
    assert page.shape == (10, 16, 3)
    np.testing.assert_array_equal(page[6:, :4], made[1])
    np.testing.assert_array_equal(page[6:, 6:10], made[1])
    np.testing.assert_array_equal(page[:4, :4], made[0])


def test_a_memory_map_is_as_good_as_an_array(tmp_path):
    train = _noise(20, seed=1)
    np.save(tmp_path / "train.npy", train)
    mapped = np.load(tmp_path / "train.npy", mmap_mode="r")
    np.testing.assert_array_equal(neighbours(_noise(3), mapped, 2), neighbours(_noise(3), train, 2))


def test_a_png_has_the_same_pixels(tmp_path):
    picture = _noise(1, 16)[0]
    save_png(picture, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as read:
        assert read.format == "PNG"
        np.testing.assert_array_equal(np.asarray(read), picture)
