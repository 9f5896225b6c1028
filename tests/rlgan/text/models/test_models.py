import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from rlgan.text.models.core import TextNetworks
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.types import Rollout

V, H = 11, 7


class Transformer(nn.Module):
    """One layer of causal self-attention: a core of a stranger's, whose state is the inputs so far."""

    def __init__(self, sizes):
        super().__init__()
        self.entry = nn.Linear(sizes.input_size, sizes.hidden_size)
        self.place = nn.Embedding(2 * sizes.length, sizes.hidden_size)
        self.layer = nn.TransformerEncoderLayer(
            sizes.hidden_size, 1, 2 * sizes.hidden_size, dropout=0.0, batch_first=True
        )
        self.sizes = sizes

    def initial_state(self, noise):
        past = noise.new_zeros(len(noise), self.sizes.length, self.sizes.input_size)
        return noise, past, torch.zeros(len(noise), dtype=torch.int64, device=noise.device)

    def forward(self, inputs, state):
        noise, past, count = state
        whole, new = torch.cat([past, inputs], dim=1), inputs.shape[1]
        every = torch.arange(whole.shape[1], device=inputs.device)
        place = every - (past.shape[1] - count)[:, None]  # below 0 where nothing was read
        hidden = self.entry(whole) + self.place(place.clamp(min=0)) + noise[:, None]
        # Each place sees itself, also where nothing was read: a softmax over nothing would be NaN.
        hidden_from = ((every > every[:, None]) | (place < 0)[:, None]) & (every != every[:, None])
        hidden = self.layer(hidden, src_mask=hidden_from)
        return hidden[:, -new:], (noise, whole[:, new:], count + new)


NETWORKS = TextNetworks(V, 5, H, 40, "gru", "gru", scores_all_tokens=False)
KINDS = [
    dataclasses.replace(NETWORKS, generator_core=kind, discriminator_core=kind, scores_all_tokens=scores_all)
    for kind in ("gru", "cnn", f"{__name__}:Transformer")
    for scores_all in (False, True)
]


def _gru_by_hand(gru, inputs, state):
    """What the module's docstring says of torch's GRU, in numpy: inputs [T, E], state [H]."""
    w, u, b, c = (p.detach().numpy() for p in gru.parameters())
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    states = []
    for x in inputs:
        wx, uh = w @ x + b, u @ state + c
        reset, update = sigmoid(wx[:H] + uh[:H]), sigmoid(wx[H : 2 * H] + uh[H : 2 * H])
        candidate = np.tanh(wx[2 * H :] + reset * uh[2 * H :])
        state = (1 - update) * candidate + update * state
        states.append(state)
    return np.array(states)


def _numpy(tensor):
    return tensor.detach().numpy()


def test_the_generator_is_a_gru_from_z_with_a_softmax_over_the_vocabulary():
    torch.manual_seed(0)
    generator = TextGenerator(NETWORKS)
    tokens, noise = torch.randint(V, (1, 6)), torch.randn(1, H)
    log_probs = _numpy(generator(tokens, noise)[0])
    read = [V, *tokens[0, :-1].tolist()]  # `<start>` first
    hidden = _gru_by_hand(generator.core.gru, _numpy(generator.embedding.weight)[read], noise[0].numpy())
    logits = hidden @ _numpy(generator.output.weight).T + _numpy(generator.output.bias)
    due = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_probs, due, atol=1e-5)


def test_the_discriminator_is_a_gru_from_zero_with_log_odds_after_every_token():
    torch.manual_seed(1)
    discriminator = TextDiscriminator(NETWORKS)
    tokens = torch.randint(V, (1, 6))
    log_odds = _numpy(discriminator(tokens)[0])
    embedded = _numpy(discriminator.embedding.weight)[tokens[0]]
    hidden = _gru_by_hand(discriminator.core.gru, embedded, np.zeros(H))
    due = hidden @ _numpy(discriminator.output.weight)[0] + discriminator.output.bias.item()
    np.testing.assert_allclose(log_odds, due, atol=1e-5)


def test_a_discriminator_that_scores_all_tokens_scores_a_token_by_what_came_before_it():
    """log-odds(Y_0:t) = h_t-1 . w_y + b_y, with h of a GRU that reads `<start>` first, for every y."""
    torch.manual_seed(1)
    discriminator = TextDiscriminator(dataclasses.replace(NETWORKS, scores_all_tokens=True))
    tokens = torch.randint(V, (1, 6))
    read = [V, *tokens[0, :-1].tolist()]
    hidden = _gru_by_hand(discriminator.core.gru, _numpy(discriminator.embedding.weight)[read], np.zeros(H))
    due = hidden @ _numpy(discriminator.output.weight).T + _numpy(discriminator.output.bias)
    np.testing.assert_allclose(_numpy(discriminator.all_next_log_odds(tokens)[0]), due, atol=1e-5)
    np.testing.assert_allclose(_numpy(discriminator(tokens)[0]), due[np.arange(6), tokens[0]], atol=1e-5)


def test_convolutions_are_causal_and_see_31_tokens():
    torch.manual_seed(4)
    generator = TextGenerator(dataclasses.replace(NETWORKS, generator_core="cnn"))
    tokens, noise = torch.randint(V, (1, 50)), torch.randn(1, H)
    before = generator(tokens, noise)
    for changed in (0, 10, 40):
        other = tokens.clone()
        other[0, changed] = (other[0, changed] + 1) % V
        moved = (generator(other, noise) != before).any(dim=2)[0]
        # What follows a token is told from it on, and from 31 tokens (`<start>` counts) back.
        np.testing.assert_array_equal(np.flatnonzero(moved), np.arange(changed + 1, min(changed + 32, 50)))


