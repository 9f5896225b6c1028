import pytest

from rlgan.engine.settings import EngineSettings
from rlgan.errors import UsageError
from rlgan.settings import check


@pytest.mark.parametrize(
    ("workers", "shards", "due"),
    [(3, 2, (3, 3)), ("auto", 4, (1, 4)), ("auto:2-3", 4, (2, 3)), ("auto:1-9", 4, (1, 4)), ("auto:3-5", 2, (3, 3))],
)
def test_auto_has_as_many_workers_as_there_are_shards_within_its_bounds(workers, shards, due):
    check(EngineSettings(workers=workers))
    assert EngineSettings(workers=workers).fleet(shards) == due


@pytest.mark.parametrize("workers", [-1, "two", "auto:", "auto:3", "auto:0-2", "auto:3-2", "auto:-1-2", "AUTO", "2.5"])
def test_other_workers_are_refused(workers):
    with pytest.raises(UsageError, match="--workers is"):
        check(EngineSettings(workers=workers))
