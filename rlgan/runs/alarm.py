"""What is said of a run that does not learn: its generator has collapsed, or a player has no gradient."""

from collections.abc import Callable

from rlgan.runs.settings import OnCollapse
from rlgan.types import Metrics

# Steps in a row that look collapsed before the alarm is given: one may be chance.
ALARM_STEPS = 10
# Steps in a row in which a gradient is exactly 0 before that is said.
STILL_STEPS = 20
GRADIENT = "gradient_norm_"  # begins the name of a metric of an update; then the player


class CollapseAlarm:
    """Watches updates and evaluations for mode collapse (the paper's Helvetica problem).

    Args:
        sign: says what in metrics looks collapsed, or None; the task's.
        on_collapse: whether a run goes on after an alarm.
        say: tells a person a line.

    Attributes:
        stop_reason: why the run is to stop; None as long as it may go on.

    Example:
        >>> alarm = CollapseAlarm(lambda metrics: "all samples are equal", "stop", print)
        >>> alarm.check_evaluation(500, {})
        ALARM: The generator collapsed at step 500: all samples are equal
        >>> alarm.stop_reason
        'The generator collapsed at step 500: all samples are equal'
    """

    def __init__(
        self,
        sign: Callable[[Metrics], str | None],
        on_collapse: OnCollapse,
        say: Callable[[str], None],
    ) -> None:
        self.stop_reason: str | None = None
        self._sign = sign
        self._stops = on_collapse == "stop"
        self._say = say
        self._steps_in_a_row = 0

    def check_update(self, step: int, metrics: Metrics) -> bool:
        """Check the metrics of an update; return whether `ALARM_STEPS` of them in a row look collapsed by now."""
        sign = self._sign(metrics)
        self._steps_in_a_row = self._steps_in_a_row + 1 if sign else 0
        if sign and self._steps_in_a_row == ALARM_STEPS:
            self._give(f"The generator collapsed at step {step}: {sign}, {ALARM_STEPS} steps in a row")
        return self._steps_in_a_row >= ALARM_STEPS

    def check_evaluation(self, step: int, metrics: Metrics) -> None:
        """Check the metrics of an evaluation."""
        # An untrained generator's samples are much the same, and a run that stops is not told twice.
        sign = self._sign(metrics) if step else None
        if sign and not self.stop_reason:
            self._give(f"The generator collapsed at step {step}: {sign}")

    def _give(self, alarm: str) -> None:
        self._say(f"ALARM: {alarm}")
        if self._stops:
            self.stop_reason = alarm


class GradientWatch:
    """Says, once for each player, that its gradient has been exactly 0 for `STILL_STEPS` steps in a row.

    A gradient may be small for good reasons; nothing but a recipe in which the player can't learn makes it exactly 0.

    Args:
        say: tells a person a line.

    Example:
        >>> watch = GradientWatch(print)
        >>> for step in range(1, 31):
        ...     watch.check_update(step, {"gradient_norm_generator": 0.0, "gradient_norm_discriminator": 0.5})
        WARNING: the gradient of the generator was exactly 0 in each of the 20 steps up to 20: it learns nothing
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._still: dict[str, int] = {}

    def check_update(self, step: int, metrics: Metrics) -> None:
        """Check the metrics of an update."""
        for name, norm in metrics.items():
            if not name.startswith(GRADIENT):
                continue
            self._still[name] = self._still.get(name, 0) + 1 if norm == 0 else 0
            if self._still[name] == STILL_STEPS:
                self._say(
                    f"WARNING: the gradient of the {name.removeprefix(GRADIENT)} was exactly 0 in each of the "
                    f"{STILL_STEPS} steps up to {step}: it learns nothing"
                )
