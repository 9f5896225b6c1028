import dataclasses

import numpy as np
import pytest
import torch
from training import CPU, draws_of, train

from rlgan.errors import DivergenceError
from rlgan.settings import updated


def _moved(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_every_parameter_of_both_networks_moves(task):
    task = task(layout="windows")
    before = task.learner(CPU).weights()
    after = train(task, 1).weights()
    assert _moved(before.generator, after.generator) == set(before.generator)
    assert _moved(before.discriminator, after.discriminator) == set(before.discriminator)


@pytest.mark.parametrize("kind", ["gru", "cnn"])
@pytest.mark.parametrize("estimator", ["reinforce", "all_tokens"])
def test_every_parameter_moves_whatever_the_networks_and_the_estimator(task, kind, estimator):
    task = task(layout="windows", generator_core=kind, discriminator_core=kind, estimator=estimator, baseline="learned")
    learner = task.learner(CPU)
    before = learner.state_dict()
    after = train(task, 2, learner).state_dict()
    for group in ("generator", "discriminator", "baseline"):
        # Convolutions of a discriminator read no z.
        due = set(before[group]) - ({"core.noise.weight"} if group == "discriminator" else set())
        assert _moved(before[group], after[group]) == due


def test_each_loss_moves_its_own_player_alone(task):
    task = task(discriminator_learning_rate=1e-30)
    before = task.learner(CPU).weights()
    after = train(task, 1).weights()
    assert not _moved(before.discriminator, after.discriminator)
    task = dataclasses.replace(task, settings=updated(task.settings, {"generator_learning_rate": 1e-30}))
    assert not _moved(before.generator, train(task, 1).weights().generator)


def test_a_step_is_the_generator_on_draw_0_then_the_discriminator_on_each_draw(task):
    """The same step by hand: plain torch, a second pair of networks, the sums of the paper."""
    task = task(layout="windows", discriminator_steps=2)
    learner, twin = task.learner(CPU), task.learner(CPU)
    g, d = twin.adapter.generator, twin.adapter.discriminator
    draws = draws_of(task, learner.weights(), 0)
    learner.update(0, task.schedule.plan(0), draws)

    fake = torch.from_numpy(draws[0].tokens)
    log_probs = g(fake, torch.from_numpy(draws[0].noise)).gather(2, fake[..., None])[..., 0]
    loss = -(log_probs * torch.from_numpy(draws[0].q_values)).mean()
    _adam(g, loss)
    moments = None
    for j in range(2):
        real, fake = torch.from_numpy(task.real(0, j).real), torch.from_numpy(draws[j].tokens)
        loss = -(torch.sigmoid(d(real)).log().mean() + (1 - torch.sigmoid(d(fake))).log().mean())
        moments = _adam(d, loss, moments)
    for mine, theirs in ((learner.adapter.generator, g), (learner.adapter.discriminator, d)):
        for parameter, due in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(parameter, due, atol=2e-6, rtol=1e-4)


def _adam(network, loss, moments=None):
    """Adam at its defaults with the gradient's norm at most 5, from the formulas of Kingma & Ba."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    norm = torch.sqrt(sum((gradient**2).sum() for gradient in gradients))
    t, first, second = moments or (0, [0.0] * len(parameters), [0.0] * len(parameters))
    t += 1
    with torch.no_grad():
        for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            gradient = gradient * min(1.0, 5.0 / float(norm))
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            parameter -= 1e-3 * (first[i] / (1 - 0.9**t)) / (torch.sqrt(second[i] / (1 - 0.999**t)) + 1e-8)
    return t, first, second


def test_gradients_are_scaled_to_the_norm_asked_for(task):
    """Steps of plain descent are as long as the gradient: at most the norm times the rate."""
    lengths = {}
    for norm in (5.0, 1e-3):
        learner = task(gradient_norm=norm).learner(CPU)
        for name, network in learner.networks.items():
            learner.optimizers[name] = torch.optim.SGD(network.parameters(), lr=1.0)
        before = learner.weights()
        learner.update(0, task().schedule.plan(0), draws_of(task(), before, 0))
        after = learner.weights()
        squares = [np.square(after.generator[name] - value).sum() for name, value in before.generator.items()]
        lengths[norm] = float(np.sqrt(sum(squares)))
    assert 1e-2 < lengths[5.0] <= 5.0
    np.testing.assert_allclose(lengths[1e-3], 1e-3, rtol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator_ema_decay": 0.9},
        {"baseline": "moving_average"},
        {"baseline": "per_position"},
        {"baseline": "learned", "generator_core": "cnn", "discriminator_core": "cnn"},
        {"estimator": "all_tokens", "reward_control": "shuffled"},
        {"method": "mixedgan", "generator_dropout": 0.3},
    ],
)
def test_a_state_taken_up_goes_on_to_the_same_bits(task, changes):
    task = task(discriminator_dropout=0.3, discriminator_word_dropout=0.2, **changes)
    whole = train(task, 4).state_dict()
    half = train(task, 2)
    resumed = task.learner(CPU)
    resumed.load_state_dict(half.state_dict(), 2)
    train(task, 4, resumed, first=2)
    for group, tensors in resumed.state_dict().items():
        assert tensors.keys() == whole[group].keys()
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, whole[group][name], err_msg=f"{group} {name}")


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_term(task):
    task = task()
    learner = task.learner(CPU)
    (draw,) = draws_of(task, learner.weights(), 0)
    draw.q_values[0, 0] = np.nan
    before = learner.weights()
    with pytest.raises(DivergenceError, match="loss_policy_gradient is nan in the update of the generator of step 7"):
        learner.update(7, task.schedule.plan(7), [draw])
    assert not _moved(before.generator, learner.weights().generator)


def test_weights_that_are_not_finite_are_no_state(task):
    task = task(method="mle", generator_learning_rate=1e38)
    learner = task.learner(CPU)
    learner.update(0, task.schedule.plan(0), [])  # its loss and gradient still are
    with pytest.raises(DivergenceError, match="of the generator is not finite after step 0"):
        learner.state_dict()


def test_mle_lowers_the_loss_of_its_batch_as_the_definition_has_it(task):
    task = task(method="mle", layout="windows")
    learner = task.learner(CPU)
    g = learner.adapter.generator
    losses = [learner.update(0, task.schedule.plan(0), [])["loss_mle"] for _ in range(30)]
    real = torch.from_numpy(task.real(0, 0).real)
    with torch.no_grad():
        log_probs = g(real, torch.zeros(len(real), g.noise_size)).gather(2, real[..., None])
    assert losses[0] == pytest.approx(np.log(394), rel=0.05)
    assert losses[-1] < losses[0] - 0.2
    assert -float(log_probs.mean()) == pytest.approx(losses[-1], rel=0.05)


def test_networks_start_the_same_for_the_same_seed(task):
    first, again, other = (task(seed=seed).learner(CPU).weights() for seed in (1, 1, 2))
    assert not _moved(first.generator, again.generator)
    assert _moved(first.generator, other.generator)


def test_the_average_is_of_the_generators_weights_and_is_what_is_evaluated(task):
    task = task(generator_ema_decay=0.5)
    learner = task.learner(CPU)
    name = "output.bias"
    mean = learner.weights().generator[name]
    for step in range(4):
        learner.update(step, task.schedule.plan(step), draws_of(task, learner.weights(), step))
        decay = min(0.5, (step + 1) / (step + 10))
        mean = decay * mean + (1 - decay) * learner.weights().generator[name]
    np.testing.assert_allclose(learner.evaluated_weights().generator[name], mean, rtol=1e-4, atol=1e-7)
    assert not np.array_equal(learner.weights().generator[name], mean)
    assert not _moved(learner.weights().discriminator, learner.evaluated_weights().discriminator)


def test_without_an_average_the_weights_themselves_are_evaluated(task):
    learner = train(task(), 1)
    assert not _moved(learner.weights().generator, learner.evaluated_weights().generator)
