import zlib

import numpy as np
import pytest
from PIL import Image
from sample_pictures import GREEN, RED, both, content, noise, plain

from rlgan.images.tables import FILTERS


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
    sets = [made(data, filter=name) for name in FILTERS]
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
def test_a_picture_that_cant_be_used_is_named_and_skipped_only_if_asked(folder, opened, made, name, refusal):
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


def test_a_picture_smaller_than_the_crop_is_refused(folder, opened, refusal):
    data = folder({"a.png": plain(size=(300, 99)), "b.png": plain(size=(300, 100))})
    assert "a.png has 300 x 99 pixels, fewer than the crop of 100" in refusal(
        opened(data, crop=100).prepare, map, print
    )


def test_a_crop_smaller_than_what_is_made_of_it_is_refused(folder, opened, refusal):
    assert "a crop of 50 pixels" in refusal(opened, folder({"a.png": plain()}), crop=50)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_no_damage_to_a_file_gives_anything_but_pixels_or_a_reason(folder, opened, kind):
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    whole = content(noise(0, (64, 64)), kind)
    pictures = {f"whole{i}.png": plain() for i in range(30)}
    for i in range(300):
        broken = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 400 if i % 2 else len(whole)), 1 + i % 5):
            broken[place] = rng.integers(256)
        pictures[f"{i:03}.png"] = bytes(broken[: rng.integers(1, len(whole))] if i % 3 == 0 else broken)
    found = opened(folder(pictures), skip_bad=True)
    said = []
    found.prepare(map, said.append)
    skipped = int(said[-1].split()[0])
    assert 0 < skipped <= 300
    assert len(both(found)) == 330 - skipped
