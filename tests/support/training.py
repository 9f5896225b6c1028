"""Training in this process, step by step, without the loop."""

import torch

from rlgan.types import Rollout

CPU = torch.device("cpu")


def draws_of(task, weights, step):
    """The rollouts that a step learns from, one whole batch for each draw."""
    plan = task.schedule.plan(step)
    maker = task.rollout_maker(CPU) if plan.draws else None
    return [
        Rollout.join([maker.shard(weights, step, draw, shard) for shard in range(task.settings.shards)])
        for draw in range(plan.draws)
    ]


def train(task, steps, learner=None, first=0):
    """Do the steps from `first` on, up to `steps`."""
    learner = learner or task.learner(CPU)
    for step in range(first, steps):
        learner.update(step, task.schedule.plan(step), draws_of(task, learner.weights(), step))
    return learner
