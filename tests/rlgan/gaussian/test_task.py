import math

import numpy as np
import pytest
import torch
from scipy import stats
from training import CPU, train

from rlgan.gaussian.batch_features import MinibatchDeviation, MinibatchDiscrimination
from rlgan.gaussian.mixtures import GRID, RING, STANDARD_NORMAL, uniform
from rlgan.gaussian.players import make_networks
from rlgan.gaussian.settings import BEST, PAPER, GaussianSettings, preset_of
from rlgan.gaussian.tables import BATCH_FEATURES
from rlgan.gaussian.task import GaussianTask
from rlgan.rng import Purpose, stream
from rlgan.settings import flatten, updated
from rlgan.types import Plan


def _preset(name, target):
    return preset_of(updated(BEST, {"preset": name, "target": target}))


def _task(recipe=PAPER, **changes):
    return GaussianTask(updated(recipe, changes))


def _same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_the_papers_preset_is_section_2():
    due = {
        "batch_size": 200, "iterations": 4500, "loss": "non_saturating", "width": 1, "depth": 1,
        "discriminator_steps": 1, "generator_steps": 1, "pretraining": 0, "optimizer": "sgd", "decay": "none",
        "batch_features": "none", "r1": 0.0, "r2": 0.0, "generator_ema_decay": 0.0,
    }  # fmt: skip
    assert {name: flatten(PAPER)[name] for name in due} == due
    generator, discriminator = make_networks(PAPER)
    shapes = [[(6, 1), (6,), (5, 6), (5,), (1, 5), (1,)]] * 2
    assert [[tuple(p.shape) for p in network.parameters()] for network in (generator, discriminator)] == shapes


def test_the_best_preset_has_the_same_networks_iterations_and_batches():
    names = ("iterations", "batch_size", "width", "depth", "discriminator_steps", "generator_steps", "pretraining")
    assert [flatten(BEST)[name] for name in names] == [4500, 200, 1, 1, 1, 1, 0]


def test_wider_and_deeper_networks():
    wide = [tuple(p.shape) for p in make_networks(updated(PAPER, {"width": 10}))[0].parameters()]
    assert wide[::2] == [(60, 1), (50, 60), (1, 50)]
    deep = [tuple(p.shape) for p in make_networks(updated(PAPER, {"depth": 3}))[1].parameters()]
    assert deep[::2] == [(6, 1), (6, 6), (6, 6), (5, 6), (5, 5), (5, 5), (1, 5)]


def test_batch_features_are_what_the_recipe_names():
    kinds = {name: make_networks(updated(BEST, {"batch_features": name}))[1] for name in BATCH_FEATURES}
    assert isinstance(kinds["discrimination"].feature, MinibatchDiscrimination)
    assert isinstance(kinds["deviation"].feature, MinibatchDeviation)
    assert kinds["none"].feature is kinds["packing"].feature is None
    assert {name: d.packed for name, d in kinds.items() if d.packed} == {"packing": True}
    assert {name: d.minibatch_group_size for name, d in kinds.items()} == dict.fromkeys(BATCH_FEATURES, 25) | {
        "none": 1
    }


def test_the_data_and_the_noise_have_their_laws():
    x, z = (draw(stream(0, Purpose.REAL, 0), 100_000) for draw in (STANDARD_NORMAL.sample, uniform))
    assert x.shape == z.shape == (100_000, 1)
    assert x.dtype == z.dtype == np.float32
    assert stats.kstest(x[:, 0], "norm").pvalue > 0.01
    assert stats.kstest(z[:, 0], stats.uniform(-5, 10).cdf).pvalue > 0.01


def test_every_update_has_a_real_batch_of_its_own():
    task = _task()
    np.testing.assert_array_equal(task.real(3, 1).real, task.real(3, 1).real)
    batches = [task.real(step, update).real[0, 0] for step in range(3) for update in range(2)]
    assert len(set(map(float, batches))) == 6
    assert not np.array_equal(task.real(0, 0).real, _task(seed=1).real(0, 0).real)


def test_the_plan_pretrains_then_plays_and_slows_down():
    task = _task(pretraining=10, iterations=100, decay="linear", discriminator_steps=2, generator_steps=3)
    assert task.schedule.plan(9) == Plan(0.0, 1, rollouts=False, generator_steps=0)
    assert task.schedule.plan(10) == Plan(0.0, 2, rollouts=False, generator_steps=3)
    assert task.schedule.plan(60).learning_rate == 0.5
    assert task.schedule.plan(1000).learning_rate == 0.0
    assert all(task.schedule.plan(step).draws == 0 for step in (0, 10, 60))
    assert task.schedule.steps(1.0) == 110
    cosine = _task(iterations=100, decay="cosine").schedule.plan(25).learning_rate
    assert cosine == pytest.approx((1 + math.sqrt(0.5)) / 2)


