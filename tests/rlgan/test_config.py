import dataclasses
import math

import pytest

from rlgan.config import TEXT_PRESETS, RunConfig, TextConfig, UsageError, changed


@pytest.mark.parametrize("preset", TEXT_PRESETS)
def test_presets_make_sense(preset):
    assert TEXT_PRESETS[preset].preset == preset
    TEXT_PRESETS[preset].check()


def test_the_paper_preset_is_the_papers_recipe():
    paper = TEXT_PRESETS["paper"]
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
        ("hidden_size", 0),
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
