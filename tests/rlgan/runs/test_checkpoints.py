import errno
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from rlgan.errors import RunError
from rlgan.runs.checkpoints import BrokenCheckpointError, Checkpoint, Checkpoints
from rlgan.runs.files import fingerprint
from rlgan.types import Weights


def _checkpoint(step, score=None, **changes):
    tensors = {"a": np.full((2, 3), step, np.float32), "b": np.zeros((), np.float32)}
    state = dict.fromkeys(("generator", "discriminator", "generator_optimizer"), tensors)
    options = {"recipe_id": "r", "seconds": 1.5, "score": score} | changes
    return Checkpoint(step=step, state=state, **options)


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", keep=2)


def _newest(checkpoints, recipe_id=None):
    """Give the newest whole checkpoint, and the lines that were said of the others."""
    lines = []
    return checkpoints.newest(lines.append, recipe_id), lines


def test_what_was_saved_is_what_is_loaded(checkpoints):
    lagged = [Weights(6, {"a": np.ones(2, np.float32)}, {"b": np.zeros(3, np.float32)})]
    checkpoints.save(_checkpoint(7, score=3.25, lagged=lagged))
    loaded = checkpoints.load(7, "r")
    assert (loaded.step, loaded.recipe_id, loaded.seconds, loaded.score) == (7, "r", 1.5, 3.25)
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


def test_without_checkpoints_the_best_score_is_infinite(checkpoints):
    assert checkpoints.best() is None
    assert checkpoints.best_score() == float("inf")
    assert _newest(checkpoints) == (None, [])


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


def _overwrite_the_manifest(place):
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


DAMAGES = [
    _cut_short, _flip_a_byte, _lose_a_file, _lose_the_manifest, _overwrite_the_manifest, _replace_by_a_pickle,
    _name_a_file_elsewhere, _turn_a_bit_of_the_step, _turn_a_bit_of_the_time, _take_the_place_of_another,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_is_not_whole_is_passed_over_and_that_is_newest(checkpoints, damage):
    checkpoints.save(_checkpoint(1))
    checkpoints.save(_checkpoint(2))
    damage(checkpoints.folder / "2")
    with pytest.raises(BrokenCheckpointError, match="Checkpoint 2"):
        checkpoints.load(2)
    found, lines = _newest(checkpoints)
    assert found is not None
    assert found.step == 1
    assert len(lines) == 1
    assert lines[0].startswith("Checkpoint 2")
    assert "\n" not in lines[0]


def test_a_checkpoint_of_another_recipe_is_passed_over(checkpoints):
    checkpoints.save(_checkpoint(1))
    checkpoints.save(_checkpoint(2, recipe_id="other"))
    found, lines = _newest(checkpoints, "r")
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
    with pytest.raises(RunError, match=r"Checkpoint 2 can't be saved: .*No space left.*/checkpoints/1"):
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


def test_a_step_that_is_saved_again_is_there_all_the_time(checkpoints, monkeypatch):
    """A save that is killed between its two renames leaves the checkpoint before under another name."""
    checkpoints.save(_checkpoint(3))
    rename, moved = Path.rename, []

    def killed(path, target):
        if path.name == ".3.partial":
            raise KeyboardInterrupt
        moved.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(_checkpoint(3, score=1.0))
    monkeypatch.undo()
    assert moved == ["3"]
    assert checkpoints.set_aside_broken(print, "r").step == 3
    checkpoints.save(_checkpoint(3, score=1.0))
    assert checkpoints.best_score() == 1.0
    assert [entry.name for entry in checkpoints.folder.iterdir()] == ["3"]


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
        with pytest.raises(RunError, match=f"Checkpoint {step} can't be saved"):
            checkpoints.save(_checkpoint(step))
    checkpoints.set_aside_broken(print, "other")
    assert {file.name: file.read_bytes() for file in outside.iterdir()} == before
