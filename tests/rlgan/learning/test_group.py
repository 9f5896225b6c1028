"""Two learners against one: the same step, but for the rounding. This file is also what each of the two runs."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rlgan.device import prepare
from rlgan.gaussian.settings import BEST as BEST_GAUSSIAN
from rlgan.gaussian.task import GaussianTask
from rlgan.images.settings import BEST as BEST_IMAGES
from rlgan.images.settings import PAPER as PAPER_IMAGES
from rlgan.images.task import ImageTask
from rlgan.learning.group import ALONE, Group, init_process_group, reserve_port
from rlgan.settings import updated
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask
from rlgan.types import Rollout

CPU = torch.device("cpu")
STEPS = 3
TEXT = {"preset": "paper", "length": 12, "batch_size": 16, "shards": 4, "embedding_size": 8, "hidden_size": 8}
PICTURES = {
    "size": 16, "faces": 40, "batch_size": 8, "units": 8, "generator_units": 8, "width": 4, "noise_size": 6,
    "threads": 1, "mixed_precision": False,
    # Adam makes a step of its rate out of a gradient that is 0 but for the rounding, as of a bias before a batch norm.
    "optimizer": "sgd",
}  # fmt: skip
TEXTS = {
    "policygan": {"baseline": "leave_one_out", "normalise_advantages": True, "discriminator_steps": 2},
    "mle": {"method": "mle"},
    "pretraingan": {"method": "pretraingan"},
    "mixedgan": {
        "method": "mixedgan", "baseline": "learned", "entropy_bonus": 0.1, "discriminator_dropout": 0.5,
        "discriminator_word_dropout": 0.2, "generator_dropout": 0.3, "generator_ema_decay": 0.9,
    },
    "running baseline": {"baseline": "per_position"},
    "structured": {
        "discriminator_form": "structured", "negatives": "both", "estimator": "all_tokens", "weighting": "forward_kl",
        "reward": "log_odds", "discount": 0.0, "discriminator_steps": 2, "discriminator_dropout": 0.5, "rollouts": 32,
    },
    "expected baseline": {
        "discriminator_form": "structured", "negatives": "conditional", "reward": "log_odds", "discount": 0.5,
        "baseline": "expected", "reward_limit": 5.0, "decay": "cosine", "decay_epochs": 0.01,
    },
    "all tokens": {"estimator": "all_tokens", "reward_control": "shuffled", "generator_core": "cnn"},
}  # fmt: skip
CASES = [*TEXTS, "gaussian", "image", "maxout"]


def task_of(case, cache):
    if case in TEXTS:
        return TextTask.load(updated(TextSettings(), TEXT | TEXTS[case]))
    if case == "gaussian":
        return GaussianTask(BEST_GAUSSIAN)
    changes = PICTURES | {"cache": str(cache)}
    task = ImageTask.load(updated(PAPER_IMAGES if case == "maxout" else BEST_IMAGES, changes))
    task.prepare(map, lambda _: None)
    return task


def trained(task, group):
    """The whole state after some steps, and the metrics of the last."""
    learner, maker = task.learner(CPU, group), task.rollout_maker(CPU)
    for step in range(STEPS):
        plan, weights = task.schedule.plan(step), learner.weights()
        own = group.rows(np.arange(task.facts.shards)) if plan.draws else []
        draws = [
            Rollout.join([maker.shard(weights, step, draw, int(shard)) for shard in own]) for draw in range(plan.draws)
        ]
        metrics = learner.update(step, plan, draws)
    del metrics["seconds_update"]
    state = {f"{part} {name}": value for part, values in learner.state_dict().items() for name, value in values.items()}
    return {**state, **{f"metric {name}": np.float32(value) for name, value in metrics.items()}}


def learn_as(rank, listening, port, folder):
    prepare("cpu")
    group = init_process_group(listening, "127.0.0.1", port, "127.0.0.1", rank, 2, nccl=False)
    for case in CASES:
        np.savez(folder / f"{case} {rank}.npz", **trained(task_of(case, folder), group))
    torch.distributed.destroy_process_group()
    # Torch's own threads may abort a process that ends in order ("terminate called without an active exception"), seen
    # in one of some twenty; learners of a run are ended by Ray, not so.
    os._exit(0)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two learners has at the end, by case."""
    folder = tmp_path_factory.mktemp("learners")
    task_of("image", folder)  # so that only one draws the faces
    listening, port = reserve_port("127.0.0.1")
    with listening:
        typed = [[sys.executable, __file__, str(rank), str(listening.fileno()), str(port), folder] for rank in (0, 1)]
        learners = [subprocess.Popen(words, pass_fds=[listening.fileno()]) for words in typed]
    assert [learner.wait(300) for learner in learners] == [0, 0]
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_learners_take_the_steps_of_one_but_for_the_rounding(two, case):
    one = trained(task_of(case, two), ALONE)
    both = [dict(np.load(two / f"{case} {rank}.npz")) for rank in (0, 1)]
    assert all(found.keys() == one.keys() for found in both)
    for name, value in one.items():
        assert np.array_equal(both[0][name], both[1][name]), name
        np.testing.assert_allclose(both[0][name], value, rtol=2e-4, atol=2e-5, err_msg=name)


def test_who_is_alone_has_all_rows_and_computes_as_without_a_group():
    values = torch.arange(6.0).reshape(2, 3)
    mask = values > 1
    assert ALONE.rows(values) is not None
    assert torch.equal(ALONE.rows(values), values)
    assert float(ALONE.masked_mean(values, mask)) == (2 + 3 + 4 + 5) / 4
    assert ALONE.metrics({"a": 0.5}) == {"a": 0.5}


def test_rows_are_shared_out_in_order():
    whole = np.arange(12).reshape(6, 2)
    parts = [Group(rank, 3).rows(whole) for rank in range(3)]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert np.array_equal(np.concatenate(parts), whole)


if __name__ == "__main__":
    rank, descriptor, port, folder = sys.argv[1:]
    socket_of_0 = socket.socket(fileno=int(descriptor)) if rank == "0" else None
    learn_as(int(rank), socket_of_0, int(port), Path(folder))
