"""Where the CPU time of a training step of text goes, part by part."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from envs import Pages, Readings
from rlgan.learning.learner import Learner
from rlgan.text import rollout
from rlgan.text.discrimination import Discrimination
from rlgan.text.estimators.estimator import RolloutTensors
from rlgan.text.models.generator import TextGenerator
from rlgan.text.policy_gradient import PolicyGradient
from rlgan.text.rollout import RolloutGenerator
from rlgan.text.scorer import DiscriminatorScorer

Named = Callable[..., str]  # of a call, the part that it belongs to

# What is called, and the part that its time counts in: without that of the others among these that it calls.
PLACES: tuple[tuple[Any, str, str | Named], ...] = (
    (TextGenerator, "step_logits", "steps of G"),
    (rollout, "sample", "sampling"),
    (DiscriminatorScorer, "score", "steps of D"),
    (Pages, "write", "environment"),
    (Readings, "read", "rewards"),
    (RolloutGenerator, "_fetch", "transfer"),
    (RolloutTensors, "of", "transfer"),
    (RolloutGenerator, "_continue_from", "rollout, the rest"),
    (Learner, "weights", "weights out"),
    (RolloutGenerator, "_load", "weights out"),
    (PolicyGradient, "generator_loss", "update of G"),
    (Discrimination, "loss", "update of D"),
    (Learner, "_apply", lambda _, name, *__: "update of G" if name == "generator" else "update of D"),
)
# What a rollout takes beside the networks' own steps.
AROUND_THE_NETWORKS = ("sampling", "environment", "rewards", "returns", "transfer", "rollout, the rest")


class Parts:
    """CPU seconds of this process by part."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner = [0.0]  # of each call that is not over, what parts within it took

    def timed(self, function: Callable[..., Any], part: str | Named) -> Callable[..., Any]:
        """The function, whose time is counted, without that of timed functions that it calls."""

        def call(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            self._inner.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                seconds, inner = time.process_time() - started, self._inner.pop()
                self._inner[-1] += seconds
                name = part if isinstance(part, str) else part(*arguments, **options)
                self.seconds[name] += seconds - inner

        return call

    @contextmanager
    def counting(self, rollouts: RolloutGenerator) -> Iterator[None]:
        """Within it, what `PLACES` names is counted, and the return that `rollouts` has."""
        with ExitStack() as stack:
            for owner, name, part in (*PLACES, (rollouts, "returns", "returns")):
                call = self.timed(getattr(owner, name), part)
                static = isinstance(vars(owner).get(name), staticmethod)
                stack.enter_context(patch.object(owner, name, staticmethod(call) if static else call))
            yield


def shares(step: Callable[[], Any], rollouts: RolloutGenerator, steps: int = 5) -> dict[str, float]:
    """The share of each part in the CPU time of some steps; what belongs to none is `other`."""
    parts = Parts()
    with parts.counting(rollouts):
        started = time.process_time()
        for _ in range(steps):
            step()
        whole = time.process_time() - started
    found = {name: seconds / whole for name, seconds in parts.seconds.items()}
    return found | {"other": 1 - sum(found.values())}
