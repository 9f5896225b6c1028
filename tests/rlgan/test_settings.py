import dataclasses
import math
from typing import get_args

import pytest

from rlgan.engine.settings import RunConfig
from rlgan.errors import UsageError
from rlgan.settings import Preset, changed
from rlgan.text.settings import Estimator, Method, TextConfig, text_preset


@pytest.mark.parametrize("preset", get_args(Preset))
@pytest.mark.parametrize("method", get_args(Method))
@pytest.mark.parametrize("estimator", get_args(Estimator))
def test_there_is_a_preset_for_every_method(preset, method, estimator):
    recipe = text_preset(preset, method, estimator)
    assert (recipe.preset, recipe.method) == (preset, method)
    recipe.check()
    if preset == "best" and method != "mle":
        assert recipe.estimator == estimator


def test_the_paper_preset_is_the_papers_recipe():
    paper = text_preset("paper")
    assert (paper.estimator, paper.monte_carlo_rollouts, paper.importance_limit) == ("reinforce", 1, 0.0)
    assert (paper.generator, paper.discriminator, paper.lag) == ("gru", "gru", 0)
    assert (paper.embedding_size, paper.hidden_size, paper.discount, paper.gradient_norm) == (200, 200, 0.9, 5.0)
    assert (paper.reward, paper.baseline, paper.normalise_advantages) == ("probability", "none", False)
    assert (paper.discriminator_steps, paper.entropy_bonus, paper.discriminator_dropout) == (1, 0.0, 0.0)
    assert (paper.generator_learning_rate, paper.discriminator_learning_rate, paper.adam_beta1) == (1e-3, 1e-3, 0.9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", 0), ("length", -5), ("batch_size", 0), ("batch_size", -1), ("shards", 0), ("shards", -2),
        ("lag", -1),
        ("discriminator_steps", 0), ("discount", 1.01), ("discount", -0.1), ("discount", math.nan), ("seed", -1),
        ("generator_learning_rate", 0.0), ("generator_learning_rate", math.inf), ("gradient_norm", -5.0),
        ("supervision", 2.0), ("vocab_size", 2), ("discriminator_dropout", 1.0), ("adam_beta1", 1.0),
        ("hidden_size", 0), ("monte_carlo_rollouts", 0), ("importance_limit", -1.0), ("baseline_decay", 1.0),
        ("baseline_learning_rate", 0.0),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_named_with_what_is_due(name, value):
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')} is {value}: it must be "):
        dataclasses.replace(TextConfig(), **{name: value}).check()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", -1), ("rollout_gpus", -0.5), ("steps", 0), ("epochs", -1.0), ("minutes", 0.0),
        ("minutes", math.nan),
        ("evaluate_every", 0), ("checkpoint_every", -1), ("keep_checkpoints", 0), ("log_every", 0),
    ],
)  # fmt: skip
def test_a_run_that_makes_no_sense_is_named_too(name, value):
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')} is {value}: it must be "):
        RunConfig(**{name: value}).check()


def test_shards_must_divide_the_batch():
    with pytest.raises(UsageError, match="--shards 3 does not divide --batch-size 64"):
        TextConfig(batch_size=64, shards=3).check()


@pytest.mark.parametrize(
    "curriculum",
    [(), ((0.0, 1.5),), ((0.0, 0.5), (1.0, 0.6)), ((1.0, 1.0), (0.0, 0.5)), ((-1.0, 1.0),), ((0.0, math.nan),)],
)
def test_a_curriculum_falls_from_1_to_0(curriculum):
    with pytest.raises(UsageError, match=r"--curriculum .*: give pairs of epoch and w, epochs rising and w falling"):
        TextConfig(curriculum=curriculum).check()


def test_rewards_that_can_be_negative_are_no_weights():
    TextConfig(estimator="all_tokens", reward="centred").check()
    with pytest.raises(UsageError, match="--weighting forward_kl with --reward centred, which can be negative"):
        TextConfig(estimator="all_tokens", reward="centred", weighting="forward_kl").check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimator": "all_tokens", "discount": 0.0, "monte_carlo_rollouts": 4}, "nothing that comes after a token"),
        ({"reward_control": "shuffled", "batch_size": 8, "shards": 8}, "shuffled with shards of 1"),
    ],
)
def test_what_could_not_act_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        TextConfig(**changes).check()


def test_a_result_says_what_counted_in_its_method():
    assert text_preset("best", "mle").labels == {"preset": "best", "method": "mle"}
    assert "weighting" not in text_preset("paper").labels
    assert text_preset("best").labels == {
        "preset": "best", "method": "policygan", "estimator": "all_tokens", "weighting": "forward_kl",
        "reward": "density_ratio", "reward_control": "none",
    }  # fmt: skip


def test_gpus_above_one_are_whole():
    with pytest.raises(UsageError, match="give 2"):
        RunConfig(rollout_gpus=1.5).check()


def test_a_resume_needs_to_know_of_what():
    with pytest.raises(UsageError, match="--run-dir"):
        RunConfig(resume=True).check()


def test_changes_are_named_but_for_the_place_of_the_data():
    old = TextConfig(data="/a")
    assert changed(old, dataclasses.replace(old, data="/b")) == []
    assert changed(old, dataclasses.replace(old, discount=0.5, seed=3)) == ["--seed 0 -> 3", "--discount 0.9 -> 0.5"]
