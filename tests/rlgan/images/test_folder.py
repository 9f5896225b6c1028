import hashlib
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from rlgan.errors import DataError
from rlgan.images.folder import open_pictures

RED, GREEN = (200, 30, 40), (20, 180, 60)


def plain(colour=RED, size=(80, 80)):
    return Image.new("RGB", size, colour)


def noise(seed=0, size=(80, 80)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


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

    def open_(data, **settings):
        return open_pictures(str(data), **({"cache": tmp_path / "cache"} | settings))

    return open_


@pytest.fixture
def made(opened):
    """Open and prepare; what was said goes into `said`."""

    def make(data, said=None, **settings):
        pictures = opened(data, **settings)
        pictures.prepare(map, [].append if said is None else said.append)
        return pictures

    return make


def both(pictures):
    """All pictures of both splits."""
    return np.concatenate([pictures.train(), pictures.test()])


def content(picture, kind, **settings):
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def refusal(call, *words, **settings):
    """The one line with which something is refused."""
    with pytest.raises(DataError) as caught:
        call(*words, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


# Pixels


def test_a_picture_of_the_right_size_keeps_its_pixels(folder, made):
    pictures = [noise(seed, (64, 64)) for seed in range(2)]
    arrays = both(made(folder({"a.png": pictures[0], "b.bmp": pictures[1]})))
    assert arrays.shape == (2, 64, 64, 3)
    assert arrays.dtype == np.uint8
    assert {array.tobytes() for array in arrays} == {np.asarray(picture).tobytes() for picture in pictures}


def test_the_largest_centre_square_is_cut_out(folder, made):
    wide = plain(GREEN, (100, 64))
    wide.paste(plain(RED, (64, 64)), (18, 0))  # 18 green columns on either side
    tall = plain(GREEN, (64, 90))
    tall.paste(plain(RED, (64, 64)), (0, 13))
    assert (both(made(folder({"wide.png": wide, "tall.png": tall}))) == RED).all()


def test_the_asked_crop_is_cut_out_of_the_centre_and_resized(folder, made):
    framed = plain(GREEN, (200, 180))
    framed.paste(plain(RED, (100, 100)), (50, 40))
    pictures = made(folder({"a.png": framed, "b.png": framed}), crop=100)
    assert (both(pictures) == RED).all()
    assert pictures.crop == 100
    assert any("100 x 100" in line for line in pictures.about)


def test_a_box_filter_halves_by_the_mean_of_four(folder, made):
    picture = noise(1, (128, 128))
    array = both(made(folder({"a.png": picture, "b.png": picture}), filter="box"))[0]
    means = np.asarray(picture).reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(array - means).max() <= 1  # Pillow rounds twice, across and down


def test_every_filter_gives_other_pixels_and_a_cache_of_its_own(folder, made):
    data = folder({"a.png": noise(0), "b.png": noise(1)})
    sets = [made(data, filter=name) for name in ("lanczos", "bicubic", "bilinear", "box")]
    assert len({both(pictures).tobytes() for pictures in sets}) == 4
    assert len({pictures.cache for pictures in sets}) == 4


def in_16_bits(values):
    return Image.fromarray(np.tile(values.astype(np.uint16), (80, 1)))


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def deep_png(kind, *values):
    """A PNG of 80 x 80 pixels, all the same, of 16 bits a number; Pillow writes none."""
    header = (80).to_bytes(4, "big") * 2 + bytes([16, kind, 0, 0, 0])
    line = b"\0" + b"".join(value.to_bytes(2, "big") for value in values) * 80
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(line * 80)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


DARK_AND_HALF = in_16_bits(np.repeat([300, 32768], 40))
RAMP = in_16_bits(np.linspace(0, 65535, 80))


def half_seen():
    picture = Image.new("RGBA", (80, 80), (200, 0, 100, 0))
    picture.paste((200, 0, 100, 128), (40, 0, 80, 80))
    return picture


def seen_palette():
    picture = Image.new("P", (80, 80), 1)
    picture.putpalette([9, 9, 9, *RED])
    picture.paste(0, (0, 0, 40, 80))
    return content(picture, "PNG", transparency=0)


@pytest.mark.parametrize(
    ("picture", "left", "right"),
    [
        pytest.param(content(plain((90, 90, 90)).convert("L"), "JPEG"), (90,) * 3, (90,) * 3, id="grey"),
        pytest.param(content(plain((255, 255, 255)).convert("1"), "PNG"), (255,) * 3, (255,) * 3, id="1 bit"),
        pytest.param(content(plain((255, 0, 0)).convert("CMYK"), "TIFF"), (255, 0, 0), (255, 0, 0), id="CMYK"),
        pytest.param(content(plain().quantize(4), "PNG"), RED, RED, id="palette"),
        pytest.param(content(plain().quantize(4), "GIF"), RED, RED, id="gif"),
        pytest.param(seen_palette(), (255,) * 3, RED, id="palette with a transparent colour"),
        pytest.param(content(half_seen(), "PNG"), (255,) * 3, (227, 127, 177), id="alpha"),
        pytest.param(content(half_seen().convert("LA"), "PNG"), (255,) * 3, (163,) * 3, id="grey with alpha"),
        pytest.param(content(DARK_AND_HALF, "PNG"), (1,) * 3, (128,) * 3, id="16 bits"),
        pytest.param(content(DARK_AND_HALF, "TIFF"), (1,) * 3, (128,) * 3, id="16 bits, tiff"),
        pytest.param(deep_png(2, 300, 32768, 65535), (1, 128, 255), (1, 128, 255), id="16 bits, colour"),
        pytest.param(deep_png(6, 300, 32768, 65535, 32768), (128, 191, 255), (128, 191, 255), id="16 bits, alpha"),
        pytest.param(deep_png(4, 0, 32768), (127,) * 3, (127,) * 3, id="16 bits, grey with alpha"),
        pytest.param(content(plain((255, 0, 0)).convert("CMYK"), "JPEG"), (255, 0, 0), (255, 0, 0), id="CMYK, JPEG"),
        pytest.param(content(plain().convert("YCbCr"), "TIFF"), RED, RED, id="YCbCr"),
        pytest.param(content(plain(), "WEBP", lossless=True), RED, RED, id="webp"),
    ],
)  # fmt: skip
def test_every_mode_becomes_colour(folder, made, picture, left, right):
    # The names' ending lies for most: what a file is, its content says.
    for array in both(made(folder({"a.png": picture, "b.png": picture}))):
        np.testing.assert_allclose(array[32, 4], left, atol=2)
        np.testing.assert_allclose(array[32, 60], right, atol=2)


def test_16_bits_are_scaled_and_not_cut(folder, made):
    ramp = both(made(folder({"a.png": RAMP, "b.png": RAMP}), filter="box"))[0][32, :, 0]
    np.testing.assert_allclose(ramp, np.linspace(0, 255, 64), atol=2.5)


def test_a_photograph_is_turned_as_its_camera_was(folder, made):
    picture = plain(GREEN)
    picture.paste(RED, (0, 0, 80, 40))  # red above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: red on the right
    jpeg = content(picture, "JPEG", exif=exif, quality=95)
    for array in both(made(folder({"a.jpg": jpeg, "b.jpg": jpeg}))):
        np.testing.assert_allclose(array[32, 56], RED, atol=12)
        np.testing.assert_allclose(array[32, 8], GREEN, atol=12)


def test_mixed_sizes_come_out_the_same_size(folder, made):
    sizes = [(64, 64), (300, 200), (70, 999), (1000, 1000)]
    arrays = both(made(folder({f"{i}.png": plain(size=size) for i, size in enumerate(sizes)})))
    assert arrays.shape == (4, 64, 64, 3)
    assert (arrays == RED).all()


# Splits


def people(count, each=3):
    return {f"sub/Some_One{i:03}_{n + 1:04}.png": plain((i, n, 7), (64, 64)) for i in range(count) for n in range(each)}


def test_nobody_is_on_both_sides_of_the_split(folder, made):
    pictures = made(folder(people(40)))
    train, test = ({int(array[0, 0, 0]) for array in split} for split in (pictures.train(), pictures.test()))
    assert len(train) == 32
    assert len(test) == 8
    assert not train & test
    assert len(pictures.train()) == 96
    assert "by person: 40 " in " ".join(pictures.about)


def test_a_fifth_of_the_people_is_held_out_however_many_pictures_they_have(folder, made):
    pictures = made(folder(people(20, each=1) | {f"sub/Some_One007_{n:04}.png": plain((7, 0, 7)) for n in range(100)}))
    assert len(np.unique(pictures.test()[:, 0, 0, 0])) == 4


def test_the_same_name_in_two_folders_is_two_people(folder, opened):
    names = [f"{sub}/A_{n}.png" for sub in range(20) for n in range(2)]
    assert "by person: 20 " in " ".join(opened(folder(dict.fromkeys(names, plain()))).about)


def test_names_that_tell_no_people_are_split_by_picture(folder, made):
    pictures = made(folder({f"img_{i:04}.png": plain((i, 0, 0), (64, 64)) for i in range(30)}))
    assert (len(pictures.train()), len(pictures.test())) == (24, 6)
    assert "by picture" in " ".join(pictures.about)


def test_hidden_files_and_other_files_are_no_pictures(folder, made):
    pictures = made(
        folder({"a.png": plain(), "b.JPEG": plain(), "._a.png": b"of macOS", "notes.txt": b"", ".git/x.png": b""})
    )
    assert len(both(pictures)) == 2


# CelebA


@pytest.fixture
def celeba(folder):
    """CelebA's layout: the partition's lines, and which of its names have a file."""

    def make(lines, present=None, size=(178, 218)):
        if isinstance(lines, str):
            lines = lines.encode()
        names = [line.split()[0] for line in lines.decode("latin1").splitlines() if line.split()]
        pictures = {
            f"img_align_celeba/{name}": content(plain((10 * i, 0, 0), size), "PNG")
            for i, name in enumerate(names)
            if present is None or name in present
        }
        return folder(pictures | {"list_eval_partition.txt": lines, "img_align_celeba/notes": b""}, "celeba")

    return make


FIVE = "1.jpg 0\n2.jpg 0\n3.jpg 1\n4.jpg 2\n5.jpg 0\n"


def test_celeba_is_split_by_its_partition(celeba, made):
    pictures = made(celeba(FIVE))
    assert [array[0, 0, 0] for array in pictures.train()] == [0, 10, 40]
    assert [array[0, 0, 0] for array in pictures.test()] == [30]


def test_celeba_is_cropped_to_108_unless_said(celeba, opened):
    data = celeba(FIVE)
    assert opened(data).crop == 108
    assert opened(data, crop=140).crop == 140
    assert opened(data).fingerprint != opened(data, crop=140).fingerprint


def test_names_without_a_file_are_counted(celeba, made):
    pictures = made(celeba(FIVE, present=["1.jpg", "4.jpg"]))
    assert (len(pictures.train()), len(pictures.test())) == (1, 1)
    assert any("3 of the 5 names" in line for line in pictures.about)


@pytest.mark.parametrize(
    ("present", "train", "test", "said"),
    [
        (["1.jpg", "3.jpg"], [0], [20], "the validation split is held out instead"),
        (["1.jpg", "2.jpg"], 1, 1, "a fifth of it is held out instead"),
    ],
)
def test_without_a_test_picture_others_are_held_out_and_it_is_said(celeba, made, present, train, test, said):
    pictures = made(celeba(FIVE, present))
    for split, due in ((pictures.train(), train), (pictures.test(), test)):
        assert len(split) == due if isinstance(due, int) else [array[0, 0, 0] for array in split] == due
    assert any(said in line for line in pictures.about)


def test_none_of_the_train_split_is_refused(celeba, opened):
    message = refusal(opened, celeba(FIVE, present=["4.jpg"]))
    assert "no picture of the train split" in message
    assert "3 in" in message


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded", "is an HTML page"),
        ("\n  <html>\n", "is an HTML page"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08", "line 1 "),
        ("1.jpg 0\n\n2.jpg\n", "line 3 is '2.jpg'"),
        ("1.jpg 0\n2.jpg 3\n", "line 2 is '2.jpg 3'"),
        ("1.jpg 0\n2.jpg 0 0\n", "line 2 "),
        ("image_id,partition\n", "line 1 "),
        ("../1.jpg 0\n", "line 1 "),
        ("1.jpg 0\n1.jpg 2\n", "line 2 names 1.jpg again"),
        ("\n\n", "is empty"),
    ],
)
def test_a_partition_that_is_none_is_refused(folder, opened, lines, said):
    lines = lines if isinstance(lines, bytes) else lines.encode()
    data = folder({"img_align_celeba/1.jpg": b"", "list_eval_partition.txt": lines})
    message = refusal(opened, data)
    assert said in message
    assert "list_eval_partition.txt" in message


def test_half_of_celebas_layout_is_refused(folder, opened):
    assert "no list_eval_partition.txt" in refusal(opened, folder({"img_align_celeba/1.png": plain()}, "a"))
    assert "no img_align_celeba/" in refusal(opened, folder({"list_eval_partition.txt": FIVE.encode()}, "b"))


# Bad input


def test_a_directory_that_is_none_is_refused(tmp_path, opened):
    assert "no directory" in refusal(opened, tmp_path / "nowhere")
    (tmp_path / "pictures.zip").write_bytes(b"PK")
    assert "is a file" in refusal(opened, tmp_path / "pictures.zip")
    (tmp_path / "empty").mkdir()
    assert "has no pictures (jpg" in refusal(opened, tmp_path / "empty")


def test_a_single_picture_is_refused(folder, opened, celeba):
    assert "one picture" in refusal(opened, folder({"a.png": plain()}))
    assert "one picture" in refusal(opened, celeba(FIVE, present=["1.jpg"]))


def damaged_png():
    """Whole but for a byte of its pixels, which its sums betray."""
    whole = bytearray(content(noise(), "PNG"))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


def bomb(side):
    """A PNG that says it has so many pixels a side."""
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 1000))


