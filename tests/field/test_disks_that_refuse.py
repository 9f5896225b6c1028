"""Disks and shares that refuse what is only nice to have: locks, and folders that are written through."""

import errno
import fcntl
import os
import stat

import numpy as np
import pytest

from rlgan.errors import DataError
from rlgan.images.cache import Cache
from rlgan.images.pictures import open_pictures
from rlgan.images.sources import Request


@pytest.fixture
def on_a_disk(typed, monkeypatch):
    """Run the command line where flock, and fsync of a folder, give errors."""
    written_through = os.fsync

    def run(*words, locks=0, folders=0):
        def flock(*_):
            raise OSError(locks, os.strerror(locks))

        def fsync(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(folders, os.strerror(folders))
            written_through(descriptor)

        with monkeypatch.context() as disk:
            if locks:
                disk.setattr(fcntl, "flock", flock)
            if folders:
                disk.setattr(os, "fsync", fsync)
            return typed(*words)

    return run


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EINVAL])
def test_a_share_without_a_lock_server_is_a_line(on_a_disk, gaussian, tmp_path, number):
    done = on_a_disk(*gaussian, "--steps", 2, "--run-dir", tmp_path / "run", locks=number)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("this disk has no locks") == 1


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES])
def test_a_share_that_writes_no_folder_through_is_a_line(on_a_disk, gaussian, tmp_path, number):
    words = [*gaussian, "--steps", 4, "--checkpoint-every", 1, "--run-dir", tmp_path / "run"]
    done = on_a_disk(*words, folders=number)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("can't write a folder through") == 1
    assert (tmp_path / "run" / "checkpoints" / "4").is_dir()


@pytest.mark.parametrize(("locks", "folders"), [(errno.EIO, 0), (0, errno.EIO), (0, errno.ENOSPC)])
def test_a_disk_that_fails_ends_the_run_in_one_line(on_a_disk, gaussian, tmp_path, locks, folders):
    done = on_a_disk(*gaussian, "--steps", 2, "--run-dir", tmp_path / "run", locks=locks, folders=folders)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert os.strerror(locks or folders) in line


def test_others_may_read_a_cache_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        pictures = open_pictures(Request("faces", size=8, faces=12), cache=tmp_path)
        pictures.prepare(map, lambda _: None)
    finally:
        os.umask(before)
    assert pictures.cache.stat().st_mode & 0o777 == 0o755
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in pictures.cache.iterdir())
    assert isinstance(pictures.train(), np.ndarray)


def test_a_cache_of_another_user_who_lets_nobody_read_it_names_the_flag(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o000)
    if os.access(folder, os.R_OK | os.X_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DataError, match="--cache"):
        Cache(folder, "x").manifest(check=True)
