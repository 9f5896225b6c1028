import math

import pytest

from rlgan.engine.settings import EngineSettings
from rlgan.errors import UsageError
from rlgan.runs.settings import RunSettings
from rlgan.settings import check, updated


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", -1), ("rollout_gpus", -0.5), ("steps", 0), ("epochs", -1.0), ("minutes", 0.0),
        ("minutes", math.nan), ("evaluate_every", 0), ("checkpoint_every", -1), ("keep_checkpoints", 0),
        ("log_every", 0),
    ],
)  # fmt: skip
def test_a_run_that_makes_no_sense_is_named(name, value):
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')} is {value}: it must be "):
        check(updated(RunSettings(), {name: value}))


def test_gpus_above_one_are_whole():
    with pytest.raises(UsageError, match="give 2"):
        check(EngineSettings(rollout_gpus=1.5))


def test_a_resume_needs_to_know_of_what():
    with pytest.raises(UsageError, match="--run-dir"):
        check(RunSettings(resume=True))
