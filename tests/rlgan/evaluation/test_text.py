import numpy as np
import pytest
import torch

from rlgan.evaluation import text as measures
from rlgan.networks.text import TextDiscriminator, TextGenerator, TextNetworks
from rlgan.streams import Purpose, stream

V, BLANK = 5, 5
NETWORKS = TextNetworks(V, 3, 3, "gru", "gru", every_token=False)


def _numbers():
    return stream(0, Purpose.EVALUATION)


def _generator(log_probs):
    """Give a generator that draws every token from one distribution, whatever came before."""
    generator = TextGenerator(NETWORKS)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.zero_()
        generator.output.bias.copy_(torch.tensor(log_probs))
    return generator


def test_a_uniform_generator_has_the_vocabulary_as_its_perplexity():
    tokens = np.random.default_rng(0).integers(V, size=(70, 6))
    assert measures.perplexity(_generator([0.0] * V), tokens, _numbers()) == pytest.approx(V, rel=1e-6)


def test_perplexity_is_two_to_the_bits_per_counted_token():
    """Tokens of probability 1/2 cost a bit, of 1/8 three: (1 + 3 + 1 + 1) / 4 bits."""
    generator = _generator(np.log([1 / 2, 1 / 8, 1 / 8, 1 / 8, 1 / 8]).tolist())
    tokens = np.array([[0, 1, BLANK], [0, 0, BLANK]])
    assert measures.perplexity(generator, tokens, _numbers()) == pytest.approx(2 ** (6 / 4), rel=1e-6)


def test_perplexity_does_not_depend_on_how_rows_are_chunked(monkeypatch):
    torch.manual_seed(0)
    generator = TextGenerator(NETWORKS)
    tokens = np.random.default_rng(1).integers(V, size=(50, 6))
    whole = measures.perplexity(generator, tokens, _numbers())
    monkeypatch.setattr(measures, "CHUNK", 7)
    assert measures.perplexity(generator, tokens, _numbers()) == pytest.approx(whole, rel=1e-5)


def test_log_odds_are_the_discriminators(monkeypatch):
    torch.manual_seed(0)
    discriminator = TextDiscriminator(NETWORKS)
    tokens = np.random.default_rng(1).integers(V + 1, size=(10, 6))
    monkeypatch.setattr(measures, "CHUNK", 4)
    with torch.no_grad():
        due = discriminator(torch.from_numpy(tokens)).numpy()
    np.testing.assert_allclose(measures.log_odds(discriminator, tokens), due, atol=1e-6)


def test_the_last_token_is_the_last_that_counts():
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    mask = np.array([[True, True, False, False], [True, True, True, True]])
    assert measures.at_last_token(values, mask).tolist() == [1, 7]


def test_distinct_shares_by_hand():
    tokens = np.array([[1, 2, 1, 2], [1, 2, 1, 2], [3, 1, BLANK, BLANK]])
    mask = tokens < BLANK
    assert measures.distinct_sequences(tokens) == 2 / 3
    # Pairs: 12 21 12, 12 21 12, 31: three of seven.
    assert measures.distinct_bigrams(tokens, mask) == 3 / 7
    assert measures.distinct_bigrams(tokens[:, :1], mask[:, :1]) == 0
