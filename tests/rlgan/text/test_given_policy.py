"""An agent from outside, measured: `rlgan evaluate RUN --policy`."""

# ruff: noqa: ARG001 (a policy is given a mask, which not each of these needs)

import json
import math
from functools import cache

import numpy as np
import pytest
import torch

from rlgan.cli.main import main
from rlgan.errors import RunError
from rlgan.text import language_model
from rlgan.text.corpora.stories import load_stories
from rlgan.text.corpus import Rows
from rlgan.text.given_policy import GivenPolicy

SMALL = ["--preset", "paper", "--batch-size", "16", "--embedding-size", "8", "--hidden-size", "8", "--workers", "0"]
V = 5
nothing = 3


def uniform(tokens, mask):
    return torch.full((len(tokens), V), 1 / V).log()


def counting(tokens, mask):
    """The token after the last one, surely; it begins with 0."""
    following = (tokens[:, -1] + 1) % V if tokens.shape[1] else np.zeros(len(tokens), np.int64)
    return torch.nn.functional.one_hot(torch.from_numpy(following % V), V).double().log()


def thirds(tokens, mask):
    """Actions: 2, 1, 0 and so on from the end of the vocabulary."""
    assert mask.shape == tokens.shape
    assert ((tokens < V) == mask).all()
    return np.full(len(tokens), 2 - tokens.shape[1] % 3, np.int32)


def unnormalised(tokens, mask):
    return np.zeros((len(tokens), V))


def transposed(tokens, mask):
    return uniform(tokens, mask).T.repeat(1, 2)


def out_of_range(tokens, mask):
    return np.full(len(tokens), V)


def not_a_number(tokens, mask):
    return np.full((len(tokens), V), np.nan)


def raises(tokens, mask):
    return tokens[:, 99]


def _policy(name):
    return GivenPolicy(f"{__name__}:{name}", V)


def _rows(*texts):
    tokens = np.full((len(texts), 4), V)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = text
    return Rows(tokens, tokens < V)


def test_perplexity_is_by_pen_and_paper():
    rows = _rows([3, 1, 4, 1], [2], [0, 0])
    assert _policy("uniform").perplexity(rows) == pytest.approx(5)
    np.testing.assert_allclose(_policy("uniform").log_probs(rows), np.log(1 / 5) * rows.mask, rtol=1e-6)
    assert _policy("counting").perplexity(_rows([0, 1, 2, 3], [0])) == pytest.approx(1)
    assert _policy("counting").perplexity(_rows([0, 2])) == 2.0**1000


def only_one_hot(tokens, mask):
    """Reads as a network of torch does, which takes int64 alone."""
    torch.nn.functional.one_hot(torch.from_numpy(tokens), V + 1)
    return uniform(tokens, mask)


def wrong_at_last(tokens, mask):
    log_probs = uniform(tokens, mask)
    log_probs[-1] += math.log(3)
    return log_probs


def test_it_reads_int64_also_of_a_file():
    tokens = _rows([3, 1, 4, 1], [2]).tokens.astype(np.int32)
    assert _policy("only_one_hot").perplexity(Rows(tokens, tokens < V)) == pytest.approx(5)


def test_what_is_said_of_probabilities_is_said_of_those_that_are_wrong():
    with pytest.raises(RunError, match="of a sum of 3, not 1"):
        _policy("wrong_at_last").log_probs(_rows([3], [2]))


def test_what_it_writes_is_what_it_says_and_ends_with_the_stop_token():
    np.testing.assert_array_equal(_policy("counting").write(3, 4, None, 1.0, 0).tokens, [[0, 1, 2, 3]] * 3)
    written = _policy("thirds").write(2, 6, 0, 1.0, 0)
    np.testing.assert_array_equal(written.tokens, [[2, 1, 0, V, V, V]] * 2)
    np.testing.assert_array_equal(written.mask, written.tokens < V)


def test_the_first_sequences_do_not_depend_on_how_many_are_asked_for_and_tokens_are_as_likely_as_it_says():
    policy = _policy("uniform")
    few, many = policy.write(10, 4, None, 1.0, 0), policy.write(2000, 4, None, 1.0, 0)
    np.testing.assert_array_equal(few.tokens, many.tokens[:10])
    np.testing.assert_allclose(np.bincount(many.tokens.ravel()) / many.tokens.size, 0.2, atol=0.02)
    assert (policy.write(10, 4, None, 1.0, 1).tokens != few.tokens).any()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "run"
    assert main(["train", *SMALL, "--steps", "1", "--run-dir", str(path)]) == 0
    return path


