import dataclasses

import numpy as np
import pytest
import torch

from rlgan.learning.weights import sample_noise
from rlgan.rng import Purpose, stream
from rlgan.text import measures
from rlgan.text.models.core import TextNetworks
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator

V, BLANK = 5, 5
NETWORKS = TextNetworks(V, 3, 3, 6, "gru", "gru", scores_all_tokens=False)


def _rng():
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
    assert measures.perplexity(_generator([0.0] * V), tokens, _rng()) == pytest.approx(V, rel=1e-6)


def test_perplexity_is_two_to_the_bits_per_counted_token():
    """Tokens of probability 1/2 cost a bit, of 1/8 three: (1 + 3 + 1 + 1) / 4 bits."""
    generator = _generator(np.log([1 / 2, 1 / 8, 1 / 8, 1 / 8, 1 / 8]).tolist())
    tokens = np.array([[0, 1, BLANK], [0, 0, BLANK]])
    assert measures.perplexity(generator, tokens, _rng()) == pytest.approx(2 ** (6 / 4), rel=1e-6)


def test_perplexity_does_not_depend_on_how_rows_are_chunked(monkeypatch):
    torch.manual_seed(0)
    generator = TextGenerator(NETWORKS)
    tokens = np.random.default_rng(1).integers(V, size=(50, 6))
    whole = measures.perplexity(generator, tokens, _rng())
    monkeypatch.setattr(measures, "CHUNK", 7)
    assert measures.perplexity(generator, tokens, _rng()) == pytest.approx(whole, rel=1e-5)


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


@pytest.mark.parametrize("core", ["gru", "cnn"])
def test_carried_perplexity_is_that_of_one_token_at_a_time(monkeypatch, core):
    """Two rows, the first with 3 tokens and the second with 4, are one stream of 7."""
    torch.manual_seed(0)
    generator = TextGenerator(dataclasses.replace(NETWORKS, generator_core=core))
    tokens = np.array([[0, 3, 1, BLANK], [2, 2, 4, 1]])
    monkeypatch.setattr(measures, "STRETCH", 3)
    nats = 0.0
    with torch.no_grad():
        state = generator.initial_state(torch.from_numpy(sample_noise(_rng(), 1, generator.noise_size)))
        before = BLANK
        for token in [0, 3, 1, 2, 2, 4, 1]:
            log_probs, state = generator.step(torch.tensor([before]), state)
            nats -= float(log_probs[0, token])
            before = token
    assert measures.carried_perplexity(generator, tokens, _rng()) == pytest.approx(np.exp(nats / 7), rel=1e-5)


def test_shares_by_position_are_of_the_rows_that_are_there():
    """No row has a fourth token."""
    right = np.array([[True, True, True, True], [False, True, False, True], [True, False, True, True]])
    mask = np.array([[True, True, True, False], [True, True, False, False], [True, False, False, False]])
    assert measures.share_by_position(right, mask) == pytest.approx([2 / 3, 1, 1])