BAD = {
    "truncated.jpg": (content(noise(), "JPEG")[:-900], "can't be read: image file is truncated"),
    "truncated.png": (content(noise(), "PNG")[:-900], "can't be read: "),
    "truncated.webp": (content(noise(), "WEBP")[:-900], "can't be read: "),
    "damaged.png": (damaged_png(), "can't be read: "),
    "empty.jpg": (b"", "is no picture that we read (JPEG"),
    "page.jpg": (b"<html>quota</html>", "is no picture that we read"),
    "small.png": (content(plain(size=(63, 200)), "PNG"), "has 63 x 200 pixels, fewer than 64 a side"),
    "deep.tif": (content(Image.new("F", (80, 80)), "TIFF"), "has 32 bits a pixel"),
    "bomb.png": (bomb(20_000), "has more than 89,478,485 pixels"),
    "smaller.png": (bomb(10_000), "has more than 89,478,485 pixels"),  # Pillow would only warn
}


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_cant_be_used_is_named_and_skipped_only_if_asked(folder, opened, made, name):
    bad, what = BAD[name]
    data = folder({name: bad} | {f"{letter}.png": plain() for letter in "abcdefghijklmno"})
    message = refusal(opened(data).prepare, map, print)
    assert f"{data / name} {what}" in message
    assert "--skip-bad" in message

    said = []
    pictures = made(data, said, skip_bad=True)
    assert len(both(pictures)) == 15
    assert (both(pictures) == RED).all()
    assert said[-1].startswith(f"1 pictures skipped: {data / name} {what}")


