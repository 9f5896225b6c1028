"""Where a run stands, as its display shows it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rlgan.types import Item, Map, Metrics, Result

# What of an update's metrics is shown, in this order; tasks have those that they have.
SHOWN = {
    "loss_policy_gradient": ("G's loss", "{:.3g}"),
    "loss_generator": ("G's loss", "{:.3g}"),
    "loss_mle": ("MLE loss", "{:.3g}"),
    "loss_discriminator": ("D's loss", "{:.3g}"),
    "discriminator_real": ("D(real)", "{:.2f}"),
    "discriminator_generated": ("D(generated)", "{:.2f}"),
    "entropy": ("entropy", "{:.2f} nats"),
}
# The same of the last evaluation's.
MEASURED = {
    "discriminator_accuracy_real": ("D right on real", "{:.0%}"),
    "discriminator_accuracy_generated": ("D right on generated", "{:.0%}"),
}

EVALUATING = "evaluating"
PREPARING = "preparing the data"


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    phase: str  # what is done now: EVALUATING, "training"
    step: int = 0  # updates so far
    done: float | None = None  # fraction of the run, in [0, 1]; None where none can be told
    seconds: float = 0.0  # of training so far
    score: str = ""  # of the last evaluation, in a few words
    cells: Mapping[str, str] = field(default_factory=dict)  # what else is known, by label


def cells(shown: Mapping[str, tuple[str, str]], metrics: Metrics) -> dict[str, str]:
    """What is shown of metrics, by label.

    Example:
        >>> cells(SHOWN, {"loss_discriminator": 0.6931, "tokens": 80.0})
        {"D's loss": '0.693'}
    """
    return {label: form.format(metrics[name]) for name, (label, form) in shown.items() if name in metrics}


def counted(map_: Map, show: Callable[[float], object]) -> Map:
    """A map that shows after each result how many there are, in [0, 1].

    Example:
        >>> list(counted(map, print)(str.upper, ["a", "b"]))
        0.5
        1.0
        ['A', 'B']
    """

    def counting(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        for count, result in enumerate(map_(function, items), 1):
            show(count / len(items))
            yield result

    return counting


def clock(seconds: float) -> str:
    """Seconds as M:SS, from an hour on as H:MM:SS.

    Example:
        >>> clock(75.2), clock(3661)
        ('1:15', '1:01:01')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
