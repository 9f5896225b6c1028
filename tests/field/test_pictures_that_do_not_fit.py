"""Directories of pictures as they are found: other layouts of CelebA, classes, train and test folders, other files."""

import csv
import os
import tempfile

import pytest
from PIL import features
from sample_pictures import both, content, noise, plain

from rlgan.errors import DataError
from rlgan.images import known_files
from rlgan.images.pictures import open_pictures
from rlgan.images.sources import Request

PARTITION = {"000001.jpg": 0, "000002.jpg": 0, "000003.jpg": 1, "000004.jpg": 2, "000005.jpg": 0}


@pytest.fixture
def opened(tmp_path):
    def open_(data, **request):
        return open_pictures(Request(str(data), **request), cache=tmp_path / "cache")

    return open_


def save(folder, names, colours=False):
    """Write small pictures; each of its own colour where they are to be told apart."""
    for number, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        plain((number % 256, number // 256, 9) if colours else (1, 2, 3), (64, 64)).save(file)
    return folder


def celeba(folder, pictures, partition):
    """CelebA with its pictures and its partition at these places."""
    for number, name in enumerate(PARTITION):
        file = folder / pictures / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(noise(number, (178, 218)), "PNG"))
    file = folder / partition
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        with file.open("w", newline="") as opened:
            csv.writer(opened).writerows([("image_id", "partition"), *PARTITION.items()])
    else:
        file.write_text("".join(f"{name} {split}\n" for name, split in PARTITION.items()))
    return folder


LAYOUTS = [
    ("img_align_celeba/img_align_celeba", "list_eval_partition.csv", ""),  # Kaggle's
    ("img_align_celeba/img_align_celeba", "list_eval_partition.csv", "img_align_celeba"),
    ("img_align_celeba/img_align_celeba", "list_eval_partition.csv", "img_align_celeba/img_align_celeba"),
    ("Img/img_align_celeba", "Eval/list_eval_partition.txt", ""),  # as its authors offer it
    ("Img/img_align_celeba", "Eval/list_eval_partition.txt", "Img/img_align_celeba"),
    ("celeba/img_align_celeba", "celeba/list_eval_partition.txt", ""),  # torchvision's root
    ("img_align_celeba", "list_eval_partition.txt", "img_align_celeba"),
    ("img_align_celeba", "img_align_celeba/list_eval_partition.txt", ""),
]


@pytest.mark.parametrize(("pictures", "partition", "given"), LAYOUTS)
def test_every_layout_of_celeba_is_the_same_data_set_as_the_original(tmp_path, opened, pictures, partition, given):
    original = opened(celeba(tmp_path / "original", "img_align_celeba", "list_eval_partition.txt"))
    other = opened(celeba(tmp_path / "other", pictures, partition) / given)
    assert other.fingerprint == original.fingerprint
    assert (other.crop, other.split) == (original.crop, original.split) == (108, "partition")
    other.prepare(map, [].append)
    assert len(other.train()) == 3


def test_celeba_without_a_partition_is_split_as_advised_and_keeps_its_crop(tmp_path, opened):
    data = celeba(tmp_path / "celeba", "img_align_celeba", "elsewhere/list")
    for given in (data, data / "img_align_celeba"):
        with pytest.raises(DataError, match=r"no list_eval_partition\.txt: .*--split picture"):
            opened(given)
    pictures = opened(data, split="picture")
    assert pictures.crop == 108
    assert "split by picture, not by CelebA's partition" in pictures.about
    assert pictures.fingerprint == opened(data / "img_align_celeba", split="picture").fingerprint


def classes(name):
    return [name.format(folder=f"class{folder:02}", n=n) for folder in range(25) for n in range(4)]


@pytest.mark.parametrize(
    "name", ["{folder}/img_{n:04}.png", "{folder}/Name_{n}.png", "{folder}/{folder}_{n}.png", "{folder}/{n}.png"]
)
def test_a_class_per_folder_is_split_by_picture_and_said(tmp_path, opened, name):
    pictures = opened(save(tmp_path / "data", classes(name)))
    assert pictures.split == "picture"
    assert pictures.about[0] == "80 pictures to learn from, 20 held out"
    assert "split by picture" in pictures.about[1]


def test_classes_in_one_folder_with_many_pictures_each_are_split_by_picture(tmp_path, opened):
    names = [f"breed{breed}_{n}.png" for breed in range(20) for n in range(25)]
    assert opened(save(tmp_path / "data", names)).split == "picture"


def test_people_are_held_out_whole_also_from_folders_of_their_own(tmp_path, opened):
    names = [f"First_Last{who}/First_Last{who}_{n:04}.png" for who in range(40) for n in range(1 + (who % 5 == 0))]
    pictures = opened(save(tmp_path / "data", names))
    assert "split by person: 40 by folder and name without its number" in pictures.about


@pytest.mark.parametrize(("split", "held_out"), [("person", 20), ("picture", 20)])
def test_the_split_that_is_typed_is_taken(tmp_path, opened, split, held_out):
    pictures = opened(save(tmp_path / "data", classes("{folder}/img_{n:04}.png"), colours=True), split=split)
    pictures.prepare(map, [].append)
    assert len(pictures.test()) == held_out
    folders = {int(picture[0, 0, 0]) // 4 for picture in pictures.test()}
    assert (len(folders) == 5) == (split == "person")


@pytest.mark.parametrize(("held_out", "extra"), [("test", "val"), ("val", "none"), ("Testing", "validation")])
def test_a_folder_with_train_and_test_keeps_its_own_split(tmp_path, opened, held_out, extra):
    names = [f"train/cats/{n}.png" for n in range(8)] + [f"{held_out}/cats/{n}.png" for n in range(4)]
    more = [f"{extra}/cats/{n}.png" for n in range(3)] if extra != "none" else ["cover.png"]
    pictures = opened(save(tmp_path / "data", names + more))
    assert pictures.about[0] == "8 pictures to learn from, 4 held out"
    assert f"split by folder: train/ to learn from, {held_out}/ held out" in pictures.about
    assert f"{len(more)} pictures outside of train/ and {held_out}/ are left out" in pictures.about


def test_other_endings_are_read_where_they_can_be_and_counted_where_not(tmp_path, opened):
    data = save(tmp_path / "data", [f"{n}.png" for n in range(8)])
    kinds = {"jfif": "JPEG", "jpe": "JPEG", "ppm": "PPM", "pgm": "PPM", "webp": "WEBP"}
    if features.check("avif"):
        kinds["avif"] = "AVIF"
    for ending, kind in kinds.items():
        picture = plain(size=(64, 64)).convert("L" if ending == "pgm" else "RGB")
        (data / f"{ending}.{ending.upper()}").write_bytes(content(picture, kind))
    for n in range(3):
        (data / f"{n}.heic").write_bytes(b"as an iPhone makes them")
    pictures = opened(data)
    pictures.prepare(map, [].append)
    assert len(both(pictures)) == 8 + len(kinds)
    assert "3 pictures can't be read here (.heic): make them PNG or JPEG to have them" in pictures.about


def test_a_folder_of_nothing_but_heic_is_refused_with_what_to_do(tmp_path, opened):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.heic").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 pictures can't be read here \(\.heic\): make them PNG or JPEG"):
        opened(tmp_path / "data")


def test_a_folder_that_is_called_as_the_drawn_faces_is_said(tmp_path, monkeypatch, opened):
    monkeypatch.chdir(tmp_path)
    assert len(opened("faces", faces=12).about) == 1
    save(tmp_path / "faces", ["a.png", "b.png"])
    assert "faces are drawn by this program; what lies here by that name is ./faces" in opened("faces", faces=12).about


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read for the fingerprint."""
    names = []
    real = known_files.read
    monkeypatch.setattr(known_files, "read", lambda file: names.append(file.name) or real(file))
    return names


def test_files_that_have_not_changed_are_not_read_again(tmp_path, opened, reads, monkeypatch):
    data = save(tmp_path / "data", [f"{n}.png" for n in range(6)], colours=True)
    monkeypatch.setattr(known_files, "SETTLED", -1)  # as if they had been written long ago
    first = opened(data)
    assert len(reads) == 6
    reads.clear()
    assert opened(data).fingerprint == first.fingerprint
    assert reads == []
    # Another content of the same size, under the same time of change of the content.
    before = (data / "3.png").stat()
    whole = bytearray((data / "3.png").read_bytes())
    whole[-1] ^= 1
    (data / "3.png").write_bytes(whole)
    os.utime(data / "3.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert opened(data).fingerprint != first.fingerprint
    assert reads == ["3.png"]


def test_a_file_that_changed_just_now_is_read_again(tmp_path, opened, reads):
    data = save(tmp_path / "data", ["a.png", "b.png"])
    opened(data)
    reads.clear()
    opened(data)
    assert sorted(reads) == ["a.png", "b.png"]


def test_a_damaged_index_is_as_good_as_none(tmp_path, opened, monkeypatch):
    data = save(tmp_path / "data", ["a.png", "b.png"])
    monkeypatch.setattr(known_files, "SETTLED", -1)
    first = opened(data).fingerprint
    (index,) = (tmp_path / "cache" / "files").iterdir()
    for damage in ("{", "[]", "null", '{"a.png": 1, "b.png": [[1], 2]}'):
        index.write_text(damage)
        assert opened(data).fingerprint == first


def test_the_reading_of_many_files_says_how_far_it_is(tmp_path, opened, monkeypatch, capsys):
    monkeypatch.setattr(known_files, "QUIET", -1.0)
    data = save(tmp_path / "data", ["a.png", "b.png"])
    opened(data)
    assert capsys.readouterr().err.splitlines()[-1] == f"reading {data}: 2 of 2 files"


def test_another_version_of_pillow_is_no_other_data_set(tmp_path, opened, monkeypatch):
    data = save(tmp_path / "data", ["a.png", "b.png"])
    first = opened(data)
    monkeypatch.setattr("PIL.__version__", "99.0")
    assert opened(data).fingerprint == first.fingerprint


@pytest.mark.parametrize("home", ["/proc/nobody", "~"])
def test_without_a_home_pictures_are_kept_among_temporary_files_and_that_is_said(tmp_path, monkeypatch, home):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)  # of a user without an entry, `~` stays as it is
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pictures = open_pictures(Request("faces", size=8, faces=12))
    said = []
    pictures.prepare(map, said.append)
    assert pictures.cache.is_relative_to(tmp_path)
    assert any(str(pictures.cache) in line for line in said)
    assert len(both(pictures)) == 12
