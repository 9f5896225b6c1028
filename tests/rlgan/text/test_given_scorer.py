"""A scorer in the discriminator's place: `--scorer`."""

import json

import numpy as np
import pytest
import torch

import rlgan
from envs import PrefixScorer
from rlgan.cli.main import main
from rlgan.errors import RunError
from rlgan.settings import all_settings
from rlgan.text.given_scorer import GivenScorer, check_given_scorer
from rlgan.text.settings import OF_THE_DISCRIMINATOR, TextSettings

SMALL = ["--length", "8", "--batch-size", "16", "--embedding-size", "16", "--hidden-size", "16", "--workers", "0"]

even = PrefixScorer(lambda texts: np.where(texts[:, -1] % 2 == 0, 3.0, -3.0), context=8)
nothing = 3
not_a_number = PrefixScorer(lambda texts: np.full(len(texts), np.nan), context=8)


def no_scorer(words):
    return len(words)


class Fox:
    """Made for the vocabulary; a class of scorers, which has their methods itself."""

    def __init__(self, words):
        self.fox = words.index("fox")

    def start(self, count):
        return (np.zeros(count, np.float32),)

    def score(self, state, tokens):
        return state, np.where(tokens == self.fox, 1.0, -1.0).astype(np.float32)


class Numbers(Fox):
    vocabulary = ("<unk>", "<eos>", "one", "two")


class Wordless(Fox):
    vocabulary = None


def breaks(words):
    return words[10**6]


class Forgetful(Fox):
    calls = 0

    def score(self, state, tokens):
        self.calls += 1
        return state, np.full(len(tokens), self.calls, np.float32)


def _train(tmp_path, *words):
    return main(["train", *SMALL, "--run-dir", str(tmp_path / "run"), *words])


@pytest.mark.parametrize("preset", ["best", "paper"])
def test_the_generator_learns_what_the_scorer_likes_and_no_discriminator_learns(tmp_path, capsys, preset):
    """Half of the tokens are even: of a page of 8 a random policy earns 4 at most."""
    path = tmp_path / "run"
    words = ["--scorer", f"{__name__}:even", "--preset", preset, "--steps", "40", "--evaluate-every", "40"]
    assert _train(tmp_path, *words, "--generator-learning-rate", "2e-2") == 0, capsys.readouterr().err
    assert "mean return" in capsys.readouterr().out
    first, last = (json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines())
    assert first["return"] < 4.5
    assert last["return"] > first["return"] + 2
    assert last["negative_return"] == -last["return"]
    assert "loss_discriminator" not in last
    assert "discriminator_accuracy_real" not in last
    run = rlgan.load_run(path, trust_imports=True)
    assert run.step == 40
    untrained = rlgan.train("text", run_dir=tmp_path / "0", say=lambda _: None, **_settings(preset), steps=1)
    for name, tensor in untrained.discriminator.state_dict().items():
        assert torch.equal(tensor, run.discriminator.state_dict()[name])
    found = run.evaluate(quick=True)
    assert found["scorer"] == f"{__name__}:even"
    assert found["return"] == pytest.approx(last["return"], rel=1e-5)
    with pytest.raises(RunError, match="in whose presence no discriminator learns: take that scorer itself"):
        rlgan.load_scorer(path, trust_imports=True)


def _settings(preset):
    small = {"length": 8, "batch_size": 16, "embedding_size": 16, "hidden_size": 16, "workers": 0}
    return small | {"scorer": f"{__name__}:even", "preset": preset, "generator_learning_rate": 2e-2}


def test_the_settings_of_the_discriminator_are_all_that_are_named_so():
    named = {each.name for each in all_settings(TextSettings) if each.name.startswith("discriminator_")}
    assert set(OF_THE_DISCRIMINATOR) == named | {"negatives"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scorer", "even"], "--scorer 'even' is not a scorer: give package.module:object"),
        (["--scorer", "{}:nothing"], "is a int: it must be an envs.Scorer, or make one"),
        (["--scorer", "{}:no_scorer"], "gave a int: an envs.Scorer is due"),
        (["--scorer", "{}:breaks"], "failed: IndexError: tuple index out of range"),
        (["--scorer", "{}:not_a_number"], "log-odds that are not finite"),
        (["--scorer", "{}:Forgetful"], "must be a pure function"),
        (["--scorer", "{}:Numbers"], "has a vocabulary of 4 words, of which the data's"),
        (["--scorer", "{}:even", "--estimator", "all_tokens"], "give --estimator reinforce"),
        (["--scorer", "{}:even", "--baseline", "expected"], "give --baseline leave_one_out"),
        (["--scorer", "{}:even", "--method", "mle"], "--method mle, which learns from no rewards"),
        (["--scorer", "{}:even", "--reward-control", "random_discriminator"], "give one of them"),
        (["--scorer", "{}:even", "-k", "2"], "-k with --scorer"),
        (["--scorer", "{}:even", "--discriminator-form", "plain"], "no discriminator learns, so leave it out"),
        (["--scorer", "{}:even", "--discriminator-dropout", "0.1"], "--discriminator-dropout with --scorer"),
        # The values of the preset, which change nothing.
        (["--scorer", "{}:even", "--discriminator-form", "structured"], "--discriminator-form with --scorer"),
        (["--discriminator_dropout=0", "--scorer", "{}:even"], "--discriminator-dropout with --scorer"),
        (["-k", "1", "--scorer", "{}:even"], "-k with --scorer"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
def test_what_does_not_go_with_it_is_refused_in_one_line_before_anything_is_written(tmp_path, capsys, words, said):
    assert _train(tmp_path, *(word.format(__name__) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "run").exists()


class Late(Fox):
    """Breaks after it was checked."""

    broken = False

    def score(self, state, tokens):
        if self.broken == "exception":
            return state[1], tokens
        return state, np.full(len(tokens) + 1 if self.broken == "shape" else len(tokens), np.inf, np.float32)


@pytest.mark.parametrize(("broken", "said"), [("shape", r"shape \(4,\)"), ("number", "numbers that are not finite")])
def test_a_scorer_that_breaks_later_ends_the_run_in_one_sentence(broken, said):
    scorer = GivenScorer(f"{__name__}:Late", ("<unk>", "<eos>", "fox"))
    scorer.given.broken = broken
    with pytest.raises(RunError, match=f"Late gave {said}: 3 finite log-odds are due, one a sequence"):
        scorer.score(scorer.start(3), torch.tensor([0, 1, 2]))


def test_what_a_scorer_raises_ends_the_run_in_one_sentence():
    scorer = GivenScorer(f"{__name__}:Late", ("<unk>", "<eos>", "fox"))
    scorer.given.broken = "exception"
    with pytest.raises(RunError, match="Late failed: IndexError: tuple index out of range"):
        scorer.score(scorer.start(3), torch.tensor([0, 1, 2]))


def test_a_scorer_without_a_vocabulary_of_its_own_takes_any():
    check_given_scorer(f"{__name__}:Wordless", ("<unk>", "<eos>", "fox"))


@pytest.mark.parametrize("method", ["pretraingan", "mixedgan", "curriculum"])
def test_methods_with_maximum_likelihood_go_with_it_too(tmp_path, method):
    words = ["--scorer", f"{__name__}:Fox", "--method", method, "--steps", "2", "--evaluate-every", "100"]
    assert _train(tmp_path, *words) == 0