def test_a_layer_of_convolutions_is_the_sum_over_its_taps():
    """h'_t = h_t + relu(b + W_0 h_t-2d + W_1 h_t-d + W_2 h_t), zeros before the beginning, layer after layer."""
    torch.manual_seed(5)
    core = TextGenerator(dataclasses.replace(NETWORKS, generator_core="cnn")).core
    inputs, noise = torch.randn(1, 9, 5), torch.randn(1, H)
    due = _numpy(core.entry(inputs)[0] + core.noise(noise))
    for layer, dilation in zip(core.layers, (1, 2, 4, 8), strict=True):
        padded = np.concatenate([np.zeros((2 * dilation, H)), due])
        taps = [padded[i * dilation : i * dilation + 9] @ _numpy(layer.weight)[:, :, i].T for i in range(3)]
        due = due + np.maximum(sum(taps) + _numpy(layer.bias), 0)
    np.testing.assert_allclose(_numpy(core(inputs, core.initial_state(noise))[0][0]), due, atol=1e-5)


def test_they_have_the_papers_sizes():
    """200 units and embeddings, 10,000 words: the products and biases of section 4.1, twice the biases (torch's)."""
    gru = 3 * (200 * 200 + 200 * 200 + 200 + 200)
    networks = TextNetworks(10_000, 200, 200, 20, "gru", "gru", scores_all_tokens=False)
    generator, discriminator = TextGenerator(networks), TextDiscriminator(networks)
    assert sum(p.numel() for p in generator.parameters()) == 10_001 * 200 + gru + 200 * 10_000 + 10_000
    assert sum(p.numel() for p in discriminator.parameters()) == 10_001 * 200 + gru + 200 + 1


@pytest.mark.parametrize("networks", KINDS)
def test_token_by_token_says_what_all_at_once_says(networks):
    torch.manual_seed(2)
    generator, discriminator = TextGenerator(networks), TextDiscriminator(networks)
    tokens, noise = torch.randint(V, (9, 40)), torch.randn(9, H)
    whole, scores = generator(tokens, noise), discriminator(tokens)
    state, reading, last = generator.initial_state(noise), discriminator.initial_state(9), torch.full((9,), V)
    shapes = [each.shape for each in (*state, *reading)]
    for t in range(40):
        step, state = generator.step(last, state)
        torch.testing.assert_close(step, whole[:, t], atol=1e-5, rtol=1e-4)
        last = tokens[:, t]
        score, reading = discriminator.step(last, reading)
        torch.testing.assert_close(score, scores[:, t], atol=1e-5, rtol=1e-4)
        assert [each.shape for each in (*state, *reading)] == shapes


def test_no_probability_becomes_zero_however_sure_the_generator_is():
    generator = TextGenerator(NETWORKS)
    with torch.no_grad():
        generator.output.bias[0] = 1000.0
    assert torch.isfinite(generator(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, H))).all()


@pytest.mark.parametrize("networks", KINDS[::2])
def test_z_decides_what_is_written(networks):
    torch.manual_seed(3)
    generator = TextGenerator(networks)
    tokens = torch.zeros(2, 1, dtype=torch.int64)
    first = generator(tokens, torch.randn(2, H))
    assert not torch.allclose(first[0], first[1])


def test_words_are_dropped_while_learning_alone(task):
    discriminator = task(discriminator_word_dropout=0.9).learner(torch.device("cpu")).adapter.discriminator
    tokens = torch.randint(394, (32, 12))
    with torch.no_grad():
        assert not torch.equal(discriminator.train()(tokens), discriminator(tokens))
        assert torch.equal(discriminator.eval()(tokens), discriminator(tokens))


@pytest.mark.parametrize("networks", KINDS[:4:2])
def test_a_generator_drops_numbers_of_embeddings_and_of_states_where_it_is_asked_to(networks):
    torch.manual_seed(3)
    generator = TextGenerator(networks)
    tokens, noise = torch.randint(V, (64, 20)), torch.randn(64, H)
    with torch.no_grad():
        dropped, again = (generator.states(tokens, noise, 0.25) for _ in range(2))
        assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
        assert not torch.equal(dropped, again)
        # Where the embeddings and states that stay are those of a network without dropout, but for their size.
        torch.manual_seed(7)
        found = generator.states(tokens, noise, 0.25)
        torch.manual_seed(7)
        start = torch.full((64, 1), V)
        embedded = generator.embedding(torch.cat([start, tokens[:, :-1]], dim=1))
        embedded *= torch.empty_like(embedded).bernoulli_(0.75) / 0.75
        due = generator.core(embedded, generator.initial_state(noise))[0] / 0.75
        torch.testing.assert_close(found, due.where(found != 0, 0))


@pytest.mark.parametrize("estimator", ["reinforce", "all_tokens"])
def test_a_transformer_of_a_strangers_trains(task, estimator):
    core = f"{__name__}:Transformer"
    loaded = task(generator_core=core, discriminator_core=core, estimator=estimator, length=6, batch_size=4)
    cpu = torch.device("cpu")
    learner, maker = loaded.learner(cpu), loaded.rollout_maker(cpu)
    before = learner.state_dict()
    made = Rollout.join([maker.shard(learner.weights(), 0, 0, shard) for shard in range(2)])
    learner.update(0, loaded.schedule.plan(0), [made])
    after = learner.state_dict()  # it checks that all is finite
    for network in ("generator", "discriminator"):
        moved = {name for name, value in before[network].items() if (after[network][name] != value).any()}
        assert moved == set(before[network])
