import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from rlgan.errors import DataError
from rlgan.rng import Purpose, stream
from rlgan.text.corpora.load import load_corpus
from rlgan.text.corpora.oracle import Oracle, load_oracle
from rlgan.text.corpus import Rows
from rlgan.text.perplexities import unigram_perplexity
from rlgan.text.settings import CorpusSettings


@pytest.fixture(scope="module")
def oracle():
    return Oracle.draw(stream(0, Purpose.ORACLE, 0))


@pytest.fixture(scope="module")
def corpus():
    return load_oracle(train_count=200, held_out_count=100)


def whole(tokens):
    return Rows(tokens, np.ones_like(tokens, dtype=bool))


def by_torch(oracle, tokens):
    """Log-probabilities of every next token before each of tokens [N, T], float64 [N, T, V], by torch's LSTM."""

    def in_order(gates):  # ours: input, forget, output, candidate; torch's: input, forget, candidate, output
        come, stay, show, candidate = np.split(gates, 4, axis=-1)
        return torch.tensor(np.concatenate([come, stay, candidate, show], axis=-1).T)

    lstm = torch.nn.LSTM(32, 32, batch_first=True, dtype=torch.float64)
    lstm.load_state_dict(
        {
            "weight_ih_l0": in_order(oracle.from_embedding),
            "weight_hh_l0": in_order(oracle.from_hidden),
            "bias_ih_l0": in_order(oracle.bias),
            "bias_hh_l0": torch.zeros(128),
        }
    )
    read = np.concatenate([np.zeros_like(tokens[:, :1]), tokens[:, :-1]], axis=1)  # token 0 stands before the first
    with torch.inference_mode():
        hidden, _ = lstm(torch.tensor(oracle.embedding[read]))
        logits = hidden @ torch.tensor(oracle.output) + torch.tensor(oracle.output_bias)
        return logits.log_softmax(dim=-1).numpy()


def test_log_probabilities_are_those_of_torchs_lstm(oracle):
    tokens = np.random.default_rng(1).integers(5_000, size=(70, 20))  # more than one chunk
    due = np.take_along_axis(by_torch(oracle, tokens), tokens[..., None], axis=2).sum(axis=(1, 2))
    np.testing.assert_allclose(oracle.log_probs(whole(tokens)), due, rtol=1e-10)


def test_every_parameter_is_standard_normal_and_none_is_shared(oracle):
    parameters = np.concatenate([values.ravel() for values in vars(oracle).values()])
    assert len(parameters) == 2 * 5_000 * 32 + 2 * 32 * 128 + 128 + 5_000
    assert len(np.unique(parameters)) == len(parameters)
    # Moments 0, 1, 0, 3 with standard deviations of sqrt((1, 2, 15, 96) / n).
    moments = [np.mean(parameters**power) for power in (1, 2, 3, 4)]
    np.testing.assert_array_less(np.abs(moments - np.array([0, 1, 0, 3])), 5 * np.sqrt([1, 2, 15, 96]) / 331e3**0.5)
    assert oracle.bias.std() > 0.8
    assert oracle.output_bias.std() > 0.9


def test_the_probabilities_of_all_next_tokens_sum_to_1(oracle):
    prefix = np.array([[17, 4_999]])
    following = np.concatenate([np.repeat(prefix, 5_000, axis=0), np.arange(5_000)[:, None]], axis=1)
    given_prefix = oracle.log_probs(whole(following)) - oracle.log_probs(whole(prefix))
    assert np.exp(given_prefix).sum() == pytest.approx(1, abs=1e-10)


def test_tokens_that_do_not_count_change_nothing(oracle):
    tokens = np.random.default_rng(2).integers(5_000, size=(3, 4))
    mask = np.arange(4) < [[1], [3], [0]]
    blank = replace(whole(tokens), tokens=np.where(mask, tokens, 5_000), mask=mask)
    due = [oracle.log_probs(whole(tokens[[row], :count]))[0] for row, count in ((0, 1), (1, 3))]
    np.testing.assert_allclose(oracle.log_probs(blank), [*due, 0], rtol=1e-10)


def test_first_tokens_come_as_often_as_they_should(oracle):
    count = 10_000
    seen = np.bincount(oracle.sample(stream(1, Purpose.ORACLE, 1), count, length=1)[:, 0], minlength=5_000)
    due = count * np.exp(oracle.log_probs(whole(np.arange(5_000)[:, None])))
    frequent = due >= 5  # the rest in one cell, as is the rule for a chi-square
    seen = np.append(seen[frequent], seen[~frequent].sum())
    due = np.append(due[frequent], due[~frequent].sum())
    chi_square = ((seen - due) ** 2 / due).sum()
    freedom = len(due) - 1
    assert freedom > 100
    assert abs(chi_square - freedom) < 4 * np.sqrt(2 * freedom)


def test_sampled_tokens_surprise_as_much_as_their_distributions_do(oracle):
    # At each position -ln p of the token has the distribution's entropy as its mean, given what stands before it.
    tokens = oracle.sample(stream(1, Purpose.ORACLE, 2), 150)
    log_probs = by_torch(oracle, tokens)
    probs = np.exp(log_probs)
    entropy = -(probs * log_probs).sum(axis=2)
    variance = (probs * log_probs**2).sum(axis=2) - entropy**2
    surprise = -np.take_along_axis(log_probs, tokens[..., None], axis=2)[..., 0]
    off = (surprise - entropy).sum(axis=0) / np.sqrt(variance.sum(axis=0))  # standard normal at each position
    assert np.abs(off).max() < 4
    assert abs(off.sum()) < 4 * np.sqrt(20)


