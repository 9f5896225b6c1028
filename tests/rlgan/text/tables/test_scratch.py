"""The table `scratch`: its runs, and what is read from their evaluations."""

import pytest

from rlgan.cli.train import requested
from rlgan.errors import UsageError
from rlgan.settings import check
from rlgan.table import RowResult, RunResult, TableResults
from rlgan.text.presets import PAPER, preset_of
from rlgan.text.tables.scratch import plan
from rlgan.text.tables.scratch_report import report, reverse_at
from rlgan.text.tables.settings import ScratchOptions


def recipe_of(words):
    return requested("text", list(words))[0].recipe


@pytest.fixture
def text(tmp_path):
    """A text of 100 words to train."""
    for split, count in (("train", 20), ("valid", 4), ("test", 4)):
        (tmp_path / f"ptb.{split}.txt").write_text("a b c d\n" * count)
    return str(tmp_path)


def test_every_text_has_every_row_and_mle_is_measured_at_two_checkpoints(text):
    options = ScratchOptions(data=(f"one={text}", f"two={text}"), temperatures=(1.5, 0.5), epochs=2)
    made = plan(options, lambda typed: recipe_of([*typed, "--length", "4"]))
    names = ["mle", "policygan", "reinforce", "scratchgan", "mediator", "shuffled"]
    assert [(row.group, row.name) for row in made.rows] == [(text, name) for text in ("one", "two") for name in names]
    assert [list(row.evaluations) for row in made.rows[:2]] == [["newest", "best"], ["best"]]
    measured = made.rows[1].evaluations["best"]
    assert measured[:6] == ("--checkpoint", "best", "--temperatures", "0.5", "1", "1.5")
    assert set(made.facts) == {"one", "two"}


def test_scratchgans_recipe_is_that_of_its_authors_and_leaves_the_rest_to_the_paper(text):
    (row,) = plan(ScratchOptions(data=(f"one={text}",), rows=("scratchgan",)), recipe_of).rows
    recipe = recipe_of(row.words)
    assert preset_of(recipe).players.generator_ema_decay == PAPER.players.generator_ema_decay == 0.0
    assert (recipe.batch_size, recipe.rewards.reward, recipe.rewards.discount) == (512, "centred", 0.23)
    assert (recipe.baselines.baseline, recipe.baselines.baseline_decay) == ("moving_average", 0.08)
    assert recipe.players.discriminator_learning_rate == 9.4e-3
    assert recipe.players.generator_learning_rate == 9.6e-5
    assert recipe.adam.adam_beta1 == 0.5


@pytest.mark.parametrize(
    ("data", "due"),
    [((), "needs --data"), (("coco",), "give NAME=PATH"), (("a/b=c",), "give NAME=PATH"), (("a=b", "a=c"), "one name")],
)
def test_texts_without_a_name_of_their_own_are_refused(data, due):
    with pytest.raises(UsageError, match=due):
        check(ScratchOptions(data=data))


def quality(temperature, lm, reverse):
    """What `rlgan evaluate` measures at a temperature, with numbers that tell which is which."""
    return {
        "temperature": temperature, "lm_score": lm, "reverse_lm_score": reverse, "distinct_4": 0.875, "memorised": 0.25,
        **{f"bleu_{n}": 0.1 * n for n in (2, 3, 4, 5)}, **{f"self_bleu_{n}": 0.1 * n + 0.05 for n in (2, 3, 4, 5)},
    }  # fmt: skip


def found(perplexity, *curve, **more):
    return {
        "step": 7, "test_perplexity": perplexity, "test_nll": 2.0, "quality_floor": quality(1.0, 2.5, 2.6),
        "quality": [quality(*point) for point in curve],
    } | more  # fmt: skip


def results(*rows):
    shared = {"data": "abc", "train_tokens": 100, "words": 5, "layout": "sentences", "length": 4, "epochs": 2.0}
    line = {"step": 0, "epoch": 0.0, "test_perplexity": 9.0, "seconds": 1.0}
    made = tuple(
        RowResult(f"coco-{name}", name, "coco", recipe_of(["--data", "stories"]), ("--data", "/a/b"), tuple(
            RunResult(seed, (line,), {}, each) for seed, each in enumerate(evaluations)
        ))
        for name, evaluations in rows
    )  # fmt: skip
    return TableResults({"coco": shared | {"samples": 20, "temperatures": [0.5, 1.0]}}, made)


MLE = ("mle", [{
    "newest": found(40.0, (0.5, 2.0, 6.0), (1.0, 4.0, 5.0)),
    "best": found(30.0, (0.5, 2.0, 5.0), (1.0, 3.0, 4.0)),
}])  # fmt: skip
GAN = ("policygan", [
    {"best": found(60.0, (0.5, 2.0, 7.0), (1.0, 4.0, 5.0), implied_test_perplexity=33.0)},
    {"best": found(80.0, (0.5, 2.5, 7.5), (1.0, 4.5, 5.5), implied_test_perplexity=35.0)},
])  # fmt: skip


def cells(markdown, title):
    row = next(row for row in markdown.splitlines() if row.startswith(f"| {title} |"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_cells_are_ratios_to_mle_and_points_on_the_curves():
    markdown = report(results(MLE, GAN))["scratch.md"].decode()
    assert cells(markdown, "MLE, same networks and words seen")[:3] == ["40.0", "1.00", "2.00"]
    assert cells(markdown, "MLE at its best")[:2] == ["30.0", "0.75"]
    # MLE at its best has a score of 3 at temperature 1: of the two curves 6 = (7 + 5) / 2 and 7 lie there.
    assert cells(markdown, "PolicyGan, all tokens") == [
        "70.0 (60.0 to 80.0)", "1.75 (1.50 to 2.00)", "2.00", "34.0 (33.0 to 35.0)", "4.25 (4.00 to 4.50)",
        "5.25 (5.00 to 5.50)", "6.50 (6.00 to 7.00)", "0.88", "0.25", "2",
    ]  # fmt: skip
    assert cells(markdown, "real text")[4:6] == ["2.50", "2.60"]


def test_a_row_that_has_not_been_measured_shows_dashes_and_its_command():
    markdown = report(results(MLE, ("mediator", [])))["scratch.md"].decode()
    assert set(cells(markdown, "mediator (CoT)")) == {"-"}
    assert "- mediator (CoT): `rlgan train --data $DATA`" in markdown


@pytest.mark.parametrize("order", [1, -1])
def test_a_measure_that_one_seed_lacks_is_not_shown_of_the_curve(order):
    # Of samples of which none is grammatical there is no likelihood.
    one, two = found(60.0, (0.5, 2.0, 7.0), (1.0, 4.0, 5.0)), found(80.0, (0.5, 2.5, 7.5), (1.0, 4.5, 5.5))
    for point in one["quality"]:
        point["true_nll"] = 2.0
    markdown = report(results(MLE, ("policygan", [{"best": one}, {"best": two}][::order])))["scratch.md"].decode()
    assert cells(markdown, "PolicyGan, all tokens")[6] == "6.50 (6.00 to 7.00)"


def test_files_can_be_made_of_nothing_yet():
    files = report(results(("mle", [])))
    assert files["scratch.png"].startswith(b"\x89PNG")
    assert files["scratch.csv"] == b"row,seed\n"


def test_a_curve_has_no_reverse_score_where_it_does_not_come():
    curve = [quality(0.5, 2.0, 7.0), quality(1.0, 4.0, 5.0)]
    assert reverse_at(curve, 2.5) == pytest.approx(6.5)
    assert reverse_at(curve, 1.9) is None
    assert reverse_at(curve, 4.1) is None
