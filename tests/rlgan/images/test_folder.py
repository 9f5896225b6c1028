import os

import numpy as np
from sample_pictures import both, content, plain


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


def test_the_same_name_in_two_folders_is_two_people_where_people_are_asked_for(folder, opened):
    names = [f"{sub}/A_{n}.png" for sub in range(20) for n in range(2)]
    assert "by person: 20 " in " ".join(opened(folder(dict.fromkeys(names, plain())), split="person").about)


def test_names_that_tell_no_people_are_split_by_picture(folder, made):
    pictures = made(folder({f"img_{i:04}.png": plain((i, 0, 0), (64, 64)) for i in range(30)}))
    assert (len(pictures.train()), len(pictures.test())) == (24, 6)
    assert "by picture" in " ".join(pictures.about)


def test_hidden_files_and_other_files_are_no_pictures(folder, made):
    pictures = made(
        folder({"a.png": plain(), "b.JPEG": plain(), "._a.png": b"of macOS", "notes.txt": b"", ".git/x.png": b""})
    )
    assert len(both(pictures)) == 2


def test_a_directory_that_is_none_is_refused(tmp_path, opened, refusal):
    assert "no directory" in refusal(opened, tmp_path / "nowhere")
    (tmp_path / "pictures.zip").write_bytes(b"PK")
    assert "is a file" in refusal(opened, tmp_path / "pictures.zip")
    (tmp_path / "empty").mkdir()
    assert "has no pictures (jpg" in refusal(opened, tmp_path / "empty")


def test_a_single_picture_is_refused(folder, opened, refusal):
    assert "one picture" in refusal(opened, folder({"a.png": plain()}))


def test_links_in_a_circle_are_walked_once(folder, made):
    data = folder({"sub/a.png": plain(), "b.png": plain()})
    (data / "sub" / "up").symlink_to(data)
    (data / "here").symlink_to(data / "here")
    (data / "again").symlink_to(data / "sub")
    assert len(both(made(data))) == 2


def test_a_link_to_nothing_is_an_unreadable_picture(folder, opened, refusal):
    data = folder({"a.png": plain(), "b.png": plain()})
    (data / "lost.png").symlink_to(data / "nowhere")
    (data / "loop.png").symlink_to(data / "loop.png")
    assert "loop.png can't be read: Too many levels of symbolic links" in refusal(opened(data).prepare, map, print)
    (data / "loop.png").unlink()
    assert "lost.png can't be read: No such file" in refusal(opened(data).prepare, map, print)


def test_a_name_of_two_lines_is_told_on_one(folder, opened, refusal):
    data = folder({"a\nb.png": b"", "c.png": plain()})
    assert "a\\nb.png is no picture" in refusal(opened(data).prepare, map, print)


def test_a_name_that_is_no_unicode_does_no_harm(folder, made):
    data = folder({"a.png": plain()})
    (data / os.fsdecode(b"\xff.png")).write_bytes(content(plain(), "PNG"))
    assert len(both(made(data))) == 2


def test_labeled_faces_are_split_by_person(real, opened):
    pictures = opened(real("lfw"))
    splits = pictures.source.jobs().values()
    train, test = ({name.rsplit("_", 1)[0] for job in jobs for name in job.names} for jobs in splits)
    assert not train & test
    assert len(train) + len(test) == 4_858
    assert pictures.about[0] == "9,143 pictures to learn from, 2,041 held out"
