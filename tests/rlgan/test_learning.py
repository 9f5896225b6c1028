"""The main job learns, to a stated number from a fixed seed; its control does not."""

import json
import re

import pytest

from rlgan.cli import main

UNTRAINED, UNIGRAM = 394, 106.7


def _train(tmp_path, *words):
    run = tmp_path / "run"
    assert main(["train", "--workers", "0", "--evaluate-every", "1000", "--run-dir", str(run), *words]) == 0
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["test_perplexity"] == pytest.approx(UNTRAINED, rel=0.02)
    assert lines[0]["unigram_perplexity"] == pytest.approx(UNIGRAM, abs=0.1)
    return lines[-1]


def test_policygan_on_the_stories_falls_to_a_fifth_without_mle(tmp_path, capsys):
    last = _train(tmp_path, "--steps", "200")
    assert last["test_perplexity"] < UNTRAINED / 5 < UNIGRAM
    assert last["distinct_sequences"] > 0.95
    assert "loss_mle" not in last
    # Two lines per evaluation: the numbers, and a sentence.
    assert re.search(r"step 200: test perplexity .*floor 3\.\d+.*it writes:\n    \w+ \w+", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("control", ["constant", "shuffled", "random_discriminator"])
def test_with_rewards_that_say_nothing_the_generator_learns_nothing(tmp_path, control):
    last = _train(tmp_path, "--steps", "200", "--reward-control", control)
    assert last["test_perplexity"] > 0.75 * UNTRAINED


@pytest.mark.slow
def test_mle_falls_far_below_the_unigrams(tmp_path):
    last = _train(tmp_path, "--method", "mle", "--preset", "paper", "--epochs", "1")
    assert last["test_perplexity"] < 10


@pytest.mark.slow
def test_the_main_job_as_typed_learns_within_its_bound_of_time(rlgan, tmp_path):
    done = rlgan(
        "train", "--run-dir", tmp_path / "run", timeout=400
    )  # 2.5 minutes of training, and a slow machine before and after
    assert done.returncode == 0, done.stderr
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_perplexity"] < UNTRAINED / 5 < UNIGRAM
    assert set(last["shards_by_worker"]) == {"worker_0", "worker_1"}