def test_a_step_is_two_of_the_generator_then_one_of_the_discriminator_by_sgd_with_momentum():
    """The same by hand, on a second pair: v <- .6 v + gradient, p <- p - .04 v; the rate is halved by the decay."""
    task = _task(generator_steps=2, decay="linear", iterations=10)
    learner, twin = task.learner(CPU), task.learner(CPU)
    learner.update(5, task.schedule.plan(5), [])
    g, d = twin.adapter.generator, twin.adapter.discriminator
    moments = {}
    for update, network in enumerate((g, g, d)):
        real = torch.from_numpy(task.real(5, update if network is g else 0).real)
        z = torch.from_numpy(uniform(stream(0, Purpose.LEARNER, 5, update, 0), 200))
        fake = torch.sigmoid(d(g(z)))
        loss = -fake.log().mean()
        if network is d:
            loss = -torch.sigmoid(d(real)).log().mean() - (1 - fake).log().mean()
        parameters = list(network.parameters())
        gradients = torch.autograd.grad(loss, parameters)
        before = moments.get(network, [0.0] * len(parameters))
        moments[network] = [0.6 * v + gradient for v, gradient in zip(before, gradients, strict=True)]
        with torch.no_grad():
            for parameter, v in zip(parameters, moments[network], strict=True):
                parameter -= 0.5 * 0.04 * v
    for mine, theirs in ((learner.adapter.generator, g), (learner.adapter.discriminator, d)):
        for parameter, due in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(parameter, due, atol=1e-6, rtol=1e-5)


def test_pretraining_leaves_the_generator_alone():
    task = _task(pretraining=3)
    before, after = task.learner(CPU).weights(), train(task, 3).weights()
    assert _same(before.generator, after.generator)
    assert not _same(before.discriminator, after.discriminator)
    assert not _same(before.generator, train(task, 4).weights().generator)


RECIPES = [
    PAPER,
    BEST,
    _preset("best", "ring"),
    updated(
        GaussianSettings(decay="cosine"),
        {"loss": "relativistic", "r1": 0.5, "r2": 0.5, "batch_features": "deviation", "momentum": 0.0},
    ),
    updated(
        GaussianSettings(generator_steps=2, pretraining=2),
        {"loss": "saturating", "batch_features": "packing", "minibatch_group_size": 8},
    ),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_state_taken_up_goes_on_to_the_same_bits(recipe):
    task = _task(recipe)
    whole = train(task, 6).state_dict()
    resumed = task.learner(CPU)
    resumed.load_state_dict(train(task, 3).state_dict(), 3)
    train(task, 6, resumed, first=3)
    for group, tensors in resumed.state_dict().items():
        assert tensors.keys() == whole[group].keys()
        assert _same(tensors, whole[group]), group


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_parameter_of_both_networks_moves(recipe):
    task = _task(recipe)
    before, after = task.learner(CPU).weights(), train(task, 4).weights()
    for player in ("generator", "discriminator"):
        old, new = getattr(before, player), getattr(after, player)
        # The last bias cancels out where two log-odds are compared.
        still = {name for name in old if np.array_equal(old[name], new[name])}
        assert still <= (
            {"output.bias"} if player == "discriminator" and recipe.adversarial.loss == "relativistic" else set()
        )


def _measured(task, steps):
    return task.evaluator(CPU).evaluate(train(task, steps).evaluated_weights()).metrics


def test_the_cure_spreads_where_the_papers_recipe_shrinks():
    """From a fixed seed, in a ninth of the iterations."""
    cured, paper = (_measured(_task(recipe, seed=0), 500) for recipe in (BEST, PAPER))
    assert cured["w1"] < 0.2
    assert 0.8 < cured["std"] < 1.2
    assert paper["std"] < 0.3
    assert paper["collapsed"] == 1.0


@pytest.mark.parametrize("target", ["ring", "grid"])
def test_a_mixture_has_its_modes_deviation_and_as_many_dimensions_everywhere(target):
    """PacGAN, section 4.1."""
    mixture = {"ring": RING, "grid": GRID}[target]
    due = {
        "ring": [(math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)],
        "grid": [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)],
    }[target]
    assert {tuple(np.round(c, 6)) for c in mixture.centres.astype(float)} == {tuple(np.round(c, 6)) for c in due}
    x = mixture.sample(stream(0, Purpose.REAL, 0), 100_000)
    assert x.dtype == np.float32
    mode = np.linalg.norm(x[:, None] - mixture.centres, axis=-1).argmin(axis=1)
    assert stats.chisquare(np.bincount(mode)).pvalue > 0.01
    away = (x - mixture.centres[mode]) / {"ring": 0.01, "grid": 0.05}[target]
    assert all(stats.kstest(away[:, axis], "norm").pvalue > 0.01 for axis in (0, 1))
    generator, discriminator = make_networks(_preset("best", target))
    sizes = [next(network.parameters()).shape[1] for network in (generator, discriminator)]
    assert (sizes, generator.output.out_features, discriminator.output.out_features) == ([2, 2], 2, 1)


@pytest.mark.parametrize("target", ["ring", "grid"])
def test_the_presets_of_a_mixture_have_the_same_networks(target):
    paper, best = (_preset(preset, target) for preset in ("paper", "best"))
    networks = ("target", "width", "depth", "activation", "output", "noise", "batch_size", "iterations")
    same = {name: flatten(best)[name] for name in networks}
    assert paper == updated(PAPER, same)


@pytest.mark.slow
def test_the_ring_is_found_where_the_papers_recipe_finds_nothing():
    """From a fixed seed, in an eighth of the iterations."""
    best, paper = (_task(_preset(preset, "ring"), iterations=600) for preset in ("best", "paper"))
    found = _measured(best, 600)
    assert (found["modes"], found["collapsed"]) == (8, 0)
    assert found["high_quality"] > 0.5
    assert found["reverse_kl"] < 0.02
    assert _measured(paper, 600)["high_quality"] < 0.1
