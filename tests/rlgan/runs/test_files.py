import errno
import hashlib

import pytest

from rlgan.errors import RunError
from rlgan.runs.files import fingerprint, read_json, replace, write_through


def test_what_is_written_through_is_summed_up(tmp_path):
    assert write_through(tmp_path / "a", b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_a_disk_that_fills_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    file = tmp_path / "metrics.jsonl"
    replace(file, b"old")

    def fill(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fill)
    with pytest.raises(RunError, match=r"metrics\.jsonl can't be written: .*No space left"):
        replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_not_there_or_is_no_json_is_said_in_one_line(tmp_path):
    with pytest.raises(RunError, match=r"holds no run \(no config\.json\)"):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("<html>\nquota exceeded</html>")
    with pytest.raises(RunError, match=r"config\.json can't be read: JSONDecodeError: [^\n]*$"):
        read_json(tmp_path / "config.json")


def test_a_fingerprint_is_the_sum_of_canonical_json():
    # By `printf '[{"a": 1, "b": [2, null]}, "x"]' | sha256sum`.
    due = "52891c883719d7bea32c16c9e0f91e3d8f9742594c7d85d72dcb5bf28d65afcd"
    assert fingerprint({"b": [2, None], "a": 1}, "x") == due
