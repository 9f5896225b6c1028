"""The quality of what a run writes, on real text that is spoiled in known ways."""

import math

import numpy as np
import pytest
import torch

from rlgan.settings import updated
from rlgan.task import LoadedRun, Stages
from rlgan.text import TASK
from rlgan.text import language_model as module
from rlgan.text.authors import RunAuthor
from rlgan.text.benchmark import Authored, Text, measure_quality, measure_texts
from rlgan.text.corpora.stories import load_stories
from rlgan.text.corpus import Rows, batch
from rlgan.text.gains import difference
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask

ROWS = 150


@pytest.fixture(scope="module")
def corpus():
    return load_stories(20, "sentences", train_count=2_000, held_out_count=ROWS)


@pytest.fixture(scope="module", autouse=True)
def few_updates():
    """Train language models for less long: what they tell apart is far apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "UPDATES", 80)
        yield


SPOILED, REPEATED, REAL = range(3)  # of `measured`


@pytest.fixture(scope="module")
def measured(corpus):
    """Training text with its words in disorder, one sentence again and again, and what real text has."""
    told = []
    spoiled = _spoiled(batch(corpus.train, 600, 0, 1), np.random.default_rng(0).permutation)
    repeated = Rows(*(np.repeat(part[:1], 600, axis=0) for part in (corpus.train.tokens, corpus.train.mask)))
    stages = Stages(lambda what, _: told.append(what), total=1)
    found = measure_texts([spoiled, repeated], corpus, ROWS, torch.device("cpu"), stages)
    assert told[1:] == [f"language model {i} of 4" for i in (1, 2, 3, 4)]
    return found


@pytest.fixture(scope="module")
def real(measured):
    return measured[REAL]


def _spoiled(rows, turn):
    """Do something to the words of every row; its `<eos>` stays."""
    tokens = rows.tokens.copy()
    for row, mask in zip(tokens, rows.mask, strict=True):
        row[: mask.sum() - 1] = turn(row[: mask.sum() - 1])
    return Rows(tokens, rows.mask)


def test_real_text_is_near_what_the_language_is(real, corpus):
    """The entropy of the stories is 1.14 nats per token, and no model can do better."""
    entropy = -corpus.true_log_probs(corpus.test).sum() / corpus.test.mask.sum()
    assert real["true_nll"] == pytest.approx(entropy, abs=0.05)
    assert real["grammatical"] == 1
    assert entropy < real["lm_score"] < 2.6
    assert entropy < real["reverse_lm_score"] < 2.6
    assert real["frechet_hashed_ngrams_64"] < 0.3
    assert real["bleu_2"] == pytest.approx(real["self_bleu_2"], abs=0.02)
    assert real["length"] == corpus.validation.mask.sum() / ROWS
    assert real["unknown_words"] == 0


def test_words_in_disorder_are_worse_both_ways(measured, real):
    spoiled = measured[SPOILED]
    assert spoiled["lm_score"] > real["lm_score"] + 2
    assert spoiled["reverse_lm_score"] > real["reverse_lm_score"] + 1
    assert spoiled["frechet_hashed_ngrams_64"] > 1.2 * real["frechet_hashed_ngrams_64"]
    assert spoiled["bleu_4"] < real["bleu_4"] - 0.2
    assert spoiled["distinct_1"] == pytest.approx(real["distinct_1"], rel=0.1)  # the words are the same
    assert spoiled["grammatical"] == 0
    assert "true_nll" not in spoiled


def test_one_good_sentence_has_quality_and_no_diversity(measured, real):
    repeated = measured[REPEATED]
    assert repeated["grammatical"] == repeated["memorised"] == 1
    assert 0.4 < repeated["lm_score"] < real["lm_score"] + 1  # it is no surprise, but one among many
    assert repeated["reverse_lm_score"] > real["reverse_lm_score"] + 3
    assert repeated["self_bleu_4"] == pytest.approx(1)
    assert repeated["distinct_sequences"] == 1 / ROWS


def test_windows_are_measured_too(monkeypatch):
    """Half of the rows have nothing but `<unk>`, the other half stands in the training text, at no window's start."""
    monkeypatch.setattr(module, "UPDATES", 1)
    corpus = load_stories(12, "windows", train_count=300, held_out_count=60)
    rows = corpus.train.tokens.reshape(-1)[5 : 5 + 12 * 60].reshape(-1, 12).copy()
    rows[::2] = corpus.words.index("<unk>")
    text = Rows(rows, np.ones_like(rows, dtype=np.bool_))
    found, _ = measure_texts([text], corpus, 60, torch.device("cpu"), Stages(print, total=1))
    assert found["unknown_words"] == found["memorised"] == 0.5
    assert (found["length"], found["length_std"]) == (12, 0)


