import numpy as np
import pytest
import torch
from training import CPU, train

from rlgan.images.evaluation import interpolated
from rlgan.images.networks import Maxout
from rlgan.images.players import make_networks
from rlgan.images.sampling import generate, sample
from rlgan.images.settings import BEST, PAPER, ImageSettings
from rlgan.images.task import ImageTask
from rlgan.rng import Purpose, stream
from rlgan.settings import flatten, updated

SMALL = {
    "size": 16,
    "faces": 120,
    "batch_size": 8,
    "units": 12,
    "generator_units": 12,
    "width": 4,
    "noise_size": 6,
    "threads": 1,
}


def _say(line):
    pass


@pytest.fixture
def image_task(tmp_path):
    """Give a small task on drawn faces, with changes."""

    def make(preset="best", **changes):
        changes = SMALL | {"cache": str(tmp_path)} | changes
        task = ImageTask.load(updated({"paper": PAPER, "best": BEST}[preset], changes))
        task.prepare(map, _say)
        return task

    return make


def test_the_papers_preset_is_section_3():
    paper = flatten(PAPER)
    due = {
        "networks": "maxout", "loss": "non_saturating", "size": 64, "discriminator_steps": 1, "decay": "none",
        "r1": 0.0, "r2": 0.0, "generator_ema_decay": 0.0, "flips": False,
    }  # fmt: skip
    assert {name: paper[name] for name in due} == due
    generator, discriminator = make_networks(PAPER)
    assert [type(layer) for layer in discriminator.modules() if isinstance(layer, Maxout)] == [Maxout, Maxout]
    with torch.no_grad():
        made = generator(torch.randn(3, paper["noise_size"]))
    assert made.shape == (3, 3, 64, 64)
    assert 0 <= made.min() < made.max() <= 1


def test_maxout_is_the_largest_of_its_pieces():
    torch.manual_seed(0)
    layer = Maxout(4, 3, pieces=2)
    x = torch.randn(5, 4)
    weight, bias = layer.linear.weight.detach(), layer.linear.bias.detach()
    due = [
        [max(float(weight[2 * unit + piece] @ row + bias[2 * unit + piece]) for piece in range(2)) for unit in range(3)]
        for row in x
    ]
    np.testing.assert_allclose(layer(x).detach().numpy(), due, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [8, 16, 64, 128])
def test_the_convolutional_pair_has_the_size_that_is_asked_for(size):
    generator, discriminator = make_networks(updated(ImageSettings(), {"size": size, "width": 2}))
    with torch.no_grad():
        made = generator(torch.randn(2, 64))
        odds = discriminator(made)
    assert made.shape == (2, 3, size, size)
    assert odds.shape == (2,)


def test_an_epoch_shows_every_picture_once_and_the_next_in_another_order(image_task):
    task = image_task(flips=False, batch_size=10)
    train = task.pictures.train()
    assert task.schedule.batches_per_epoch == len(train) // 10
    order = [task.real(step, 0).real for step in range(task.schedule.batches_per_epoch)]
    shown = np.rint(np.concatenate(order) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    there = {picture.tobytes() for picture in train}
    assert len({picture.tobytes() for picture in shown} & there) == len(shown)
    assert not np.array_equal(order[0], task.real(task.schedule.batches_per_epoch, 0).real)
    np.testing.assert_array_equal(order[0], task.real(0, 0).real)
    assert order[0].dtype == np.float32


def test_flips_mirror_half_of_the_pictures(image_task):
    plain, flipped = (image_task(flips=flips, batch_size=50).real(3, 0).real for flips in (False, True))
    same = [np.array_equal(a, b) for a, b in zip(plain, flipped, strict=True)]
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(plain, flipped, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 40


def test_a_set_smaller_than_a_batch_comes_more_than_once_in_it(image_task):
    task = image_task(faces=12, batch_size=32)
    batch = task.real(0, 0).real
    assert len(batch) == 32
    assert task.schedule.batches_per_epoch == 1


@pytest.mark.parametrize(("preset", "loss"), [("paper", "non_saturating"), ("best", "non_saturating")])
def test_every_parameter_of_both_networks_moves(image_task, preset, loss):
    # Not relativistic: that takes differences of log-odds, in which D's last bias drops out.
    task = image_task(preset, loss=loss)
    learner = task.learner(CPU)
    before = learner.weights()
    after = train(task, 3, learner).weights()
    for player in ("generator", "discriminator"):
        for name, tensor in getattr(before, player).items():
            assert not np.array_equal(tensor, getattr(after, player)[name]), name


@pytest.mark.parametrize("preset", ["paper", "best"])
def test_going_on_from_a_state_gives_the_same_bits(image_task, preset):
    task = image_task(preset)
    straight = train(task, 6).state_dict()
    half = train(task, 3).state_dict()
    learner = task.learner(CPU)
    learner.load_state_dict(half, 3)
    resumed = train(task, 6, learner, first=3).state_dict()
    for group, tensors in straight.items():
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, resumed[group][name], err_msg=f"{group} {name}")


def test_a_sample_is_the_same_whatever_comes_with_it(image_task):
    task = image_task()
    weights = train(task, 1).evaluated_weights()
    few, many = (sample(task.settings, weights, count, 0, CPU) for count in (3, 120))
    np.testing.assert_array_equal(few, many[:3])
    assert many.shape == (120, 16, 16, 3)
    assert many.dtype == np.uint8


def test_pixels_outside_of_the_range_are_cut():
    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, noise):
            return self.scale * noise[:, :, None, None].expand(-1, 3, 2, 2)

    made = generate(Linear(), np.array([[-1, 0.5, 2]], np.float32))
    np.testing.assert_array_equal(made[0, 0, 0], [0, 128, 255])


