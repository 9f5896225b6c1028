"""Which step of text computes what."""

import numpy as np
import pytest
import torch

from rlgan.text.methods.method import Method
from rlgan.types import Plan

CPU = torch.device("cpu")


def _plan(loaded, step):
    return loaded.schedule.plan(step)


def test_mle_makes_no_rollout_and_leaves_the_discriminator_alone(task):
    loaded = task(method="mle")
    assert _plan(loaded, 0) == Plan(supervision=1.0, discriminator_steps=0, rewards=False)
    assert _plan(loaded, 0).draws == 0
    assert loaded.facts.shards == 0
    learner = loaded.learner(CPU)
    before = learner.weights()
    learner.update(0, _plan(loaded, 0), [])
    after = learner.weights()
    assert any((after.generator[name] != value).any() for name, value in before.generator.items())
    for name, value in before.discriminator.items():
        np.testing.assert_array_equal(after.discriminator[name], value)


def test_the_methods_are_schedules_of_supervision(task):
    assert _plan(task(method="policygan"), 5) == Plan(0.0, 1)
    assert _plan(task(method="mixedgan", supervision=0.25), 5) == Plan(0.25, 1)
    curriculum = task(method="curriculum", curriculum=((0.0, 1.0), (1.0, 0.5), (2.0, 0.5), (2.0016, 0.0)))
    # 1,250 batches are an epoch.
    due = {0: 1.0, 625: 0.75, 1250: 0.5, 2000: 0.5, 2501: 0.25, 10**6: 0.0}
    assert {step: _plan(curriculum, step).supervision for step in due} == pytest.approx(due)
    assert _plan(curriculum, 0).draws == 1  # the discriminator learns from rollouts from the beginning on
    pretrain = task(method="pretraingan")
    first = int(np.ceil(20_000 / 16))
    assert _plan(pretrain, first - 1) == Plan(1.0, 1, random_fakes=True, rewards=False)
    assert _plan(pretrain, first - 1).draws == 0
    assert _plan(pretrain, first) == Plan(0.0, 1)
    assert {"loss_mle", "loss_discriminator"} <= pretrain.learner(CPU).update(0, _plan(pretrain, 0), []).keys()


def test_a_plan_says_whether_the_workers_rewards_are_read(task):
    assert not _plan(task(method="curriculum"), 0).rewards  # MLE alone
    assert _plan(task(method="curriculum"), 1).rewards
    for discount in (0.0, 0.5):
        loaded = task(estimator="all_tokens", discount=discount)
        assert _plan(loaded, 0).rewards == (discount > 0)


ALTERNATING = Method(lambda schedule, step: Plan(float(step % 2), schedule.discriminator_steps))


def test_a_method_can_come_from_outside(task):
    loaded = task(method=f"{__name__}:ALTERNATING", discriminator_steps=2)
    assert [_plan(loaded, step).supervision for step in range(3)] == [0, 1, 0]
    assert loaded.schedule.batches(3) == 6


def test_an_epoch_is_one_pass_of_real_rows_through_the_discriminator(task):
    task = task(discriminator_steps=2, batch_size=16)
    steps = task.schedule.steps(1.0)
    assert steps == 20_000 / 16 / 2
    assert task.schedule.epoch(steps - 1) < 1 <= task.schedule.epoch(steps)
    assert task.schedule.steps(1e12) > 1e14  # at once
    seen = np.concatenate([task.real(step, j).real for step in range(steps) for j in range(2)])
    rows, counts = np.unique(np.concatenate([task.corpus.train.tokens]), axis=0, return_counts=True)
    again, seen_counts = np.unique(seen, axis=0, return_counts=True)
    np.testing.assert_array_equal(rows, again)
    np.testing.assert_array_equal(counts, seen_counts)
