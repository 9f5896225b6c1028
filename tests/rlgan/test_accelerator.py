"""Every recipe on a device that is not the CPU: nothing is computed on two devices, and no value is asked for unasked.

Values are another matter: that a GPU learns as the CPU does is what `scripts/check-gpu` compares.
"""

import importlib.util
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerator import accelerator, own_process, telling

from rlgan.cli.train import requested
from rlgan.task import load_task
from rlgan.types import Rollout

SCRIPT = Path(__file__).resolve().parent.parent.parent / "scripts" / "tensor_hashes.py"
IN_PARTS = ["--logits-mib", "0.01"]  # of all words
FAST = ("text-policygan-best", "text-plain-reinforce", "text-mle-paper", "gaussian-paper", "image-best")


def _recipes():
    spec = importlib.util.spec_from_file_location("tensor_hashes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RECIPES


RECIPES = _recipes()
# bfloat16 comes in where logits are multiplied: once with each loss that does.
ROUNDED = [f"text-{name}" for name in ("mle-best", "policygan-paper", "policygan-best", "entropy", "rollouts", "cnn")]


def _copies(words, evaluates):
    """Train a recipe for a step, and evaluate it; the copies to the host of rollouts, and of the update."""
    name, *flags = words
    request, _ = requested(name, [*flags, "--workers", "0"])
    task = load_task(request.task, request.recipe)
    task.prepare(lambda work, *items: list(map(work, *items)), print)
    plan = task.schedule.plan(0)
    with accelerator() as (device, copies):
        learner, maker = task.learner(device), task.rollout_maker(device)
        weights = learner.weights(on_device=True)
        draws = [
            Rollout.join([maker.shard(weights, 0, draw, shard) for shard in range(task.facts.shards)])
            for draw in range(plan.draws)
        ]
        of_rollouts = copies.total()
        learner.update(0, plan, draws)
        of_update = copies.total() - of_rollouts
        if evaluates:
            task.evaluator(device).evaluate(learner.evaluated_weights())
    return of_rollouts, plan.draws * task.facts.shards, of_update, plan.generator_steps + plan.discriminator_steps


@pytest.fixture(scope="module")
def process():
    with own_process() as executor:
        yield executor


def _check(process, name, *flags, evaluates=False):
    words = RECIPES[name].replace("--length 10", "--length 4").split()
    words += [*IN_PARTS, *flags] if words[0] == "text" else []
    of_rollouts, shards, of_update, updates = process.submit(telling, _copies, words, evaluates).result()
    # A rollout is waited for once, and each player's update; the rewards' update once more, to count different rows.
    if "monte-carlo" not in name:
        assert of_rollouts == shards
    assert updates <= of_update <= updates + 1 + ("learned" in name)


def _refused(what):
    """What an operation says on the device, and how often it was waited for."""
    with accelerator() as (device, copies):
        there = torch.ones(3, device=device)
        try:
            what(there)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a refusal)
            return f"{type(error).__name__} {error}", copies.total()
    return "", copies.total()


def _numpy(there):
    return np.asarray(there)


def _two_devices(there):
    return there + torch.ones(3)


def _item(there):
    return there.sum().item()


def _copied(there):
    return there.cpu().numpy() + np.asarray(torch.empty(3).copy_(there)) + np.asarray(there.tolist())


@pytest.mark.parametrize(
    ("what", "due"),
    [
        (_two_devices, "same device"),
        (_numpy, "copy it to the host first"),
        (_item, "DataDependent"),
        (bool, "ambiguous|DataDependent"),
        (torch.Tensor.nonzero, "DynamicOutputShape"),
        (partial(torch.cumsum, dim=0), "cumsum is not deterministic"),
        (partial(torch.Tensor.cumsum_, dim=0), "cumsum_ is not deterministic"),
    ],
)
def test_the_device_refuses_what_a_gpu_refuses_or_waits_for(process, what, due):
    said, _ = process.submit(_refused, what).result()
    assert re.search(due, said)


def test_the_device_counts_copies_to_the_host(process):
    assert process.submit(_refused, _copied).result() == ("", 3)


@pytest.mark.parametrize("name", FAST)
def test_a_recipe_stays_on_its_device(process, name):
    _check(process, name, evaluates=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_stays_on_its_device(process, name):
    _check(process, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROUNDED)
def test_what_is_rounded_stays_on_its_device(process, name):
    _check(process, name, "--precision", "bf16")
