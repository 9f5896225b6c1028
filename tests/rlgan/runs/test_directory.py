import errno
import fcntl
from contextlib import nullcontext

import pytest

from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory, check_saved


@pytest.mark.parametrize("name", ["checkpoints", "metrics.jsonl", "log.txt", "seed-3"])
def test_a_directory_with_a_part_of_a_run_is_refused_and_left_alone(tmp_path, name):
    run = RunDirectory(tmp_path / "run")
    run.check(resume=False)
    assert not run.path.exists()
    run.path.mkdir()
    run.check(resume=False)
    (run.path / name).write_text("x")
    for resume in (False, True):
        with pytest.raises(RunError, match="is not empty"):
            run.check(resume=resume)
    assert (run.path / name).read_text() == "x"


@pytest.mark.parametrize("name", ["lost+found", ".DS_Store", ".gitkeep", ".nfs00001", "slurm-1.out", "thesis.tex"])
def test_what_is_none_of_a_run_does_not_count(tmp_path, name):
    (tmp_path / name).write_text("x")
    for resume in (False, "auto"):
        RunDirectory(tmp_path).check(resume=resume)
    with pytest.raises(RunError, match="holds no run to go on with: give --resume auto"):
        RunDirectory(tmp_path).check(resume=True)
    assert (tmp_path / name).read_text() == "x"


def test_a_run_that_was_killed_before_it_had_a_config_can_be_started_again(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.claim()
    for resume in (False, "auto"):
        run.check(resume=resume)
    (run.path / "metrics.jsonl").write_text("")
    with pytest.raises(RunError, match="holds no run"):
        run.check(resume=True)


CONFIG = {"task": "text", "recipe": {}, "run": {}, "recipe_id": "1"}


def test_a_run_that_has_not_begun_can_be_started_again_and_one_that_has_can_not(tmp_path):
    run = RunDirectory(tmp_path)
    run.save_config(CONFIG, ())
    run.check(resume=False)
    (tmp_path / "checkpoints" / "100").mkdir(parents=True)
    with pytest.raises(RunError, match="is not empty"):
        run.check(resume=False)


def test_another_run_that_was_started_meanwhile_is_not_replaced(tmp_path):
    run = RunDirectory(tmp_path)
    check_saved(run, None)
    run.save_config(CONFIG, ())
    check_saved(run, None)  # it has not begun
    run.metrics_file.write_text("{}")
    check_saved(run, CONFIG)
    for saved in (None, CONFIG | {"recipe_id": "2"}):
        with pytest.raises(RunError, match="another run, which was started meanwhile"):
            check_saved(run, saved)


def test_a_place_where_nothing_can_be_made_is_one_line():
    with pytest.raises(RunError, match=r"/dev/null/run can't be written: .*; give another --run-dir"):
        RunDirectory("/dev/null/run").claim()


def test_two_processes_do_not_share_a_run(tmp_path):
    first, second = RunDirectory(tmp_path), RunDirectory(tmp_path)
    first.claim()
    with pytest.raises(RunError, match="in use by another process"):
        second.claim()


@pytest.mark.parametrize(
    ("number", "refused"), [(errno.ENOSYS, False), (errno.ENOLCK, False), (errno.EINVAL, False), (errno.EIO, True)]
)
def test_a_disk_that_knows_no_locks_can_hold_a_run_and_one_whose_locks_fail_can_not(
    tmp_path, monkeypatch, number, refused
):
    def fail(*_):
        raise OSError(number, "locks")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(RunError, match=r"can't be written: .*locks") if refused else nullcontext():
        RunDirectory(tmp_path / "run").claim()