@cache
def stories():
    return load_stories(20, "sentences")


def frequencies(tokens, mask):
    """The words' frequencies in training, whatever came before."""
    corpus = stories()
    counts = np.bincount(corpus.train.tokens[corpus.train.mask], minlength=len(corpus.words))
    return np.tile(np.log(np.maximum(counts, 1) / np.maximum(counts, 1).sum()), (len(tokens), 1))


def slept(tokens, mask):
    words = stories().words
    sentence = [words.index(word) for word in ("the", "fox", "slept", ".", "<eos>")]
    return np.full(len(tokens), sentence[min(tokens.shape[1], 4)])


asked = []


def counted(tokens, mask):
    asked.append(tokens.shape)
    return frequencies(tokens, mask)


def _evaluated(run, capsys, *words):
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_frequencies_alone_have_the_unigram_perplexity(run, capsys):
    found = _evaluated(run, capsys, "--policy", f"{__name__}:frequencies", "--quick")
    assert found["test_perplexity"] == pytest.approx(found["unigram_perplexity"], rel=1e-5)
    assert found["policy"] == f"{__name__}:frequencies"
    assert "discriminator_accuracy_real" not in found


def test_a_policy_is_asked_for_no_more_than_is_told(run, capsys):
    asked.clear()
    _evaluated(run, capsys, "--policy", f"{__name__}:counted", "--quick")
    corpus = stories()
    length = corpus.train.shape[1]
    rounds = [math.ceil(rows / 64) for rows in (len(corpus.validation.tokens), len(corpus.test.tokens), 512)]
    # Once for what kind it is; then for held-out text, and for what it writes, at every place where a sequence goes on.
    assert sum(rounds) * 10 < len(asked) <= 1 + sum(rounds) * length


def test_actions_are_measured_by_what_they_write(run, capsys, monkeypatch):
    monkeypatch.setattr(language_model, "UPDATES", 2)
    found = _evaluated(run, capsys, "--policy", f"{__name__}:slept", "--samples", "50")
    assert "test_perplexity" not in found
    (quality,) = found["quality"]
    assert quality["temperature"] == 1
    assert quality["length"] == 5
    assert quality["distinct_sequences"] == pytest.approx(1 / 50)
    assert quality["self_bleu_2"] == pytest.approx(1)
    assert set(found["quality_floor"]) - {"true_nll"} == set(quality) - {"temperature"} - {"true_nll"}
    assert main(["evaluate", str(run), "--policy", f"{__name__}:slept", "--samples", "50"]) == 0
    assert "self-BLEU-4, T = 1" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--policy", f"{__name__}:slept", "--samples", "50", "--all"]) == 0
    assert "self_bleu_2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unnormalised", "gave log-probabilities of a sum of 5, not 1: give log_softmax of the logits"),
        ("transposed", r"gave float32 \[5, 128\]: give log-probabilities \[64, 5\] or actions \[64\]"),
        ("out_of_range", "holds 5, which is not a token: give 0 to 4"),
        ("not_a_number", "without NaN"),
        ("raises", "raises failed: IndexError"),
    ],
)
def test_what_it_must_not_give_is_told_in_one_sentence(name, said):
    with pytest.raises(Exception, match=said) as refused:
        _policy(name).write(3, 4, None, 1.0, 0)
    assert type(refused.value).__name__ == "RunError"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "uniform"], "--policy 'uniform' is not a policy: give package.module:object"),
        (["--policy", f"{__name__}:nothing"], "is a int, not a function of (tokens, mask)"),
        (["--policy", f"{__name__}:slept", "--temperatures", "0.5"], "which gives actions: leave them out"),
        (["--policy", f"{__name__}:slept", "--control", "x"], "--control is what the run itself is held against"),
    ],
)
def test_what_does_not_go_with_it_is_refused(run, capsys, words, said):
    capsys.readouterr()
    assert main(["evaluate", str(run), "--quick", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
