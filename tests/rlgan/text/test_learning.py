"""Every method learns the stories, to a stated number from a fixed seed; what it is held against does not."""

import json
import re

import pytest

UNTRAINED, UNIGRAM = 394, 106.7


def test_policygan_on_the_stories_falls_to_a_tenth_without_mle(learn, capsys):
    last = learn("--steps", "150")
    assert last["test_perplexity"] < UNTRAINED / 10 < UNIGRAM
    assert last["distinct_sequences"] > 0.95
    assert "loss_mle" not in last
    # Two lines per evaluation: the numbers, and a sentence.
    assert re.search(r"step 150: test perplexity .*floor 3\.\d+.*it writes:\n    \w+ \w+", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "due"), [("all_tokens", 12), ("reinforce", 40)])
def test_a_structured_discriminator_teaches_both_estimators(learn, estimator, due):
    words = ["--discriminator-form", "structured", "--negatives", "conditional", "--layout", "windows"]
    words += ["--discriminator-dropout", "0", "--discriminator-word-dropout", "0", "--generator-learning-rate", "3e-3"]
    last = learn(*words, "--estimator", estimator, "--steps", "100")
    assert last["test_perplexity"] < due
    assert last["implied_test_perplexity"] < due


@pytest.mark.slow
def test_reinforce_on_sampled_tokens_falls_to_a_fifth(learn):
    assert learn("--estimator", "reinforce", "--steps", "200")["test_perplexity"] < UNTRAINED / 5


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
    assert set(last["shards_by_worker"]) == {"worker_0", "worker_1"}