def test_what_was_skipped_is_said_again_and_refused_without_being_asked(folder, opened, made):
    data = folder({"bad.png": b""} | {f"{letter}.png": plain() for letter in "abcdefgh"})
    made(data, skip_bad=True)
    said = []
    made(data, said, skip_bad=True)
    assert len(said) == 1
    assert "1 pictures skipped" in said[0]
    assert "bad.png" in refusal(opened(data).prepare, map, print)


def test_nothing_but_bad_pictures_is_refused_even_if_they_are_skipped(folder, opened):
    data = folder({f"{letter}.png": b"" for letter in "abcdefgh"})
    assert "no picture of the train split can be used" in refusal(opened(data, skip_bad=True).prepare, map, print)


def test_a_picture_smaller_than_the_crop_is_refused(folder, opened):
    data = folder({"a.png": plain(size=(300, 99)), "b.png": plain(size=(300, 100))})
    assert "a.png has 300 x 99 pixels, fewer than the crop of 100" in refusal(
        opened(data, crop=100).prepare, map, print
    )


def test_a_crop_smaller_than_what_is_made_of_it_is_refused(folder, opened):
    assert "a crop of 50 pixels" in refusal(opened, folder({"a.png": plain()}), crop=50)


def test_links_in_a_circle_are_walked_once(folder, made):
    data = folder({"sub/a.png": plain(), "b.png": plain()})
    (data / "sub" / "up").symlink_to(data)
    (data / "here").symlink_to(data / "here")
    (data / "again").symlink_to(data / "sub")
    assert len(both(made(data))) == 2


