import errno
import fcntl
import hashlib
import json
import os
import pickle
import shutil
import time
from contextlib import nullcontext

import numpy as np
import pytest

from rlgan.errors import RunError
from rlgan.runs.directory import BrokenCheckpointError, Checkpoint, Checkpoints, Recorder, RunDirectory, fingerprint
from rlgan.types import Evaluation, Weights


def _checkpoint(step, score=None, **changes):
    tensors = {"a": np.full((2, 3), step, np.float32), "b": np.zeros((), np.float32)}
    state = dict.fromkeys(("generator", "discriminator", "generator_optimizer"), tensors)
    options = {"recipe": "r", "seconds": 1.5, "score": score} | changes
    return Checkpoint(step=step, state=state, **options)


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", keep=2)


def _said(checkpoints, recipe=None):
    lines = []
    return checkpoints.newest(lines.append, recipe), lines


def test_what_was_saved_is_what_is_loaded(checkpoints):
    lagged = [Weights(6, {"a": np.ones(2, np.float32)}, {"b": np.zeros(3, np.float32)})]
    checkpoints.save(_checkpoint(7, score=3.25, lagged=lagged))
    loaded = checkpoints.load(7, "r")
    assert (loaded.step, loaded.recipe, loaded.seconds, loaded.score) == (7, "r", 1.5, 3.25)
    assert loaded.state.keys() == {"generator", "discriminator", "generator_optimizer"}
    np.testing.assert_array_equal(loaded.weights.generator["a"], np.full((2, 3), 7))
    assert [weights.version for weights in loaded.lagged] == [6]
    np.testing.assert_array_equal(loaded.lagged[0].generator["a"], [1, 1])
    assert (checkpoints.folder / "7" / "generator.safetensors").is_file()
    assert (checkpoints.folder / "7" / "discriminator.safetensors").is_file()


def test_the_newest_and_the_best_stay(checkpoints):
    for step, score in [(1, 9.0), (2, 5.0), (3, 7.0), (4, None), (5, 8.0), (6, None)]:
        checkpoints.save(_checkpoint(step, score))
    assert checkpoints.steps() == [2, 5, 6]
    assert checkpoints.best() == 2
    assert checkpoints.best_score() == 5.0


def test_none_is_infinitely_bad(checkpoints):
    assert checkpoints.best() is None
    assert checkpoints.best_score() == float("inf")
    assert _said(checkpoints) == (None, [])


def _cut_short(place):
    file = place / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:-4])


def _flip_a_byte(place):
    file = place / "generator.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _lose_a_file(place):
    (place / "discriminator.safetensors").unlink()


def _lose_the_manifest(place):
    (place / "manifest.json").unlink()


def _spoil_the_manifest(place):
    (place / "manifest.json").write_text("<html>quota exceeded</html>")


def _turn_a_bit_of_the_step(place):
    file = place / "manifest.json"
    content = file.read_text()
    assert '"step": 2' in content
    file.write_text(content.replace('"step": 2', '"step": 3'))


def _turn_a_bit_of_the_time(place):
    file = place / "manifest.json"
    content = file.read_text()
    assert '"seconds": 1.5' in content
    file.write_text(content.replace('"seconds": 1.5', '"seconds": 3.5'))


def _take_the_place_of_another(place):
    content = (place.parent / "1" / "manifest.json").read_text()
    (place / "manifest.json").write_text(content)


def _sealed(place, sums):
    """A manifest with other sums, whole as far as it says itself."""
    manifest = json.loads((place / "manifest.json").read_text())
    del manifest["sha256_of_the_rest"]
    manifest["sha256"] |= sums
    manifest["sha256_of_the_rest"] = fingerprint(manifest)
    (place / "manifest.json").write_text(json.dumps(manifest))


def _replace_by_a_pickle(place):
    content = pickle.dumps({"a": np.zeros(2)})
    (place / "generator.safetensors").write_bytes(content)
    _sealed(place, {"generator": hashlib.sha256(content).hexdigest()})


def _name_a_file_elsewhere(place):
    _sealed(place, {"../../secret": "0" * 64})