def test_the_first_rows_are_the_same_however_many_are_asked_for(oracle):
    few = oracle.sample(stream(1, Purpose.ORACLE, 3), 10)
    many = oracle.sample(stream(1, Purpose.ORACLE, 3), 150)
    np.testing.assert_array_equal(few, many[:10])
    assert few.dtype == np.int64
    assert len(np.unique(many, axis=0)) == 150


def test_the_floor_lies_where_the_entropy_of_such_oracles_does(corpus):
    # Nats per token, by hand: the logits of 5,000 words are near N(0, s^2) with s^2 = 1 + |hidden|^2, so the entropy is
    # near ln 5,000 - s^2 / 2. With |hidden|^2 around 4 that is 6. Drawn with the seeds 0 to 12: 5.75 to 6.06.
    assert 5.8 < np.log(corpus.floor_perplexity(corpus.train)) < 6.1
    assert 5.8 < np.log(corpus.floor_perplexity(corpus.test)) < 6.1


def test_words_drawn_blindly_are_far_worse(corpus):
    blind = whole(np.random.default_rng(3).integers(5_000, size=(100, 20)))
    assert corpus.floor_perplexity(blind) > 100 * corpus.floor_perplexity(corpus.test)
    assert unigram_perplexity(corpus, corpus.test) > 2 * corpus.floor_perplexity(corpus.test)


def test_a_corpus_is_rows_of_5000_words_that_nothing_ends(corpus):
    assert [len(rows.tokens) for rows in (corpus.train, corpus.validation, corpus.test)] == [200, 100, 100]
    for rows in (corpus.train, corpus.validation, corpus.test):
        assert rows.tokens.shape[1] == 20
        assert rows.mask.all()
        assert 0 <= rows.tokens.min() <= rows.tokens.max() < 5_000
    assert (corpus.words[0], corpus.words[4_999], len(corpus.words)) == ("0", "4999", 5_000)
    assert corpus.stop_token is None


def test_the_splits_are_different_texts_of_one_oracle(corpus):
    texts = [rows.tokens[:100] for rows in (corpus.train, corpus.validation, corpus.test)]
    assert len(np.unique(np.concatenate(texts), axis=0)) == 300


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another():
    first, again, other = (load_oracle(5, seed, train_count=20, held_out_count=10) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.floor_perplexity(other.test) > 10 * first.floor_perplexity(first.test)


def test_the_corpus_is_the_same_on_every_machine(corpus):
    assert corpus.fingerprint == "906f67ccdbc59a06b17317447265c69ac99c8921106d50e3a14d9b1ff4d22807"


def test_a_corpus_can_be_sent_to_another_process(corpus):
    received = pickle.loads(pickle.dumps(corpus))
    assert received.fingerprint == corpus.fingerprint
    assert received.floor_perplexity(received.test) == corpus.floor_perplexity(corpus.test)


@pytest.fixture
def saved(oracle, tmp_path):
    """The oracle's parameters as other projects save them: a plain array in each file, a file for each gate."""
    arrays = {"embedding": oracle.embedding, "wo": oracle.output, "bo": oracle.output_bias}
    for kind, value in (("w", oracle.from_embedding), ("u", oracle.from_hidden), ("b", oracle.bias)):
        parts = np.split(value, 4, axis=-1)
        arrays |= {f"{kind}{gate}": part for gate, part in zip(("i", "f", "og", "c"), parts, strict=True)}
    for name, value in arrays.items():
        with (tmp_path / f"{name}.npz").open("wb") as file:
            np.save(file, value)
    return tmp_path


@pytest.mark.slow
def test_an_oracle_that_was_saved_writes_as_the_one_that_it_was(saved, corpus):
    name, found = load_corpus(CorpusSettings(data=str(saved)))
    assert name == str(saved)
    assert (found.name, found.layout, found.stop_token) == (saved.name, "windows", None)
    np.testing.assert_array_equal(found.train.tokens[:200], corpus.train.tokens)
    np.testing.assert_allclose(found.true_log_probs(found.test)[:50], corpus.true_log_probs(corpus.test)[:50])


@pytest.mark.parametrize("damage", ["gone", "text", "shape"])
def test_a_saved_oracle_that_is_damaged_is_said_with_its_file(saved, damage):
    file = saved / "uog.npz"
    if damage == "gone":
        file.unlink()
    elif damage == "text":
        file.write_text("no array")
    else:
        with file.open("wb") as stream_:
            np.save(stream_, np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"uog\.npz"):
        load_corpus(CorpusSettings(data=str(saved)))


def test_the_fixed_oracle_that_published_numbers_are_of_has_their_nats_per_token(real):
    """Its own NLL is given as 5.740 on 3,000 sequences."""
    oracle = Oracle.read(real("oracle"))
    rows = whole(oracle.sample(np.random.default_rng(0), 1000))
    nats = -oracle.log_probs(rows) / 20
    assert nats.mean() == pytest.approx(5.74, abs=4 * nats.std() / 1000**0.5)
