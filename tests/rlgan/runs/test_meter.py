import pytest

from rlgan.runs.meter import Meter, WallTime


@pytest.fixture
def clock(monkeypatch):
    """Give a list with the time and the CPU time, to be set."""
    now = [100.0, 50.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_meter_gives_means_and_speeds_by_the_wall_and_by_the_cpu(clock):
    meter = Meter(lambda: clock[1], "tokens")
    assert meter.read() == {}
    meter.add({"tokens": 30.0, "loss": 1.0})
    meter.add({"tokens": 50.0, "loss": 3.0})
    clock[:] = 110.0, 54.0
    assert meter.per_second() == 8
    assert meter.read() == {"tokens": 40, "loss": 2, "tokens_per_second": 8, "tokens_per_cpu_second": 20}


def test_what_was_before_a_restart_does_not_count(clock):
    meter = Meter(lambda: clock[1], "tokens")
    meter.add({"tokens": 1000.0})
    clock[:] = 200.0, 150.0
    meter.restart()
    assert meter.read() == {}
    meter.add({"tokens": 10.0})
    clock[:] = 202.0, 155.0
    assert meter.read() == {"tokens": 10, "tokens_per_second": 5, "tokens_per_cpu_second": 2}


def test_wall_time_is_shared_out_and_what_the_learner_did_not_compute_is_transfer(clock):
    wall_time = WallTime()
    for purpose, seconds in (("rollout", 3), ("update", 5), ("rollout", 1), ("evaluation", 7)):
        with wall_time.spend(purpose):
            clock[0] += seconds
    wall_time.add_learning(4.0)
    assert wall_time.report() == {
        "seconds_in_rollout": 4, "seconds_in_evaluation": 7, "seconds_in_checkpoint": 0, "seconds_in_update": 4,
        "seconds_in_transfer": 1,
    }  # fmt: skip
