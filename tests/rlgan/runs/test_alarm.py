import pytest

from rlgan.runs.alarm import ALARM_STEPS, CollapseAlarm


@pytest.fixture
def said():
    return []


@pytest.fixture
def make(said):
    """Make an alarm for a generator that counts as collapsed below an entropy of 1/2."""
    return lambda on_collapse: CollapseAlarm(
        lambda metrics: "low entropy" if metrics["entropy"] < 0.5 else None, on_collapse, said.append
    )


LOW, HIGH = {"entropy": 0.1}, {"entropy": 4.0}


def test_one_step_that_looks_good_starts_the_count_anew(make, said):
    alarm = make("stop")
    steps = [LOW] * (ALARM_STEPS - 1) + [HIGH] + [LOW] * (ALARM_STEPS - 1)
    assert not any(alarm.check_update(step, metrics) for step, metrics in enumerate(steps))
    assert said == []
    assert alarm.stop_reason is None


def test_ten_steps_in_a_row_are_told_once_and_count_as_long_as_they_last(make, said):
    alarm = make("warn")
    given = [alarm.check_update(step, metrics) for step, metrics in enumerate([LOW] * 12 + [HIGH], 1)]
    assert given == [False] * 9 + [True] * 3 + [False]
    assert said == ["ALARM: The generator collapsed at step 10: low entropy, 10 steps in a row"]
    assert alarm.stop_reason is None


def test_a_run_stops_where_that_is_asked(make):
    alarm = make("stop")
    for step in range(1, 11):
        alarm.check_update(step, LOW)
    assert alarm.stop_reason == "The generator collapsed at step 10: low entropy, 10 steps in a row"


def test_one_evaluation_is_enough_but_not_that_of_an_untrained_generator(make, said):
    alarm = make("stop")
    alarm.check_evaluation(0, LOW)
    assert said == []
    alarm.check_evaluation(100, LOW)
    alarm.check_evaluation(200, LOW)  # a run that is to stop is not told again
    assert said == ["ALARM: The generator collapsed at step 100: low entropy"]
    assert alarm.stop_reason == "The generator collapsed at step 100: low entropy"
