"""Variables that libraries read, as notebooks, schedulers and administrators set them."""

import pytest

SMALL_PICTURES = "train image --workers 0 --faces 20 --size 8 --batch-size 4 --steps 2".split()  # noqa: SIM905


def test_a_notebooks_window_for_figures_is_not_asked_for(rlgan, gaussian, tmp_path):
    environment = {"MPLBACKEND": "module://a_notebooks_own.backend_inline"}
    run = tmp_path / "run"
    for words in ([*gaussian, "--steps", 1, "--run-dir", run], ["sample", run], ["evaluate", run]):
        done = rlgan(*words, environment=environment)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("environment", [{"OMP_DYNAMIC": "TRUE"}, {"OMP_THREAD_LIMIT": "1"}])
def test_fewer_threads_than_asked_for_do_not_stop_pictures(rlgan, tmp_path, environment):
    words = [*SMALL_PICTURES, "--cache", tmp_path / "cache", "--run-dir", tmp_path / "run"]
    done = rlgan(*words, environment=environment, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_resume_says_that_the_math_library_uses_other_instructions(rlgan, gaussian, tmp_path):
    run = tmp_path / "run"
    assert rlgan(*gaussian, "--steps", 1, "--run-dir", run).returncode == 0
    words = ["train", "gaussian", "--workers", 0, "--run-dir", run, "--resume", "--steps", 2]
    done = rlgan(*words, environment={"MKL_CBWR": "COMPATIBLE"})
    assert "MKL_CBWR=COMPATIBLE" in done.stdout
    assert "the result is not bit-identical" in done.stdout
