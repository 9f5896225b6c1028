"""What a method is, and the five of the paper.

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
    """

    plan: "Callable[[TextSchedule, int], Plan]"
    pretraining_epochs: float = 0.0
    adversarial: bool = True


def mle(schedule: "TextSchedule", step: int) -> Plan:  # noqa: ARG001
    """Maximum likelihood alone."""
    return Plan(supervision=1.0, discriminator_steps=0)


def policygan(schedule: "TextSchedule", step: int) -> Plan:  # noqa: ARG001
    """The policy gradient alone."""
    return Plan(supervision=0.0, discriminator_steps=schedule.discriminator_steps)


def pretraingan(schedule: "TextSchedule", step: int) -> Plan:
    """One epoch of MLE, in which the discriminator learns to tell real text from random words; then policygan."""
    if step < schedule.pretraining_steps:
        # One update whatever k is, since pretraining counts an epoch by steps of one batch each.
        return Plan(supervision=1.0, discriminator_steps=1, random_fakes=True)
    return policygan(schedule, step)


def mixedgan(schedule: "TextSchedule", step: int) -> Plan:  # noqa: ARG001
    """Both, in a fixed proportion."""
    return Plan(schedule.settings.mixing.supervision, schedule.discriminator_steps)


def curriculum(schedule: "TextSchedule", step: int) -> Plan:
    """Both, with less and less MLE: w is linear between the pairs of epoch and w."""
    epochs, supervision = zip(*schedule.settings.mixing.curriculum, strict=True)
    return Plan(float(np.interp(schedule.epoch(step), epochs, supervision)), schedule.discriminator_steps)


MLE = Method(mle, adversarial=False)
POLICYGAN = Method(policygan)
PRETRAINGAN = Method(pretraingan, pretraining_epochs=1.0)
MIXEDGAN = Method(mixedgan)
CURRICULUM = Method(curriculum)


def find_method(name: str) -> Method:
    """The method of a name in `METHODS`, or `module:object`."""
    method: Method = resolve(name, METHODS)
    return method
