import pytest

from rlgan.runs.budget import Budget


@pytest.fixture
def clock(monkeypatch):
    """Give a function that moves the time on by seconds."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_steps_end_a_run(clock):
    budget = Budget(steps=200)
    clock(1e9)
    assert [budget.fraction(step) for step in (0, 50, 200, 300)] == [0, 0.25, 1, 1]
    assert [budget.is_spent(step) for step in (0, 199, 200)] == [False, False, True]


def test_minutes_end_a_run_and_count_those_before_a_resume(clock):
    budget = Budget(minutes=2, seconds_before=30)
    clock(1000)  # the first evaluation is no training
    assert budget.seconds() == 30
    budget.start()
    clock(30)
    budget.start()  # as where a lost learner is replaced
    assert budget.seconds() == 60
    assert budget.fraction(10**6) == 0.5
    clock(59)
    assert not budget.is_spent(0)
    clock(1)
    assert budget.is_spent(0)


def test_the_nearest_bound_counts(clock):
    budget = Budget(steps=10, minutes=1)
    budget.start()
    clock(30)
    assert budget.fraction(2) == 0.5
    assert budget.fraction(8) == 0.8


def test_without_a_bound_a_run_has_no_end(clock):
    budget = Budget()
    clock(1e9)
    assert budget.fraction(10**9) == 0
