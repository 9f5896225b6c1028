"""The preset `best` by what is typed beside it, and by the data."""

import pytest

from rlgan.cli.train import requested
from rlgan.settings import flatten
from rlgan.text.presets import BESIDE_LIKELIHOOD, BEST_FOR, labels_of


def _recipe(*words):
    return requested("text", [str(word) for word in words])[0].recipe


def _lines(words):
    """A text of so many different words, `<unk>` and `<eos>` not among them."""
    return "".join(f"word{number} again\n" for number in range(words - 1))


@pytest.mark.parametrize(("words", "due"), [(4_999, "small"), (5_000, "large")])
@pytest.mark.parametrize("name", ["lines.txt", "texts/ptb.train.txt"])
def test_the_best_recipe_is_by_the_words_of_the_training_text(tmp_path, words, due, name):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "ptb.test.txt").write_text(_lines(9_000))
    (tmp_path / name).write_text(_lines(words))
    found = flatten(_recipe("--data", tmp_path / name.split("/")[0]))
    assert {key: found[key] for key in BEST_FOR[due]} == BEST_FOR[due]


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ([], "small"),
        (["--data", "oracle"], "large"),
        (["--data", "oracle", "--vocab-size", "4999"], "small"),
        (["--preset-for", "large"], "large"),
        (["--method", "mle"], "small"),
        (["--data", "oracle", "--preset-for", "small"], "small"),
        (["--data", "nowhere"], "large"),  # which is said when it is loaded
    ],
)
def test_which_recipe_was_taken_is_said(words, due):
    recipe = _recipe(*words)
    assert recipe.preset_for == due
    assert labels_of(recipe)["preset_for"] == due


@pytest.mark.parametrize("words", [["--preset", "paper"], ["--discriminator-form", "plain"]])
def test_what_no_vocabulary_decides_names_none(words):
    recipe = _recipe(*words, "--data", "oracle")
    assert recipe.preset_for is None
    assert "preset_for" not in labels_of(recipe)
    assert recipe.batch_size == 64


@pytest.mark.parametrize("method", ["mixedgan", "curriculum"])
def test_where_likelihood_teaches_too_the_best_for_a_large_vocabulary_keeps_it_from_learning_by_heart(method):
    small, large = (flatten(_recipe("--method", method, "--preset-for", size)) for size in ("small", "large"))
    assert BESIDE_LIKELIHOOD[method].items() <= large.items()
    assert (small["generator_dropout"], small["curriculum"]) == (0.0, ((0.0, 1.0), (1.0, 0.0)))
    assert (
        flatten(_recipe("--method", method, "--generator-dropout", "0", "--data", "oracle"))["generator_dropout"] == 0
    )


def test_a_plain_discriminator_has_its_own_best():
    plain = flatten(_recipe("--discriminator-form", "plain"))
    due = {"reward": "density_ratio", "negatives": "rollouts", "discriminator_dropout": 0.5, "decay": "none"}
    assert {key: plain[key] for key in due} == due
    assert _recipe("--discriminator-form", "plain", "--estimator", "reinforce").rewards.reward == "token_ratio"
    assert _recipe("--estimator", "reinforce").baselines.baseline == "expected"


@pytest.mark.parametrize("form", ["structured", "plain"])
@pytest.mark.parametrize(
    ("reward", "due"),
    [
        ("log_odds", "forward_kl"),
        ("density_ratio", "forward_kl"),
        ("centred", "expected"),
        ("operator:sub", "expected"),
    ],
)
def test_rewards_that_may_be_negative_are_no_weights_of_the_best_recipe(form, reward, due):
    """A rule from outside may give what it likes: as a weight, a negative reward makes the gradient infinite."""
    assert _recipe("--discriminator-form", form, "--reward", reward).policy.weighting == due
