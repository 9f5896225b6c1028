"""Runs in an object store: fsspec's own in memory, and its local one by URL."""

import dataclasses
import io
import json
import subprocess
import sys
import tempfile
import uuid

import fsspec
import numpy as np
import pytest
from PIL import Image

from rlgan.cli.main import main
from rlgan.errors import RunError, UsageError
from rlgan.runs.checkpoints import Checkpoint, Checkpoints
from rlgan.runs.directory import RunDirectory
from rlgan.runs.recorder import Recorder
from rlgan.runs.sinks import DEFAULT_SINKS
from rlgan.runs.storage import RemotePath, place
from rlgan.settings import check_address
from rlgan.types import Evaluation

EVALUATION = Evaluation({"test_perplexity": 9.0}, {"reward": [0.1, 0.2]}, ["a b"], {"log_odds": np.zeros(3)})


@pytest.fixture
def address():
    """An empty place in memory."""
    return f"memory://{uuid.uuid4().hex}/run"


@pytest.fixture
def files():
    return fsspec.filesystem("memory")


def _checkpoint(step):
    tensors = {"a": np.full((2, 3), step, np.float32)}
    return Checkpoint(step, dict.fromkeys(("generator", "discriminator"), tensors), "r", 1.5)


def test_a_run_in_an_object_store_has_the_bits_of_one_on_a_disk_also_when_resumed(
    address, files, small_words, all_sinks, tmp_path, capsys, digest
):
    words = ["train", *small_words, *all_sinks, "--lag", "1", "--workers", "0", "--run-dir"]
    assert main([*words, str(tmp_path / "disk"), "--steps", "6"]) == 0
    assert main([*words, address, "--steps", "3"]) == 0
    assert main([*words, address, "--steps", "6", "--resume"]) == 0
    assert "going on from step 3" in capsys.readouterr().out
    files.get(address, str(tmp_path / "copy"), recursive=True)
    assert digest(tmp_path / "copy", 6) == digest(tmp_path / "disk", 6)

    lines = [json.loads(line) for line in (tmp_path / "copy" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 3, 6]
    log = (tmp_path / "copy" / "log.txt").read_text()
    assert log.count("step 3: ") == log.count("step 6: ") == 1
    assert "the run lies in memory://" in log

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "copy" / "events"))
    events.Reload()
    assert [event.step for event in events.Scalars("1_quality/02_test_perplexity")] == [0, 3, 6]

    assert main(["sample", address, "--count", "2"]) == 0
    assert main(["evaluate", address, "--quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["step"] == 6


def test_a_url_of_a_local_file_is_a_path(small_words, tmp_path):
    run = tmp_path / "run"
    assert place(f"file://{run}") == run
    assert main(["train", *small_words, "--workers", "0", "--steps", "1", "--run-dir", f"file://{run}"]) == 0
    assert (run / "checkpoints" / "1" / "manifest.json").is_file()


def test_a_checkpoint_without_its_manifest_is_passed_over_and_set_aside(address, files):
    checkpoints = Checkpoints(place(address) / "checkpoints", keep=2)
    checkpoints.save(_checkpoint(1))
    checkpoints.save(_checkpoint(2))
    # As when the process is killed: the manifest comes last.
    files.rm(f"{address}/checkpoints/2/manifest.json")
    lines = []
    found = checkpoints.newest(lines.append)
    assert found is not None
    assert found.step == 1
    assert "Checkpoint 2 is not whole" in lines[0]
    assert checkpoints.set_aside_broken(lines.append, "r").step == 1
    assert checkpoints.steps() == [1]
    checkpoints.save(_checkpoint(2))
    assert checkpoints.load(2).step == 2


def test_the_manifest_is_written_last(address, monkeypatch):
    written = []
    write = RemotePath.write_bytes
    monkeypatch.setattr(
        RemotePath, "write_bytes", lambda path, content: written.append(path.name) or write(path, content)
    )
    Checkpoints(place(address) / "checkpoints").save(_checkpoint(1))
    assert written[-1] == "manifest.json"
    assert len(written) == 3


def test_a_store_that_fails_leaves_the_checkpoint_before(address, monkeypatch):
    checkpoints = Checkpoints(place(address) / "checkpoints", keep=2)
    checkpoints.save(_checkpoint(1))

    def fail(*_):
        raise PermissionError("403")

    with monkeypatch.context() as patch:
        patch.setattr(RemotePath, "write_bytes", fail)
        with pytest.raises(RunError, match=r"Checkpoint 2 can't be saved: 403; .*memory://.*/checkpoints/1$"):
            checkpoints.save(_checkpoint(2))
    assert checkpoints.load(1).step == 1


def test_a_step_that_can_not_be_saved_again_stays_as_it_was(address, monkeypatch):
    checkpoints = Checkpoints(place(address) / "checkpoints")
    checkpoints.save(_checkpoint(1))

    def fail(*_):
        raise PermissionError("403")

    with monkeypatch.context() as patch:
        patch.setattr(RemotePath, "write_bytes", fail)
        with pytest.raises(RunError, match=r"can't be saved: 403; the last whole .*/checkpoints/1$"):
            checkpoints.save(dataclasses.replace(_checkpoint(1), score=4.0))
    assert checkpoints.load(1).score is None
    checkpoints.save(dataclasses.replace(_checkpoint(1), score=4.0))
    assert checkpoints.best_score() == 4.0


def test_pictures_of_a_resumed_run_are_animated_from_the_first_on(address):
    picture = np.zeros((4, 4, 3), np.uint8)
    for steps in ((0, 1), (2, 3)):
        run = RunDirectory(address)
        run.claim()
        recorder = Recorder(run, ("pictures",), lambda *_: None)
        recorder.rewind(after=steps[0] - 1)
        for step in steps:
            evaluation = Evaluation({}, {}, [], {}, pictures={"grid": picture + step}, animated=("grid",))
            recorder.evaluation(step, evaluation, {"epoch": float(step)}, {}, {})
        recorder.close()
        run.close()
    with Image.open(io.BytesIO((place(address) / "pictures" / "grid.gif").read_bytes())) as animation:
        assert animation.n_frames == 4


def test_the_process_that_claims_a_run_last_has_it_and_the_other_stops_at_its_next_evaluation(address):
    first, second = RunDirectory(address), RunDirectory(address)
    first.claim()
    recorder = Recorder(first, DEFAULT_SINKS, lambda *_: None)
    recorder.rewind(after=-1)
    recorder.evaluation(0, EVALUATION, {"epoch": 0.0}, {}, {})
    second.claim()
    with pytest.raises(RunError, match="taken over by another process"):
        recorder.evaluation(1, EVALUATION, {"epoch": 0.0}, {}, {})
    recorder.close()
    first.close()
    assert [json.loads(line)["step"] for line in second.metrics_file.read_bytes().splitlines()] == [0]
    second.close()


def test_an_address_that_nothing_opens_is_said(small_words, capsys):
    assert main(["train", *small_words, "--run-dir", "nowhere://x/y"]) == 1
    assert capsys.readouterr().err == "rlgan: error: nowhere:// can't be opened: Protocol not known: nowhere\n"


def test_what_a_store_raises_is_said_in_one_line(address, small_words, monkeypatch, capsys):
    class NoCredentialsError(Exception):
        pass

    def fail(*_, **__):
        raise NoCredentialsError("Unable to locate credentials")

    words = ["train", *small_words, "--workers", "0", "--steps", "1", "--run-dir", address]
    due = "the store can't be used: NoCredentialsError: Unable to locate credentials"
    with monkeypatch.context() as patched:
        patched.setattr(type(fsspec.filesystem("memory")), "exists", fail)
        assert main(words) == 1
        assert capsys.readouterr().err == f"rlgan: error: {due}\n"
    assert main(words) == 0
    with monkeypatch.context() as patched:
        patched.setattr(type(fsspec.filesystem("memory")), "cat_file", fail)
        with pytest.raises(RunError, match="can't be read"):  # and does not count as broken
            RunDirectory(address).checkpoints.set_aside_broken(print, "recipe")
    assert RunDirectory(address).checkpoints.steps() == [1]
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", fail)
    assert main([*words[:-4], "--steps", "2", "--resume", "--run-dir", address]) == 1
    assert due in capsys.readouterr().err.splitlines()[-1]


def test_a_run_that_fails_leaves_its_log_in_the_store_and_nothing_here(
    address, files, small_words, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ["--workers", "0", "--steps", "9", "--generator-learning-rate", "1e30", "--on-collapse", "stop"]
    assert main(["train", *small_words, *words, "--run-dir", address]) == 1
    assert "The run stopped, as --on-collapse asks" in capsys.readouterr().err
    assert b"ALARM: The generator collapsed" in files.cat_file(f"{address}/log.txt")  # said after the last copy
    assert not list(tmp_path.glob("rlgan-*"))


def test_an_address_of_azure_or_one_in_another_is_none_with_a_password():
    check_address("--run-dir", "abfs://container@account.dfs.core.windows.net/run")
    for address in ("zip://a.zip::ftp://me:secret@host/x", "https://token@host/run", "abfs://a:secret@account/run"):
        with pytest.raises(UsageError, match="contains a user name or a password"):
            check_address("--run-dir", address)


def test_an_address_with_a_password_is_refused_and_not_repeated(small_words, capsys):
    assert main(["train", *small_words, "--run-dir", "ftp://me:secret@host/run"]) == 2
    said = capsys.readouterr()
    assert "contains a user name or a password" in said.err
    assert "secret" not in said.err + said.out


def test_opening_an_object_store_needs_no_torch():
    """The command line answers at once."""
    code = "import sys, rlgan.runs.storage; print('torch' in sys.modules, 'ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False False"