def test_a_link_to_nothing_is_an_unreadable_picture(folder, opened):
    data = folder({"a.png": plain(), "b.png": plain()})
    (data / "lost.png").symlink_to(data / "nowhere")
    (data / "loop.png").symlink_to(data / "loop.png")
    assert "loop.png can't be read: Too many levels of symbolic links" in refusal(opened(data).prepare, map, print)
    (data / "loop.png").unlink()
    assert "lost.png can't be read: No such file" in refusal(opened(data).prepare, map, print)


def test_a_name_of_two_lines_is_told_on_one(folder, opened):
    data = folder({"a\nb.png": b"", "c.png": plain()})
    assert "a\\nb.png is no picture" in refusal(opened(data).prepare, map, print)


def test_a_name_that_is_no_unicode_does_no_harm(folder, made):
    data = folder({"a.png": plain()})
    (data / os.fsdecode(b"\xff.png")).write_bytes(content(plain(), "PNG"))
    assert len(both(made(data))) == 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_no_damage_to_a_file_gives_anything_but_pixels_or_a_reason(folder, opened, kind):
    numbers = np.random.default_rng(zlib.crc32(kind.encode()))
    whole = content(noise(0, (64, 64)), kind)
    pictures = {f"whole{i}.png": plain() for i in range(30)}
    for i in range(300):
        broken = bytearray(whole)
        for place in numbers.integers(0, min(len(whole), 400 if i % 2 else len(whole)), 1 + i % 5):
            broken[place] = numbers.integers(256)
        pictures[f"{i:03}.png"] = bytes(broken[: numbers.integers(1, len(whole))] if i % 3 == 0 else broken)
    found = opened(folder(pictures), skip_bad=True)
    said = []
    found.prepare(map, said.append)
    skipped = int(said[-1].split()[0])
    assert 0 < skipped <= 300
    assert len(both(found)) == 330 - skipped


