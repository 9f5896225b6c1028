import numpy as np
import torch

from rlgan.networks.gru import GRUDiscriminator, GRUGenerator

V, H = 11, 7


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


def test_the_generator_is_a_gru_from_z_with_a_softmax_over_the_vocabulary():
    torch.manual_seed(0)
    generator = GRUGenerator(V, 5, H)
    tokens, noise = torch.randint(V, (1, 6)), torch.randn(1, H)
    log_probs = generator(tokens, noise)[0].detach().numpy()
    embeddings = generator.embedding.weight.detach().numpy()
    read = [V, *tokens[0, :-1].tolist()]  # `<start>` first
    hidden = _gru_by_hand(generator.gru, embeddings[read], noise[0].numpy())
    logits = hidden @ generator.output.weight.detach().numpy().T + generator.output.bias.detach().numpy()
    due = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_probs, due, atol=1e-5)


def test_the_discriminator_is_a_gru_from_zero_with_log_odds_after_every_token():
    torch.manual_seed(1)
    discriminator = GRUDiscriminator(V, 5, H, dropout=0)
    tokens = torch.randint(V, (1, 6))
    log_odds = discriminator(tokens)[0].detach().numpy()
    hidden = _gru_by_hand(discriminator.gru, discriminator.embedding.weight.detach().numpy()[tokens[0]], np.zeros(H))
    due = hidden @ discriminator.output.weight.detach().numpy()[0] + discriminator.output.bias.item()
    np.testing.assert_allclose(log_odds, due, atol=1e-5)


def test_they_have_the_papers_sizes():
    """200 units and embeddings, 10,000 words: the products and biases of section 4.1, twice the biases (torch's)."""
    gru = 3 * (200 * 200 + 200 * 200 + 200 + 200)
    generator, discriminator = GRUGenerator(10_000, 200, 200), GRUDiscriminator(10_000, 200, 200, 0)
    assert sum(p.numel() for p in generator.parameters()) == 10_001 * 200 + gru + 200 * 10_000 + 10_000
    assert sum(p.numel() for p in discriminator.parameters()) == 10_001 * 200 + gru + 200 + 1


def test_token_by_token_says_what_all_at_once_says():
    torch.manual_seed(2)
    generator, discriminator = GRUGenerator(V, 5, H), GRUDiscriminator(V, 5, H, 0)
    tokens, noise = torch.randint(V, (9, 6)), torch.randn(9, H)
    whole, scores = generator(tokens, noise), discriminator(tokens)
    state, reading, last = noise, torch.zeros(9, H), torch.full((9, 1), V)
    for t in range(6):
        step, state = generator.following(last, state)
        torch.testing.assert_close(step[:, 0], whole[:, t])
        last = tokens[:, t : t + 1]
        score, reading = discriminator.following(last, reading)
        torch.testing.assert_close(score[:, 0], scores[:, t])


def test_no_probability_becomes_zero_however_sure_the_generator_is():
    generator = GRUGenerator(V, 5, H)
    with torch.no_grad():
        generator.output.bias[0] = 1000.0
    assert torch.isfinite(generator(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, H))).all()


def test_z_decides_what_is_written():
    torch.manual_seed(3)
    generator = GRUGenerator(V, 5, H)
    tokens = torch.zeros(2, 1, dtype=torch.int64)
    first = generator(tokens, torch.randn(2, H))
    assert not torch.allclose(first[0], first[1])
