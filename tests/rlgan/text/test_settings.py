import dataclasses
import math

import pytest
import torch

from rlgan.errors import UsageError
from rlgan.settings import check, flatten, updated
from rlgan.text.estimators.weightings import forward_kl_of_log_odds
from rlgan.text.presets import BEST, PAPER, PLAIN, labels_of, preset_of
from rlgan.text.settings import TextSettings


@pytest.mark.parametrize("preset", ["paper", "best"])
@pytest.mark.parametrize("method", ["mle", "policygan", "pretraingan", "mixedgan", "curriculum"])
@pytest.mark.parametrize("estimator", ["reinforce", "all_tokens"])
def test_there_is_a_preset_for_every_method(preset, method, estimator):
    recipe = preset_of(updated(BEST, {"preset": preset, "method": method, "estimator": estimator}))
    assert (recipe.preset, recipe.method) == (preset, method)
    check(recipe)
    if preset == "best" and method != "mle":
        assert recipe.policy.estimator == estimator


def test_the_paper_preset_is_the_papers_recipe():
    paper = flatten(preset_of(PAPER))
    due = {
        "estimator": "reinforce", "monte_carlo_rollouts": 1, "importance_limit": 0.0, "generator_core": "gru",
        "discriminator_core": "gru", "lag": 0, "embedding_size": 200, "hidden_size": 200, "discount": 0.9,
        "gradient_norm": 5.0, "reward": "probability", "baseline": "none", "normalise_advantages": False,
        "discriminator_steps": 1, "entropy_bonus": 0.0, "discriminator_dropout": 0.0, "adam_beta1": 0.9,
        "generator_dropout": 0.0,
        "generator_learning_rate": 1e-3, "discriminator_learning_rate": 1e-3,
    }  # fmt: skip
    assert {name: paper[name] for name in due} == due


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", 0), ("length", -5), ("batch_size", 0), ("batch_size", -1), ("shards", 0), ("shards", -2),
        ("lag", -1), ("discriminator_steps", 0), ("discount", 1.01), ("discount", -0.1), ("discount", math.nan),
        ("seed", -1), ("generator_learning_rate", 0.0), ("generator_learning_rate", math.inf),
        ("gradient_norm", -5.0), ("supervision", 2.0), ("vocab_size", 2), ("discriminator_dropout", 1.0),
        ("generator_dropout", 1.0),
        ("adam_beta1", 1.0), ("hidden_size", 0), ("monte_carlo_rollouts", 0), ("importance_limit", -1.0),
        ("baseline_decay", 1.0), ("baseline_learning_rate", 0.0),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_named_with_what_is_due(name, value):
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')} is {value}: it must be "):
        check(updated(TextSettings(), {name: value}))


def test_shards_must_divide_the_batch():
    with pytest.raises(UsageError, match="--shards 3 does not divide --batch-size 64"):
        check(TextSettings(batch_size=64, shards=3))


@pytest.mark.parametrize(("rollouts", "due"), [(32, 64), (100, 128), (1, 64)])
def test_the_generators_rollouts_are_a_multiple_of_the_batch(rollouts, due):
    with pytest.raises(UsageError, match=f"--rollouts {rollouts} is no multiple of --batch-size 64: .* as {due}$"):
        check(TextSettings(batch_size=64, rollouts=rollouts))
    check(TextSettings(batch_size=64, rollouts=due))


@pytest.mark.parametrize(
    "curriculum",
    [(), ((0.0, 1.5),), ((0.0, 0.5), (1.0, 0.6)), ((1.0, 1.0), (0.0, 0.5)), ((-1.0, 1.0),), ((0.0, math.nan),)],
)
def test_a_curriculum_falls_from_1_to_0(curriculum):
    with pytest.raises(UsageError, match=r"--curriculum .*: give pairs of epoch and w, epochs rising and w falling"):
        check(updated(TextSettings(), {"curriculum": curriculum}))


def test_rewards_that_can_be_negative_are_no_weights():
    centred = updated(TextSettings(), {"estimator": "all_tokens", "reward": "centred"})
    check(centred)
    with pytest.raises(UsageError, match="--weighting forward_kl with --reward centred, which can be negative"):
        check(updated(centred, {"weighting": "forward_kl"}))


@pytest.mark.parametrize("form", ["plain", "structured"])
def test_log_odds_are_weights_of_either_sign_in_every_form(task, form):
    loaded = task(
        estimator="all_tokens", reward="log_odds", weighting="forward_kl", discriminator_form=form, discount=0.0
    )
    check(loaded.settings)
    learner = loaded.learner(torch.device("cpu"))
    assert learner.adapter.estimator.weighting is forward_kl_of_log_odds


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimator": "all_tokens", "discount": 0.0, "monte_carlo_rollouts": 4}, "nothing that comes after a token"),
        ({"reward_control": "shuffled", "batch_size": 8, "shards": 8}, "shuffled with shards of 1"),
    ],
)
def test_what_could_not_act_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        check(updated(TextSettings(), changes))


def test_a_result_says_what_counted_in_its_method():
    assert labels_of(preset_of(dataclasses.replace(BEST, method="mle"))) == {
        "preset": "best", "preset_for": "small", "method": "mle",
    }  # fmt: skip
    assert "weighting" not in labels_of(PAPER)
    assert labels_of(PLAIN) == {
        "preset": "best", "method": "policygan", "estimator": "all_tokens", "weighting": "forward_kl",
        "reward": "density_ratio", "reward_control": "none",
    }  # fmt: skip
