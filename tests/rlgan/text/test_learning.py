"""Every method learns the stories, to a stated number from a fixed seed; what it is held against does not."""

import json
import re

import pytest

UNTRAINED, UNIGRAM = 394, 106.7


def test_policygan_on_the_stories_falls_to_a_fortieth_without_mle(learn, capsys):
    last = learn("--steps", "100")
    assert last["test_perplexity"] < UNTRAINED / 40 < UNIGRAM
    assert last["implied_test_perplexity"] < UNTRAINED / 40
    assert last["distinct_sequences"] > 0.95
    assert "loss_mle" not in last
    # Two lines per evaluation: the numbers, and a sentence.
    assert re.search(r"step 100: test perplexity .*floor 3\.\d+.*it writes:\n    \w+ \w+", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--lag", "1", "--negatives", "both", "--rollouts", "128"]])
def test_reinforce_on_sampled_tokens_falls_to_a_fifteenth(learn, more):
    last = learn("--estimator", "reinforce", "--steps", "100", *more)
    assert last["test_perplexity"] < UNTRAINED / 15
    assert last["implied_test_perplexity"] < UNTRAINED / 40


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "due"), [("all_tokens", 40), ("reinforce", 80)])
def test_a_discriminator_that_does_not_know_the_generator_teaches_both_estimators(learn, estimator, due):
    words = ["--discriminator-form", "plain", "--estimator", estimator, "--steps", "150"]
    assert learn(*words)["test_perplexity"] < due


@pytest.mark.slow
def test_the_best_for_a_large_vocabulary_learns_a_small_one_too(learn):
    assert learn("--preset-for", "large", "--steps", "100")["test_perplexity"] < UNTRAINED / 10


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["reinforce", "all_tokens"])
@pytest.mark.parametrize("control", ["shuffled"])  # the others: scripts/test --long learning
def test_with_rewards_that_say_nothing_the_generator_learns_nothing(learn, estimator, control):
    last = learn("--steps", "100", "--reward-control", control, "--estimator", estimator)
    assert last["test_perplexity"] > 0.75 * UNTRAINED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "steps", "due"),
    [
        ("mle", 150, 10),
        ("pretraingan", 340, 10),  # 313 of them are its epoch of MLE
        ("mixedgan", 150, 15),
        ("curriculum", 200, 10),
    ],
)
def test_each_method_learns_with_its_best_preset(learn, method, steps, due):
    assert learn("--method", method, "--steps", str(steps))["test_perplexity"] < due


@pytest.mark.slow
def test_the_papers_mle_falls_far_below_the_unigrams(learn):
    words = ["--method", "pretraingan", "--preset", "paper", "--steps", "200"]
    assert learn(*words)["test_perplexity"] < 10


@pytest.mark.slow
def test_convolutions_learn_too(learn):
    last = learn("--generator", "cnn", "--discriminator", "cnn", "--steps", "60")
    assert last["test_perplexity"] < UNTRAINED / 5


@pytest.mark.slow
@pytest.mark.timeout(450)
def test_the_main_job_as_typed_learns_within_its_bound_of_time(rlgan, tmp_path):
    done = rlgan(
        "train", "--run-dir", tmp_path / "run", timeout=400
    )  # 2.5 minutes of training, and a slow machine before and after
    assert done.returncode == 0, done.stderr
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_perplexity"] < UNTRAINED / 10 < UNIGRAM
    assert set(last["shards_by_worker"]) == {"local"}  # no lag: workers would cost more than they gain
    assert "where: one process on cpu, without Ray; by default --workers 0: without --lag" in done.stdout