def test_a_cache_that_cant_be_written_is_refused(folder, opened, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    data = folder({"a.png": plain(), "b.png": plain()})
    message = refusal(opened(data, cache=tmp_path / "file").prepare, map, print)
    assert f"the cache {tmp_path / 'file'} can't be written" in message


# The cache


@pytest.fixture
def twenty(folder):
    return folder({f"{i:02}.png": noise(i) for i in range(20)})


def test_pictures_are_decoded_once(twenty, opened, made):
    made(twenty)

    asked = []
    pictures = opened(twenty)
    pictures.prepare(lambda *words: asked.append(words) or map(*words), print)
    assert not asked
    assert len(both(pictures)) == 20


def test_whoever_decodes_the_same_comes_out(twenty, opened, tmp_path):
    sums = []
    for number, pool in enumerate([None, ThreadPoolExecutor(3), ProcessPoolExecutor(2)]):
        pictures = opened(twenty, cache=tmp_path / f"cache{number}")
        pictures.prepare(map if pool is None else pool.map, print)
        sums.append(hashlib.sha256(both(pictures).tobytes()).hexdigest())
        if pool:
            pool.shutdown()
    assert len(set(sums)) == 1


def test_pictures_are_small_to_send_and_arrive_whole(twenty, made):
    pictures = made(twenty)
    sent = pickle.dumps(pictures)
    assert len(sent) < 2_000
    np.testing.assert_array_equal(pickle.loads(sent).train(), pictures.train())


def test_nobody_writes_into_the_cache(twenty, made):
    with pytest.raises(ValueError, match="read-only"):
        made(twenty).train()[0] = 0


def change(file, place):
    whole = bytearray(file.read_bytes())
    whole[place] ^= 1
    file.write_bytes(whole)


@pytest.mark.parametrize(
    "damage",
    [
        lambda cache: change(cache / "train", 77),
        lambda cache: change(cache / "test", -1),
        lambda cache: (cache / "train").write_bytes((cache / "train").read_bytes()[:-1]),
        lambda cache: (cache / "test").unlink(),
        lambda cache: (cache / "manifest.json").write_text("{"),
        lambda cache: (cache / "manifest.json").write_text("[]"),
        lambda cache: (cache / "manifest.json").unlink(),
    ],
)
def test_a_damaged_cache_is_made_again(twenty, made, damage):
    pictures = made(twenty)
    before = both(pictures).tobytes()
    damage(pictures.cache)
    said = []
    assert both(made(twenty, said)).tobytes() == before
    assert said[0].startswith("making")
    assert [path.name for path in pictures.cache.parent.iterdir()] == [pictures.cache.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from rlgan.images.folder import open_pictures

def map_(function, jobs):
    yield function(jobs[0])
    {end}

open_pictures(sys.argv[1], size=8, cache=Path(sys.argv[2])).prepare(map_, print)
"""


def test_what_a_killed_process_left_is_removed_and_what_another_is_making_is_not(twenty, made):
    caches = made(twenty).cache.parent
    shutil.rmtree(caches)

    def start(end):
        words = [sys.executable, "-c", KILLED.format(end=end), twenty, caches]
        return subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)

    dead = start("os.kill(os.getpid(), signal.SIGKILL)")
    dead.communicate()
    assert dead.returncode == -signal.SIGKILL
    (left,) = caches.glob(".making-*")
    other = start("print('half', flush=True); signal.pause()")
    try:
        while "half" not in other.stdout.readline():
            assert other.poll() is None
        (at_work,) = caches.glob(".making-*")
        assert at_work != left
        made(twenty)
        assert at_work.is_dir()
    finally:
        other.kill()
        other.communicate()


def test_pixels_that_are_not_there_are_said_in_one_line(twenty, opened):
    assert "start again" in refusal(opened(twenty).train)


def test_the_fingerprint_follows_names_and_content_and_not_the_place(folder, opened):
    def of(pictures):
        place = hashlib.sha256(repr(pictures).encode()).hexdigest()
        return opened(folder(pictures, place)).fingerprint

    a, b = content(noise(0), "PNG"), content(noise(1), "PNG")
    first = of({"x.png": a, "y.png": b})
    assert opened(folder({"x.png": a, "y.png": b}, "elsewhere")).fingerprint == first
    others = [{"x.png": b, "y.png": a}, {"x.png": a, "z.png": b}, {"x.png": a, "y.png": a}]
    assert len({first, *map(of, others)}) == 4


def test_pictures_that_change_between_are_refused_and_leave_nothing(twenty, opened):
    pictures = opened(twenty)
    noise(99).save(twenty / "03.png")
    assert "changed while it was read" in refusal(pictures.prepare, map, print)
    assert list(pictures.cache.parent.iterdir()) == []


PREPARE = """
import sys, pathlib
from rlgan.images.folder import open_pictures
pictures = open_pictures(sys.argv[1], cache=pathlib.Path(sys.argv[2]))
pictures.prepare(map, print)
print(len(pictures.train()), len(pictures.test()))
"""


def test_two_processes_make_the_same_cache_at_once(twenty, tmp_path):
    typed = [sys.executable, "-c", PREPARE, str(twenty), str(tmp_path / "cache")]
    running = [subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        out, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        assert out.splitlines()[-1] == "16 4"
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_another_that_is_first_wins_and_nothing_is_left_over(twenty, opened):
    pictures, other = opened(twenty), opened(twenty)
    places = []

    def late(function, items):
        if not places:
            other.prepare(map, print)
            places.append(other.cache.stat().st_ino)
        return map(function, items)

    pictures.prepare(late, print)
    assert places == [pictures.cache.stat().st_ino]
    assert len(both(pictures)) == 20
    assert len(list(pictures.cache.parent.iterdir())) == 1


def test_the_default_cache_is_where_the_user_keeps_caches(twenty, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert open_pictures(str(twenty)).cache.parent == tmp_path / "xdg" / "rlgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_pictures(str(twenty)).cache.parent == tmp_path / "home" / ".cache" / "rlgan"


# Faces


def test_faces_are_drawn_where_they_are_asked_for(made):
    pictures = made("faces", faces=30, size=16)
    assert pictures.train().shape == (25, 16, 16, 3)
    assert pictures.test().shape == (5, 16, 16, 3)
    assert len({array.tobytes() for array in both(pictures)}) == 30
    assert pictures.about == ("25 faces drawn from seed 0 to learn from, 5 held out",)


def test_other_faces_have_another_fingerprint(opened):
    sets = [opened("faces", **settings) for settings in ({}, {"faces": 11}, {"seed": 1}, {"size": 32})]
    assert len({pictures.fingerprint for pictures in sets}) == 4


def test_one_face_is_refused(opened):
    assert "ask for 2 or more" in refusal(opened, "faces", faces=1)


# Real data


def test_celebas_sample_can_be_trained_on(real, made):
    pictures = made(real("celeba_sample"))
    assert len(both(pictures)) == 32
    assert "202,567 of the 202,599 names" in " ".join(pictures.about)
    first = Image.open(real("celeba_sample") / "img_align_celeba" / "000001.jpg")
    due = first.crop((35, 55, 143, 163)).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.asarray(due).tobytes() in {array.tobytes() for array in both(pictures)}


def test_labeled_faces_are_split_by_person(real, opened):
    pictures = opened(real("lfw"))
    splits = pictures.source.jobs().values()
    train, test = ({name.rsplit("_", 1)[0] for job in jobs for name in job.names} for jobs in splits)
    assert not train & test
    assert len(train) + len(test) == 4_858
    assert pictures.about[0] == "9,143 pictures to learn from, 2,041 held out"
