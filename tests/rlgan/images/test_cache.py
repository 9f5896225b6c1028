import hashlib
import pickle
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from sample_pictures import both, content, noise, plain

from rlgan.images.pictures import open_pictures
from rlgan.images.sources import Request


def caches(folder):
    """What lies in a folder of caches, but what is kept of files that were read."""
    return [entry for entry in folder.iterdir() if entry.name != "files"]


def test_what_was_skipped_is_said_again_and_refused_without_being_asked(folder, opened, made, refusal):
    data = folder({"bad.png": b""} | {f"{letter}.png": plain() for letter in "abcdefgh"})
    made(data, skip_bad=True)
    said = []
    made(data, said, skip_bad=True)
    assert len(said) == 1
    assert "1 pictures skipped" in said[0]
    assert "bad.png" in refusal(opened(data).prepare, map, print)


def test_nothing_but_bad_pictures_is_refused_even_if_they_are_skipped(folder, opened, refusal):
    data = folder({f"{letter}.png": b"" for letter in "abcdefgh"})
    assert "no picture of the train split can be used" in refusal(opened(data, skip_bad=True).prepare, map, print)


def test_a_cache_that_cant_be_written_is_refused(folder, opened, tmp_path, refusal):
    (tmp_path / "file").write_bytes(b"")
    data = folder({"a.png": plain(), "b.png": plain()})
    message = refusal(opened(data, cache=tmp_path / "file").prepare, map, print)
    assert f"the cache {tmp_path / 'file'} can't be written" in message


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
    assert [path.name for path in caches(pictures.cache.parent)] == [pictures.cache.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from rlgan.images.pictures import open_pictures
from rlgan.images.sources import Request

def map_(function, jobs):
    yield function(jobs[0])
    {end}

open_pictures(Request(sys.argv[1], size=8), cache=Path(sys.argv[2])).prepare(map_, print)
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


def test_pixels_that_are_not_there_are_said_in_one_line(twenty, opened, refusal):
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


def test_pictures_that_change_between_are_refused_and_leave_nothing(twenty, opened, refusal):
    pictures = opened(twenty)
    noise(99).save(twenty / "03.png")
    assert "changed while it was read" in refusal(pictures.prepare, map, print)
    assert caches(pictures.cache.parent) == []


PREPARE = """
import sys, pathlib
from rlgan.images.pictures import open_pictures
from rlgan.images.sources import Request
pictures = open_pictures(Request(sys.argv[1]), cache=pathlib.Path(sys.argv[2]))
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
    assert len(caches(tmp_path / "cache")) == 1


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
    assert len(caches(pictures.cache.parent)) == 1


def test_the_default_cache_is_where_the_user_keeps_caches(twenty, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert open_pictures(Request(str(twenty))).cache.parent == tmp_path / "xdg" / "rlgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_pictures(Request(str(twenty))).cache.parent == tmp_path / "home" / ".cache" / "rlgan"
