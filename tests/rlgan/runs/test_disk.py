"""Disks that fill, can't be written to, or hold what should not be there: real ones, and the command line as typed."""

import hashlib
import json
import os
import pickle
import resource
import subprocess

import pytest

from rlgan.cli.main import main
from rlgan.runs.files import fingerprint


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB in memory; gives its directory."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("a disk can be mounted by root alone")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def train(small_words, all_sinks, capsys):
    """Type `rlgan train` for a small run in this process; gives the exit code, and the two things that came."""

    def run(run, *words):
        typed = [*small_words, *all_sinks, "--workers", "0", "--run-dir", str(run), *map(str, words)]
        code = main(["train", *typed])
        return code, *capsys.readouterr()

    return run


def _error(done):
    code, _, said = done
    assert code == 1, said
    (line,) = [line for line in said.splitlines() if line.startswith("rlgan: error: ")]
    return line


def test_a_disk_that_fills_leaves_the_checkpoint_before_it(train, disk, digest, tmp_path):
    run = disk / "run"
    assert train(run, "--steps", 2)[0] == 0
    before = digest(run, 2)
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    # A checkpoint takes 276 kB; what is recorded before it, TensorBoard's figures most of all, 105.
    (disk / "ballast").write_bytes(b"x" * (free - 200_000))
    error = _error(train(run, "--steps", 4, "--resume"))
    assert "Checkpoint 4 can't be saved: [Errno 28] No space left on device" in error
    assert error.endswith(f"the last whole checkpoint is {run}/checkpoints/2")
    assert digest(run, 2) == before
    assert os.listdir(run / "checkpoints") == ["2"]
    (disk / "ballast").unlink()
    assert "going on from step 2" in train(run, "--steps", 4, "--resume")[1]
    assert train(tmp_path / "calm", "--steps", 4)[0] == 0
    assert digest(run, 4) == digest(tmp_path / "calm", 4)


def test_a_disk_that_can_not_be_written_to_is_said_in_one_line(train, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "Read-only file system" in _error(train(disk / "run", "--steps", 1))


@pytest.mark.parametrize(
    ("limit", "due"),  # the largest file of a checkpoint has 119 kB, TensorBoard's has 20
    [(100_000, "Checkpoint 4 can't be saved"), (10_000, "Checkpoint 4 can't be saved")],
)
def test_a_limit_on_the_size_of_files_leaves_the_checkpoint_before(
    rlgan, small_words, all_sinks, train, tmp_path, digest, limit, due
):
    run = tmp_path / "run"
    assert train(run, "--steps", 2)[0] == 0
    before = digest(run, 2)
    done = rlgan(
        "train", *small_words, *all_sinks, "--workers", 0, "--run-dir", run, "--steps", 4, "--resume",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1
    # And nothing else: TensorBoard writes in a thread of its own, whose traceback would come too.
    (error,) = done.stderr.splitlines()
    assert f"rlgan: error: {due}: [Errno 27] File too large" in error
    assert error.endswith(f"the last whole checkpoint is {run}/checkpoints/2")
    assert digest(run, 2) == before


class Malice:
    """What runs when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def _put(run, step, name, content):
    """Replace a file of a checkpoint by one that its manifest says is right."""
    folder = run / "checkpoints" / str(step)
    (folder / f"{name}.safetensors").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["sha256_of_the_rest"]
    manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
    manifest["sha256_of_the_rest"] = fingerprint(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_malicious_pickle_in_a_checkpoint_is_not_loaded(train, tmp_path, capsys):
    run, mark = tmp_path / "run", tmp_path / "harmed"
    assert train(run, "--steps", 4, "--checkpoint-every", 2)[0] == 0
    pickle.loads(pickle.dumps(Malice(tmp_path / "it works")))
    assert (tmp_path / "it works").exists()
    _put(run, 4, "generator", pickle.dumps(Malice(mark)))
    assert main(["sample", str(run), "--count", "1"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Checkpoint 4 is not whole")
    assert "going on from step 2" in train(run, "--steps", 4, "--resume")[1]
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["checkpoints/2/generator.safetensors", "checkpoints/2", "checkpoints", "log.txt", ".lock", "events"]
)
def test_a_link_that_leads_out_of_a_run_is_refused_and_what_it_leads_to_left_alone(train, tmp_path, capsys, name):
    run, outside = tmp_path / "run", tmp_path / "outside"
    assert train(run, "--steps", 2)[0] == 0
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    before = _contents(outside)
    for words in (["train", "--run-dir", run, "--resume", "--steps", "4"], ["sample", run], ["evaluate", run]):
        assert main(list(map(str, words))) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"rlgan: error: {run}/{name} is a symbolic link that leads out of the run")
    assert _contents(outside) == before


def _contents(place):
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return {file: file.read_bytes() for file in files}


def test_a_run_may_be_a_link_and_have_links_within(train, tmp_path):
    (tmp_path / "large disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "large disk")
    assert train(tmp_path / "run", "--steps", 2)[0] == 0
    (tmp_path / "run" / "newest").symlink_to("checkpoints/2")
    assert train(tmp_path / "run", "--steps", 3, "--resume")[0] == 0


def test_secrets_of_the_environment_are_written_nowhere(train, tmp_path, monkeypatch):
    secrets = {"AWS_SECRET_ACCESS_KEY": "f00dcafe" * 5, "RAY_AUTH_TOKEN": "0badc0de" * 8}
    for name, secret in secrets.items():
        monkeypatch.setenv(name, secret)
    code, *said = train(tmp_path / "run", "--steps", 1)
    assert code == 0
    files = [file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert len(files) > 8
    for secret in secrets.values():
        assert not any(secret.encode() in content for content in [*files, *(text.encode() for text in said)])