def test_generated_text_is_measured_as_any_other(corpus, monkeypatch):
    """Untrained: of 394 words about as likely as each other, none of it is the language's."""
    monkeypatch.setattr(module, "UPDATES", 1)
    settings = updated(TextSettings(), {"layout": "sentences", "embedding_size": 8, "hidden_size": 8})
    task, device, stages = TextTask(settings, corpus), torch.device("cpu"), Stages(lambda *_: None, total=1)
    run = LoadedRun("run", TASK, settings, 3, task.learner(device).weights(), "", lambda: corpus.words)
    written = RunAuthor(run, task).write(200, (0.7, 1.0), stages)
    ((cold, found),), real = measure_quality([written], corpus, 100, device, stages)
    assert (cold["temperature"], found["temperature"]) == (0.7, 1)
    assert found["generator_entropy"] == pytest.approx(math.log(394), rel=0.05)
    assert found["grammatical"] == 0
    assert real["grammatical"] == 1
    text = task.evaluator(device).samples(run.weights, 200, 1.0)
    alone, _ = measure_texts([Rows(text.tokens, text.mask)], corpus, 100, device, stages)
    assert alone.items() <= found.items()


def test_what_each_author_wrote_stays_its_own(corpus, monkeypatch):
    monkeypatch.setattr(module, "UPDATES", 1)
    good, other = (Text(batch(corpus.train, 40, 0, seed), {"temperature": float(seed)}) for seed in (0, 1))
    bad = Text(_spoiled(other.rows, np.sort), {"temperature": 2.0})
    wrote = [Authored({}, [good, bad]), Authored({}, [other])]
    sweeps, _ = measure_quality(wrote, corpus, 30, torch.device("cpu"), Stages(lambda *_: None, total=1))
    found = [[(entry["temperature"], entry["grammatical"]) for entry in sweep] for sweep in sweeps]
    assert found == [[(0, 1), (2, 0)], [(1, 1)]]


def test_the_entropy_of_samples_rises_with_temperature(task):
    made = task()
    weights = made.learner(torch.device("cpu")).weights()
    weights.generator["output.weight"] *= 20  # not nearly uniform, as an untrained one is
    written = [made.evaluator(torch.device("cpu")).samples(weights, 64, each) for each in (0.5, 1.0, 2.0)]
    entropies = [-rollout.log_probs.sum() / rollout.mask.sum() for rollout in written]
    assert entropies[0] + 0.3 < entropies[1] < entropies[2] - 0.3


def test_the_carried_perplexity_of_an_untrained_run_is_near_its_vocabulary(task):
    made = task()
    device = torch.device("cpu")
    carried = made.evaluator(device).carried_perplexity(made.learner(device).weights())
    assert carried == pytest.approx(394, rel=0.05)


def test_the_discriminators_accuracy_at_the_last_place_of_a_window_is_its_accuracy(task):
    made = task(layout="windows")
    device = torch.device("cpu")
    found = made.evaluator(device).evaluate(made.learner(device).weights())
    for of in ("discriminator_accuracy_real", "discriminator_accuracy_generated"):
        assert len(found.series[f"{of}_by_position"]) == 12
        assert found.series[f"{of}_by_position"][-1] == pytest.approx(found.metrics[of])
        assert found.metrics[of] not in (0, 0.5, 1)


def test_a_difference_is_of_what_both_have():
    one = [{"temperature": 1.0, "bleu_2": 0.5, "true_nll": 1.0}, {"temperature": 2.0, "bleu_2": 0.25}]
    other = [{"temperature": 1.0, "bleu_2": 0.125}, {"temperature": 2.0, "bleu_2": 0.5}]
    assert difference(one, other) == [{"temperature": 1.0, "bleu_2": 0.375}, {"temperature": 2.0, "bleu_2": -0.25}]
