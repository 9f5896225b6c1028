"""The Gaussian task with its settings: schedule, learner, words. Its data has no end and needs no loading."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from rlgan.gaussian.evaluation import GaussianEvaluator
from rlgan.gaussian.headlines import MEASURES
from rlgan.gaussian.players import make_networks
from rlgan.gaussian.sampling import draw_noise
from rlgan.gaussian.settings import GaussianSettings
from rlgan.gaussian.tables import TARGETS
from rlgan.gaussian.targets import Target
from rlgan.learning.direct_gradient import NoRollouts, direct_gradient_learner
from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner
from rlgan.learning.tables import DECAYS
from rlgan.rng import Purpose, stream
from rlgan.settings import identity, resolve
from rlgan.task import Facts, Say
from rlgan.types import Evaluation, Map, Metrics, Plan, RealBatch


@dataclass(frozen=True)
class GaussianTask:
    """A recipe of the Gaussian task; implements `rlgan.task.LoadedTask`."""

    settings: GaussianSettings

    @property
    def target(self) -> Target:
        """The distribution to learn."""
        target: Target = resolve(self.settings.target, TARGETS)
        return target

    @property
    def facts(self) -> Facts:
        """What the loop and the processes have to know of it."""
        s, data = self.settings, self.target.mixture.name
        return Facts(
            data=data,
            identity=(identity(s),),
            about=(
                f"gaussian, preset {s.preset}, seed {s.seed}",
                f"data: {data}, {s.batch_size} a batch; {s.iterations:,} iterations, "
                f"{s.pretraining:,} of D alone before",
            ),
            selection_metric=self.target.selection_metric,
            throughput_metric="samples",
            measures=MEASURES,
            # Groups that are judged together can't be cut.
            max_learners=s.batch_size
            // (1 if s.minibatch.batch_features == "none" else s.minibatch.minibatch_group_size),
        )

    @property
    def schedule(self) -> "GaussianSchedule":
        """Which step computes what."""
        return GaussianSchedule(self.settings)

    @property
    def reporter(self) -> "GaussianReporter":
        """What puts evaluations into words."""
        return GaussianReporter(self.target)

    @property
    def rollout_maker(self) -> Callable[[torch.device], NoRollouts]:
        """No step has rollouts, so rollout workers have nothing to do."""
        return NoRollouts

    def prepare(self, map_: Map, say: Say) -> None:
        """Nothing: the data is there."""

    def real(self, step: int, update: int) -> RealBatch:
        """The real batch of an update, float32 [B, X]: a pure function."""
        # The paper does not say whether a sample may come again. Here every update
        # draws new ones, which costs nothing.
        rng = stream(self.settings.seed, Purpose.REAL, step, update)
        return RealBatch(self.target.mixture.sample(rng, self.settings.batch_size))

    def learner(self, device: torch.device, group: Group = ALONE) -> Learner:
        """A learner with fresh networks, the same for the same seed on every device and in every place of a group."""
        noise = functools.partial(draw_noise, self.settings)
        return direct_gradient_learner(self, self.settings, make_networks, noise=noise, device=device, group=group)

    def evaluator(self, device: torch.device) -> GaussianEvaluator:
        """What measures weights against fresh real samples."""
        return GaussianEvaluator(self.settings, device)


@dataclass(frozen=True)
class GaussianSchedule:
    """Pre-training of the discriminator, then iterations of both. An epoch is all of them: the data has no end."""

    settings: GaussianSettings
    evaluate_every: ClassVar[int] = 500

    def plan(self, step: int) -> Plan:
        """What training step `step` computes: the discriminator alone at first, where it is pre-trained."""
        s = self.settings
        iteration = step - s.pretraining
        if iteration < 0:
            return Plan(supervision=0.0, discriminator_steps=1, rollouts=False, generator_steps=0)
        decay: Callable[[float], float] = resolve(s.decay, DECAYS)
        return Plan(
            supervision=0.0,
            discriminator_steps=s.players.discriminator_steps,
            rollouts=False,
            generator_steps=s.generator_steps,
            # --steps may ask for more than the recipe's iterations: there the rates stay where the decay ends.
            learning_rate=decay(min(iteration / s.iterations, 1.0)),
        )

    def epoch(self, step: int) -> float:
        """The share of pre-training and iterations that is done before a step."""
        return step / (self.settings.pretraining + self.settings.iterations)

    def steps(self, epochs: float) -> int:
        """The first step before which so many epochs have passed."""
        return math.ceil(epochs * (self.settings.pretraining + self.settings.iterations))


@dataclass(frozen=True)
class GaussianReporter:
    """Puts evaluations into the target's words."""

    target: Target

    def brief(self, evaluation: Evaluation) -> str:
        """The score in a few words."""
        return self.target.brief(evaluation.metrics)

    def summary(self, evaluation: Evaluation) -> list[str]:
        """An evaluation in a line."""
        return [self.target.summary(evaluation.metrics)]

    def collapse(self, metrics: Metrics) -> str | None:
        """How the samples have collapsed, which evaluations tell."""
        return self.target.collapse(metrics) if metrics.get("collapsed") else None
