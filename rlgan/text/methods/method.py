"""What a method is; the paper's four and MLE.

`Plan.supervision` is w in w * MLE + (1 - w) * policy gradient: the methods are schedules of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rlgan.settings import resolve
from rlgan.text.methods import METHODS
from rlgan.types import Plan

if TYPE_CHECKING:
    from rlgan.text.schedule import TextSchedule


@dataclass(frozen=True)
class Method:
    """How the generator learns.

    Args:
        plan: `(schedule, step) -> Plan`, a pure function.
        pretraining_epochs: epochs at the beginning whose steps read one real batch each, whatever
            `--discriminator-steps` says.
        adversarial: whether any step has a discriminator's update.

    Example:
        >>> alternating = Method(lambda schedule, step: Plan(float(step % 2), schedule.discriminator_steps))
        >>> from rlgan.text.schedule import TextSchedule
        >>> from rlgan.text.settings import TextSettings
        >>> schedule = TextSchedule(TextSettings(), train_rows=640, held_out_rows=64)  # 10 batches of 64
        >>> [alternating.plan(schedule, step).supervision for step in range(4)]
        [0.0, 1.0, 0.0, 1.0]
    """

    plan: "Callable[[TextSchedule, int], Plan]"
    pretraining_epochs: float = 0.0
    adversarial: bool = True


def mle(schedule: "TextSchedule", step: int) -> Plan:  # noqa: ARG001
    """Maximum likelihood alone.

    Example:
        >>> from rlgan.text.schedule import TextSchedule
        >>> from rlgan.text.settings import TextSettings
        >>> schedule = TextSchedule(TextSettings(), train_rows=640, held_out_rows=64)  # 10 batches of 64
        >>> plan = mle(schedule, 0)
        >>> plan.supervision, plan.draws  # no rollouts
        (1.0, 0)
    """
    return Plan(supervision=1.0, discriminator_steps=0)


def policygan(schedule: "TextSchedule", step: int) -> Plan:  # noqa: ARG001
    """The policy gradient alone.

    Example:
        >>> from rlgan.text.schedule import TextSchedule
        >>> from rlgan.text.settings import TextSettings
        >>> schedule = TextSchedule(TextSettings(), train_rows=640, held_out_rows=64)  # 10 batches of 64
        >>> plan = policygan(schedule, 0)
        >>> plan.supervision, plan.draws  # one batch of rollouts, for both players
        (0.0, 1)
    """
    return Plan(supervision=0.0, discriminator_steps=schedule.discriminator_steps)


def pretraingan(schedule: "TextSchedule", step: int) -> Plan:
    """One epoch of MLE, in which the discriminator learns to tell real text from random words; then policygan.

    Example:
        >>> from rlgan.text.schedule import TextSchedule
        >>> from rlgan.text.settings import TextSettings
        >>> schedule = TextSchedule(TextSettings(method="pretraingan"), train_rows=640, held_out_rows=64)
        >>> [pretraingan(schedule, step).supervision for step in (0, 9, 10)]  # an epoch has 10 batches of 64
        [1.0, 1.0, 0.0]
    """
    if step < schedule.pretraining_steps:
        # One update whatever k is, since pretraining counts an epoch by steps of one batch each.
        return Plan(supervision=1.0, discriminator_steps=1, random_fakes=True)
    return policygan(schedule, step)


def mixedgan(schedule: "TextSchedule", step: int) -> Plan:  # noqa: ARG001
    """Both, in a fixed proportion.

    Example:
        >>> from rlgan.text.schedule import TextSchedule
        >>> from rlgan.text.settings import MethodSettings, TextSettings
        >>> settings = TextSettings(mixing=MethodSettings(supervision=0.25))
        >>> schedule = TextSchedule(settings, train_rows=640, held_out_rows=64)
        >>> [mixedgan(schedule, step).supervision for step in (0, 100)]
        [0.25, 0.25]
    """
    return Plan(schedule.settings.mixing.supervision, schedule.discriminator_steps)


def curriculum(schedule: "TextSchedule", step: int) -> Plan:
    """Both, with less and less MLE: w is linear between the pairs of epoch and w.

    Example:
        >>> from rlgan.text.schedule import TextSchedule
        >>> from rlgan.text.settings import TextSettings
        >>> schedule = TextSchedule(TextSettings(), train_rows=640, held_out_rows=64)  # 10 batches of 64
        >>> [curriculum(schedule, step).supervision for step in (0, 5, 10, 20)]  # from 1 to 0 in an epoch
        [1.0, 0.5, 0.0, 0.0]
    """
    epochs, supervision = zip(*schedule.settings.mixing.curriculum, strict=True)
    return Plan(float(np.interp(schedule.epoch(step), epochs, supervision)), schedule.discriminator_steps)


MLE = Method(mle, adversarial=False)
POLICYGAN = Method(policygan)
PRETRAINGAN = Method(pretraingan, pretraining_epochs=1.0)
MIXEDGAN = Method(mixedgan)
CURRICULUM = Method(curriculum)


def find_method(name: str) -> Method:
    """The method of a name in `METHODS`, or `module:object`.

    Example:
        >>> find_method("mle").adversarial, find_method("pretraingan").pretraining_epochs
        (False, 1.0)
    """
    method: Method = resolve(name, METHODS)
    return method
