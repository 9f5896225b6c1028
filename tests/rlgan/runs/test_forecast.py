"""How long a run will take, by its first steps."""

from rlgan.api.display import Lines
from rlgan.runs.forecast import Forecast, Forecaster
from rlgan.runs.progress import EVALUATING, Progress


def test_a_forecast_is_the_steps_and_evaluations_that_are_left_at_the_speed_of_the_first():
    now, told = [0.0], []
    forecaster = Forecaster(Lines(print), evaluate_every=100, tell=told.append, clock=lambda: now[0])
    with forecaster:
        forecaster.show(Progress(EVALUATING))
        now[0] = 4.0  # the evaluation before the first step
        forecaster.show(Progress(EVALUATING, score="W1 2.5"))
        forecaster.on_evaluation(0, {})
        now[0] = 104.0  # what is done once
        for step in range(1, 31):
            forecaster.show(Progress("training", step, step / 1000))
            forecaster.on_step(step, {})
            now[0] += 0.5
    # Ten steps and five seconds after the first: at step 11, two steps a second.
    assert told == [Forecast(steps=989, steps_per_second=2.0, evaluations=10, evaluation_seconds=4.0)]
    assert told[0].seconds == 989 / 2 + 40


def test_a_run_that_is_evaluated_soon_is_foretold_before():
    now, told = [0.0], []
    forecaster = Forecaster(Lines(print), evaluate_every=4, tell=told.append, clock=lambda: now[0])
    with forecaster:
        for step in range(1, 4):
            forecaster.show(Progress("training", step, step / 8))
            forecaster.on_step(step, {})
            now[0] += 1.0
    assert told == [Forecast(steps=5, steps_per_second=1.0, evaluations=2, evaluation_seconds=0.0)]
