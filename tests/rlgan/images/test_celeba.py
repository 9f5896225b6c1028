import numpy as np
import pytest
from PIL import Image
from sample_pictures import both, content, plain


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


def test_none_of_the_train_split_is_refused(celeba, opened, refusal):
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
        ("image_id,partition\n", "is empty"),
        ("../1.jpg 0\n", "line 1 "),
        ("1.jpg 0\n1.jpg 2\n", "line 2 names 1.jpg again"),
        ("\n\n", "is empty"),
    ],
)
def test_a_partition_that_is_none_is_refused(folder, opened, lines, said, refusal):
    lines = lines if isinstance(lines, bytes) else lines.encode()
    data = folder({"img_align_celeba/1.jpg": b"", "list_eval_partition.txt": lines})
    message = refusal(opened, data)
    assert said in message
    assert "list_eval_partition.txt" in message


def test_half_of_celebas_layout_is_refused(folder, opened, refusal):
    assert "no list_eval_partition.txt" in refusal(opened, folder({"img_align_celeba/1.png": plain()}, "a"))
    assert "no img_align_celeba/" in refusal(opened, folder({"list_eval_partition.txt": FIVE.encode()}, "b"))


def test_a_folder_that_has_nothing_of_celebas_is_not_split_by_its_partition(folder, opened, refusal):
    assert "has no img_align_celeba/ and no list_eval_partition.txt" in refusal(
        opened, folder({"a.png": plain(), "b.png": plain()}), split="partition"
    )


def test_a_single_picture_is_refused(celeba, opened, refusal):
    assert "one picture" in refusal(opened, celeba(FIVE, present=["1.jpg"]))


def test_celebas_sample_can_be_trained_on(real, made):
    pictures = made(real("celeba_sample"))
    assert len(both(pictures)) == 32
    assert "202,567 of the 202,599 names" in " ".join(pictures.about)
    first = Image.open(real("celeba_sample") / "img_align_celeba" / "000001.jpg")
    due = first.crop((35, 55, 143, 163)).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.asarray(due).tobytes() in {array.tobytes() for array in both(pictures)}
