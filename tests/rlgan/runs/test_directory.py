import errno
import fcntl
from contextlib import nullcontext

import pytest

from rlgan.errors import RunError
from rlgan.runs.directory import RunDirectory


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


@pytest.mark.parametrize(("number", "refused"), [(errno.ENOSYS, False), (errno.ENOLCK, True)])
def test_a_disk_that_knows_no_locks_can_hold_a_run_and_one_whose_locks_fail_can_not(
    tmp_path, monkeypatch, number, refused
):
    def fail(*_):
        raise OSError(number, "locks")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="locks") if refused else nullcontext():
        RunDirectory(tmp_path / "run").claim()
