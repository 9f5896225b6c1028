"""Table 1: its runs, and what is read from their records."""

import csv
import io

import pytest

from rlgan.cli.train import requested
from rlgan.settings import updated
from rlgan.table import RowResult, RunResult, TableResults
from rlgan.text.presets import preset_of
from rlgan.text.settings import TextSettings
from rlgan.text.tables.reading import cost, evaluation_after
from rlgan.text.tables.settings import Table1Options
from rlgan.text.tables.table1 import plan
from rlgan.text.tables.table1_report import report


def recipe_of(words):
    return requested("text", list(words))[0].recipe


@pytest.fixture
def text(tmp_path):
    """A text of 100 words to train: 25 windows of 4."""
    for split, count in (("train", 20), ("valid", 4), ("test", 4)):
        (tmp_path / f"ptb.{split}.txt").write_text("a b c d\n" * count)
    return str(tmp_path)


def test_a_row_for_every_method_estimator_and_size_and_a_control(text):
    options = Table1Options(data=text, discriminator_sizes=(8, 16), epochs=3)
    words = ["--length", "4", "--batch-size", "5", "--shards", "1"]
    rows = plan(options, lambda typed: recipe_of([*typed, *words])).rows
    assert [row.name for row in rows] == [
        "mle",
        "policygan-reinforce-d8", "policygan-reinforce-d16", "policygan-all_tokens-d8", "policygan-all_tokens-d16",
        "pretraingan-d8", "mixedgan-d8", "curriculum-d8",
        "policygan-reinforce-d8-shuffled",
    ]  # fmt: skip
    recipe = recipe_of(rows[-1].words)
    assert (recipe.method, recipe.policy.estimator, recipe.rewards.reward_control) == (
        "policygan",
        "reinforce",
        "shuffled",
    )
    assert recipe.discriminator.discriminator_hidden_size == recipe.discriminator.discriminator_embedding_size == 8
    for row in rows:
        request, _ = requested("text", list(row.words))
        assert request.run.bounds.epochs == request.recipe.rate_decay.decay_epochs == 3
        # 25 windows in batches of 5: measured twice in an epoch of 5 steps.
        assert row.defaults[row.defaults.index("--evaluate-every") + 1] == "3"


def test_what_is_typed_twice_is_a_row_once(text):
    options = Table1Options(
        data=text, methods=("policygan",) * 2, estimators=("reinforce",) * 2, discriminator_sizes=(8, 8),
        controls=("shuffled",) * 2,
    )  # fmt: skip
    rows = plan(options, lambda typed: recipe_of([*typed, "--length", "4"])).rows
    assert [row.name for row in rows] == ["policygan-reinforce-d8", "policygan-reinforce-d8-shuffled"]


def line(step, perplexity, **more):
    epoch = step / 5
    return {
        "step": step, "epoch": epoch, "test_perplexity": perplexity, "validation_perplexity": perplexity + 1,
        "unigram_perplexity": 9.0, "seconds": 2.0 * step, "tokens": 20.0, "tokens_per_cpu_second": 40.0,
    } | more  # fmt: skip


def results(runs):
    typed = updated(TextSettings(), {"method": "policygan", "estimator": "reinforce"})
    recipe = updated(preset_of(typed), {"data": "/a/b", "hidden_size": 8})
    other = updated(preset_of(updated(typed, {"method": "mle"})), {"data": "/a/b", "hidden_size": 8})
    rows = (
        RowResult("policygan", "policygan", "", recipe, ("--data", "/a/b", "--method", "policygan"), runs),
        RowResult("mle", "mle", "", other, ("--data", "/a/b", "--method", "mle"), ()),
    )
    facts = {"data": "abc", "train_tokens": 100, "words": 5, "layout": "windows", "length": 4, "epochs": 2.0}
    return TableResults(facts, rows)


RUNS = (
    RunResult(0, (line(0, 1e4), line(3, 8.0), line(6, 6.0), line(9, 4.0), line(10, 5.0)), {"learner": "CPU (A)"}, {}),
    RunResult(1, (line(0, 2e4), line(3, 8.5), line(6, 7.0), line(9, 6.0), line(10, 5.5)), {"learner": "CPU (B)"}, {}),
    RunResult(2, (line(0, 3e4), line(3, 9.0)), {"learner": "CPU (A)"}, {}, "the loss is nan"),
)


def cells(markdown, title):
    (row,) = [row for row in markdown.splitlines() if row.startswith(f"| {title} |")][:1]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_cells_are_read_at_their_epochs_and_the_best_by_validation():
    markdown = report(results(RUNS))["table1.md"].decode()
    assert cells(markdown, "policygan, reinforce, D 8") == [
        "20,000 (10,000 to 30,000)", "6.50 (6.00 to 7.00)", "5.25 (5.00 to 5.50)",
        "4.75 (4.00 to 5.50), epoch 1.9", "-", "9900 / 8700", "2",
    ]  # fmt: skip


def test_what_is_missing_shows_a_dash_its_state_and_the_command_without_the_place_of_the_data():
    markdown = report(results(RUNS))["table1.md"].decode()
    assert cells(markdown, "mle") == ["-", "-", "-", "-", "-", "1200 / 250", "-"]
    assert "- mle: `rlgan train --data $DATA --method mle`" in markdown
    assert "- policygan, reinforce, D 8, seed 2: failed: the loss is nan" in markdown
    assert "- policygan, reinforce, D 8, seed 2: epoch 0.6, test perplexity 9.00" in markdown
    assert "/a/b" not in markdown


def test_the_csv_has_a_line_for_each_run():
    lines = list(csv.DictReader(io.StringIO(report(results(RUNS))["table1.csv"].decode())))
    assert [(each["row"], each["seed"], each["test_perplexity_2"]) for each in lines] == [
        ("policygan", "0", "5.0"), ("policygan", "1", "5.5"), ("policygan", "2", ""),
    ]  # fmt: skip
    assert [each["words_seen"] for each in lines] == ["200.0", "200.0", "60.0"]
    assert lines[1]["computed_on"] == "CPU (B)"


def test_a_table_of_nothing_yet_can_be_made():
    files = report(results(()))
    assert files["table1.png"].startswith(b"\x89PNG")
    assert files["table1.csv"] == b"row,seed\n"


def test_costs_are_added_up_over_the_evaluations():
    run = RunResult(0, (line(0, 9.0), line(4, 8.0), line(5, 7.0, tokens=10.0, tokens_per_cpu_second=5.0)), {}, {})
    taken = cost(run)
    assert (taken.tokens, taken.cpu_seconds, taken.seconds) == (4 * 20 + 10, 4 * 20 / 40 + 10 / 5, 10.0)


def test_an_epoch_that_is_reached_but_for_rounding_counts():
    assert evaluation_after(RunResult(0, ({"epoch": 2 - 1e-12},), {}, {}), 2.0) is not None