def test_interpolations_go_from_one_point_to_the_other_where_noise_lies():
    rng = stream(0, Purpose.EVALUATION, 3)
    arcs = interpolated(rng, 2, 5, 400).reshape(2, 5, 400)
    starts = stream(0, Purpose.EVALUATION, 3).standard_normal((2, 400), dtype=np.float32)
    np.testing.assert_array_equal(arcs[:, 0], starts)
    assert (np.abs(np.linalg.norm(arcs, axis=-1) / 20 - 1) < 0.2).all()


def test_rates_fall_to_a_tenth_over_the_epochs_that_are_asked_for(image_task):
    task = image_task(decay="linear", decay_epochs=2.0)
    per_epoch = task.schedule.batches_per_epoch
    rates = [task.schedule.plan(step).learning_rate for step in (0, per_epoch, 2 * per_epoch, 9 * per_epoch)]
    assert rates == pytest.approx([1, 0.55, 0.1, 0.1])


def test_an_evaluation_has_the_measures_and_the_pictures(image_task):
    task = image_task()
    learner = task.learner(CPU)
    evaluator = task.evaluator(CPU)
    untrained = evaluator.evaluate(learner.evaluated_weights())
    assert {
        "rfid", "rfid_floor", "rfid_mean_picture", "rfid_pca200", "recall", "coverage", "precision", "collapsed"
    } <= set(untrained.metrics)  # fmt: skip
    assert set(untrained.pictures) == {
        "samples", "samples_without_average", "interpolations", "nearest_training_pictures", "real", "average_picture"
    }  # fmt: skip
    later = evaluator.evaluate(train(task, 2, learner).evaluated_weights())
    assert set(untrained.pictures) - set(later.pictures) == {"real", "average_picture"}
    again = task.evaluator(CPU).evaluate(learner.evaluated_weights())
    assert again.metrics == later.metrics


def test_pictures_that_are_all_the_same_are_a_collapse(image_task):
    task = image_task()
    learner = task.learner(CPU)
    with torch.no_grad():
        for parameter in learner.generator_ema.parameters():
            parameter.zero_()
    evaluation = task.evaluator(CPU).evaluate(learner.evaluated_weights())
    assert evaluation.metrics["collapsed"] == 1
    assert "differ 0.000 times as much" in task.reporter.collapse(evaluation.metrics)


def test_an_update_of_convolutions_is_that_of_an_optimiser_that_is_not_fused(image_task):
    """Fused optimisers go through memory: a gradient that is laid out otherwise would reach the wrong weights."""
    task = image_task(mixed_precision=False)
    learner, plain = task.learner(CPU), task.learner(CPU)
    plain.optimizers = {
        name: torch.optim.Adam(plain.networks[name].parameters(), 5e-4, (0.0, 0.99), foreach=False)
        for name in ("generator", "discriminator")
    }
    for each in (learner, plain):
        for optimizer in each.optimizers.values():
            optimizer.param_groups[0]["lr"] = 5e-4
        train(task, 1, each)
    for name, tensor in plain.weights().generator.items():
        np.testing.assert_allclose(learner.weights().generator[name], tensor, atol=2e-5, err_msg=name)


def test_the_best_recipe_learns_to_draw_faces(image_task):
    """Seen: rFID 1,065 untrained, 483 after 300 steps; the average picture has 1,138, other drawn faces 129."""
    task = image_task(faces=600, width=16, batch_size=16, noise_size=64, seed=1, decay_epochs=10.0)
    learner, evaluator = task.learner(CPU), task.evaluator(CPU)
    untrained = evaluator.evaluate(learner.evaluated_weights()).metrics
    trained = evaluator.evaluate(train(task, 300, learner).evaluated_weights()).metrics
    assert untrained["rfid"] > 900
    assert untrained["rfid_mean_picture"] > 900
    assert trained["rfid"] < 600
    assert trained["recall"] > untrained["recall"]
    assert not trained["collapsed"]