HARMS = [
    _cut_short, _flip_a_byte, _lose_a_file, _lose_the_manifest, _spoil_the_manifest, _replace_by_a_pickle,
    _name_a_file_elsewhere, _turn_a_bit_of_the_step, _turn_a_bit_of_the_time, _take_the_place_of_another,
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
def test_a_checkpoint_that_is_not_whole_is_passed_over_and_that_is_said(checkpoints, harm):
    checkpoints.save(_checkpoint(1))
    checkpoints.save(_checkpoint(2))
    harm(checkpoints.folder / "2")
    with pytest.raises(BrokenCheckpointError, match="checkpoint 2"):
        checkpoints.load(2)
    found, lines = _said(checkpoints)
    assert found is not None
    assert found.step == 1
    assert len(lines) == 1
    assert lines[0].startswith("checkpoint 2")
    assert "\n" not in lines[0]


def test_a_checkpoint_of_another_recipe_is_passed_over(checkpoints):
    checkpoints.save(_checkpoint(1))
    checkpoints.save(_checkpoint(2, recipe="other"))
    found, lines = _said(checkpoints, "r")
    assert found is not None
    assert found.step == 1
    assert "another recipe" in lines[0]


def test_a_disk_that_fills_leaves_the_checkpoint_before(checkpoints, monkeypatch):
    checkpoints.save(_checkpoint(1))
    calls = iter(range(100))

    def fill(_):
        if next(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fill)
    with pytest.raises(RunError, match=r"checkpoint 2 can't be saved: .*No space left.*/checkpoints/1"):
        checkpoints.save(_checkpoint(2))
    assert [entry.name for entry in checkpoints.folder.iterdir()] == ["1"]
    assert checkpoints.load(1).step == 1


def test_a_save_that_was_killed_leaves_nothing_that_counts(checkpoints):
    checkpoints.save(_checkpoint(1))
    shutil.copytree(checkpoints.folder / "1", checkpoints.folder / ".2.partial")
    assert checkpoints.steps() == [1]
    checkpoints.save(_checkpoint(2))
    assert checkpoints.load(2).step == 2


def test_who_goes_on_removes_what_a_killed_save_left(checkpoints):
    checkpoints.save(_checkpoint(1))
    shutil.copytree(checkpoints.folder / "1", checkpoints.folder / ".2.partial")
    assert checkpoints.set_aside_broken(print, "r").step == 1
    assert os.listdir(checkpoints.folder) == ["1"]


def test_what_a_link_in_the_place_of_a_checkpoint_leads_to_is_neither_removed_nor_written_to(checkpoints, tmp_path):
    outside = tmp_path / "outside"
    for step in (1, 2, 3):
        checkpoints.save(_checkpoint(step))
        if step == 1:
            shutil.move(checkpoints.folder / "1", outside)
            (checkpoints.folder / "1").symlink_to(outside)
    before = {file.name: file.read_bytes() for file in outside.iterdir()}
    checkpoints.save(_checkpoint(4))
    (checkpoints.folder / "5").symlink_to(outside)
    (checkpoints.folder / ".6.partial").symlink_to(outside)
    for step in (5, 6):
        with pytest.raises(RunError, match=f"checkpoint {step} can't be saved"):
            checkpoints.save(_checkpoint(step))
    checkpoints.set_aside_broken(print, "other")
    assert {file.name: file.read_bytes() for file in outside.iterdir()} == before


def test_a_directory_with_something_in_it_is_refused_and_left_alone(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.check(resume=False)
    assert not run.path.exists()
    run.path.mkdir()
    run.check(resume=False)
    (run.path / "thesis.tex").write_text("x")
    for resume in (False, True):
        with pytest.raises(RunError, match="is not empty"):
            run.check(resume=resume)
    assert (run.path / "thesis.tex").read_text() == "x"


def test_a_run_that_was_killed_before_it_had_a_config_can_be_started_again(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.claim()
    for resume in (False, True):
        run.check(resume=resume)
    (run.path / "metrics.jsonl").write_text("")
    with pytest.raises(RunError, match="holds no run"):
        run.check(resume=True)


def test_two_processes_do_not_share_a_run(tmp_path):
    first, second = RunDirectory(tmp_path), RunDirectory(tmp_path)
    first.claim()
    with pytest.raises(RunError, match="in use by another process"):
        second.claim()


EVALUATION = Evaluation({"test_perplexity": 9.0}, {"reward": [0.1, 0.2]}, ["a b"], {"log_odds": np.zeros(3)})


def _lines(run):
    return [json.loads(line) for line in run.metrics_file.read_text().splitlines()]


def test_a_resume_takes_back_what_was_recorded_after_its_checkpoint(tmp_path):
    run = RunDirectory(tmp_path)
    recorder = Recorder(run, after=-1)
    assert recorder.last_step == -1
    for step in (0, 10, 20):
        recorder.evaluation(step, {"method": "mle"}, EVALUATION, {"epoch": 0.1}, {"local": 2})
    assert recorder.last_step == 20
    recorder.close()
    with run.metrics_file.open("a") as file:
        file.write('{"step": 30, "test_per')  # killed while it wrote
    recorder = Recorder(run, after=10)
    assert recorder.last_step == 10
    recorder.evaluation(20, {}, EVALUATION, {}, {})
    recorder.close()
    assert [line["step"] for line in _lines(run)] == [0, 10, 20]
    assert _lines(run)[0] == {
        "step": 0, "method": "mle", "test_perplexity": 9.0, "reward": [0.1, 0.2], "epoch": 0.1,
        "shards_by_worker": {"local": 2},
    }  # fmt: skip


def test_a_byte_of_the_metrics_that_is_no_utf_8_does_not_stop_a_resume(tmp_path):
    run = RunDirectory(tmp_path)
    run.metrics_file.write_bytes(b'{"step": 0, "note": "\xff"}\n{"step": 5}\n')
    recorder = Recorder(run, after=0)
    assert recorder.last_step == 0
    recorder.close()


@pytest.mark.parametrize(("number", "refused"), [(errno.ENOSYS, False), (errno.ENOLCK, True)])
def test_a_disk_that_knows_no_locks_can_hold_a_run_and_one_whose_locks_fail_can_not(
    tmp_path, monkeypatch, number, refused
):
    def fail(*_):
        raise OSError(number, "locks")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="locks") if refused else nullcontext():
        RunDirectory(tmp_path / "run").claim()


def test_tensorboard_reads_scalars_histograms_and_texts_and_forgets_what_was_taken_back(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunDirectory(tmp_path)
    recorder = Recorder(run, after=-1)
    for step in (0, 10, 20):
        recorder.evaluation(step, {"method": "mle"}, EVALUATION, {}, {})
    recorder.close()
    time.sleep(1.1)  # TensorBoard orders files by the second, and then by a number that is no number to it: 10 before 9
    recorder = Recorder(run, after=10)
    recorder.training(15, {"loss": 2.0})
    recorder.close()
    events = EventAccumulator(str(run.events))
    events.Reload()
    tags = events.Tags()
    assert {"evaluation/test_perplexity", "positions/reward/01", "positions/reward/02", "training/loss"} <= set(
        tags["scalars"]
    )
    assert tags["histograms"] == ["log_odds"]
    assert tags["tensors"] == ["samples/text_summary"]
    assert [event.step for event in events.Scalars("evaluation/test_perplexity")] == [0, 10]
