"""The engine, as the training loop sees it: a learner, rollouts, and counts of what the processes did.

`rlgan.engine.local.LocalEngine` does everything in this process, `rlgan.engine.ray_engine.RayEngine` with Ray actors;
the result is the same, bit for bit. Both have their own types for weights that are kept for rollouts (W) and for the
rollouts of a step that are on their way (P): the caller only stores these and hands them back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, TypeVar, cast

from rlgan.task import Evaluator, QuickEvaluator
from rlgan.types import Evaluation, Item, Metrics, Plan, Result, State, Weights

Measures = Literal["all", "quick"]
W = TypeVar("W")  # weights, or a reference to them
P = TypeVar("P")  # the rollouts of a step, or references to them
# A protocol that only takes a type, and never gives it, has to say so, or mypy refuses it.
W_contra = TypeVar("W_contra", contravariant=True)
P_contra = TypeVar("P_contra", contravariant=True)


def evaluate(evaluator: Evaluator, weights: Weights, measures: Measures) -> Evaluation:
    """Measure weights, as `LearnerClient.evaluate` does those of a learner.

    Example:
        >>> from types import SimpleNamespace
        >>> evaluator = SimpleNamespace(score=lambda weights: {"quick_loss": 0.5})
        >>> evaluate(evaluator, Weights(0, generator={}, discriminator={}), "quick").metrics
        {'quick_loss': 0.5}
    """
    if measures == "all":
        return evaluator.evaluate(weights)
    # Asked for where the task's facts say that there are such.
    quick = cast(QuickEvaluator, evaluator)
    return Evaluation(quick.score(weights), series={}, texts=[], histograms={})


class LearnerClient(Protocol[W, P_contra]):
    """The learner, wherever it is. Every method raises LearnerLostError when its process or node has died."""

    def restart(self) -> None:
        """Replace a learner that was lost by a new one with fresh networks. Requested rollouts are forgotten."""
        ...

    def load_state(self, state: State, step: int) -> None:
        """Set the learner to a checkpoint's state before training step `step`."""
        ...

    def state(self) -> State:
        """Return the learner's whole state, for a checkpoint."""
        ...

    def weights(self) -> W:
        """Return the current weights, as rollouts take them."""
        ...

    def put_weights(self, weights: Weights) -> W:
        """Make weights from a checkpoint available to rollouts."""
        ...

    def get_weights(self, weights: W) -> Weights:
        """Return the arrays of weights that `weights` or `put_weights` returned, for a checkpoint."""
        ...

    def update(self, step: int, plan: Plan, rollouts: P_contra) -> Metrics:
        """Do training step `step` on its rollouts, waiting for them where necessary."""
        ...

    def evaluate(self, measures: Measures = "all") -> Evaluation:
        """Measure the current weights: all that there is, or `quick`, the cheap ones alone, where the task has such."""
        ...


class RolloutClient(Protocol[W_contra, P]):
    """What makes rollouts."""

    def request(self, weights: W_contra | None, step: int, plan: Plan) -> P:
        """Ask for the rollouts of a step, made with these weights; None where the plan has no draws."""
        ...

    # Apart from `LearnerClient.update`, which could wait itself, so that time
    # spent waiting is told from time spent learning.
    def wait(self, rollouts: P) -> None:
        """Wait until the rollouts of a step are made."""
        ...


class EngineStatistics(Protocol):
    """Counts of what the processes did and use."""

    def shards_made(self) -> dict[str, int]:
        """Return the number of shards each worker has made so far, by the worker's name."""
        ...

    def cpu_seconds(self) -> float:
        """Return the CPU time of all computing processes so far. Raises LearnerLostError as the learner does."""
        ...

    def report(self) -> Metrics:
        """Return counts of restarts and repeated shards so far, and the memory of each process in bytes."""
        ...

    def export_metrics(self, run_name: str, metrics: Metrics) -> None:
        """Hand a run's metrics to the cluster's monitoring (Prometheus), where there is one."""
        ...


class Engine(Protocol[W, P]):
    """What computes a run: this process, or Ray actors. Each part is for one kind of caller."""

    # Properties, because a protocol's plain attribute could be assigned to, and mypy would then take no narrower type.
    @property
    def where(self) -> str:
        """What runs where, for people, as "2 rollout workers (cpu) and a learner (cpu) on a local Ray"."""
        ...

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of machine (`rlgan.device.kind`) of "learner" and of "rollouts"."""
        ...

    @property
    def learner(self) -> LearnerClient[W, P]:
        """The learner."""
        ...

    @property
    def rollouts(self) -> RolloutClient[W, P]:
        """What makes rollouts."""
        ...

    @property
    def statistics(self) -> EngineStatistics:
        """Counts of what the processes did and use."""
        ...

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Apply a function to items, in several processes; yield the results in the order of the items."""
        ...

    def alive(self, *, asked_to_stop: bool) -> bool:
        """Whether what computes is still there at all; asked from another thread, every second.

        Args:
            asked_to_stop: whether somebody asked the run to stop: what may come back need not be waited for.
        """
        ...

    def close(self) -> None:
        """End all processes and free what the engine holds."""
        ...
