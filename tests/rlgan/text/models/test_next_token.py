"""Parts of the logits at a time against autograd on all of them."""

import json

import pytest
import torch
from torch import nn

from rlgan.learning.precision import BF16, OutputLayer
from rlgan.text.models.next_token import chosen_log_probs, loss_over_words

B, T, H, V = 50, 7, 5, 11  # more places than are worked on at a time
ALL = 64.0
FEW = 4 * V * 30 / 2**20  # thirty rows of logits


def _problem(scale=1.0):
    torch.manual_seed(0)
    output = nn.Linear(H, V).double()
    # Laid out as a recurrent core gives them: places first.
    states = (scale * torch.randn(T, B, H, dtype=torch.float64)).transpose(0, 1).requires_grad_()
    tokens = torch.randint(V + 1, (B, T))  # V where a row has ended
    return states, output, tokens


def _gradients(value, states, output):
    return torch.autograd.grad(value, [states, output.weight, output.bias], retain_graph=True)


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("mib", [ALL, FEW])
def test_chosen_log_probs_have_the_values_and_gradients_of_log_softmax(mib, entropy):
    states, output, tokens = _problem()
    weights = torch.randn(B, T, dtype=torch.float64)
    found, entropies = chosen_log_probs(states, output, tokens, entropy=entropy, mib=mib)
    distribution = output(states).log_softmax(-1)
    due = distribution.gather(2, tokens.where(tokens < V, 0)[..., None])[..., 0]
    due_entropies = -(distribution.exp() * distribution).sum(-1) if entropy else torch.zeros(B, T).double()
    torch.testing.assert_close((found, entropies), (due, due_entropies))
    value, reference = (weights * found + entropies**2).sum(), (weights * due + due_entropies**2).sum()
    for _ in range(2):  # the second time from what the first has left
        torch.testing.assert_close(_gradients(value, states, output), _gradients(reference, states, output))


def test_a_word_that_is_all_but_impossible_has_a_finite_log_probability_and_gradient():
    states, output, tokens = _problem(scale=2e4)
    found, entropies = chosen_log_probs(states, output, tokens, entropy=True, mib=ALL)
    assert found.min() < -1000
    assert found.isfinite().all()
    assert entropies.isfinite().all()
    assert all(each.isfinite().all() for each in _gradients((found + entropies).sum(), states, output))


@pytest.mark.parametrize("mib", [ALL, FEW])
def test_a_loss_over_words_has_the_value_and_gradients_of_that_over_all_rows_at_once(mib):
    states, output, _ = _problem()
    weights = torch.randn(B, T, V, dtype=torch.float64)
    seen = []

    def loss(logits, rows):
        seen.append(len(logits))
        return (weights[rows] * logits.log_softmax(-1).square()).sum()

    value = 3 * loss_over_words(states, output, loss, mib=mib)
    reference = 3 * (weights * output(states).log_softmax(-1).square()).sum()
    torch.testing.assert_close(value, reference)
    torch.testing.assert_close(_gradients(value, states, output), _gradients(reference, states, output))
    assert sum(seen) == B
    assert max(seen) < B


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("mib", [ALL, FEW])
def test_in_bf16_gradients_are_those_of_float64_but_for_two_hundredths(mib, entropy):
    states, exact, tokens = _problem()
    output = OutputLayer(H, V, BF16)
    output.load_state_dict(exact.state_dict())
    rounded = states.detach().float().requires_grad_()

    def loss(logits, rows):
        del rows
        return logits.log_softmax(-1).square().sum()

    found = []
    for own, layer in ((rounded, output), (states, exact)):
        log_probs, entropies = chosen_log_probs(own, layer, tokens, entropy=entropy, mib=mib)
        found += _gradients((log_probs.square() + entropies).sum(), own, layer)
        found += _gradients(loss_over_words(own, layer, loss, mib=mib), own, layer)
    for ours, theirs in zip(found[:6], found[6:], strict=True):
        assert ours.dtype == torch.float32
        assert 0 < (ours - theirs).norm() / theirs.norm() < 0.02


@pytest.mark.parametrize("chosen", [True, False])
def test_gradients_and_twice_the_logits_of_one_part_are_all_that_is_held(chosen, tmp_path):
    rows, words, mib = 1000, 20_000, 8.0
    output = nn.Linear(16, words)
    states = torch.randn(rows // 10, 10, 16, requires_grad=True)
    tokens = torch.randint(words, (rows // 10, 10))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        if chosen:
            value = chosen_log_probs(states, output, tokens, mib=mib)[0].sum()
        else:
            value = loss_over_words(states, output, lambda logits, _rows: logits.sum(), mib=mib)
        value.backward()
    profile.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    held = [event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]"]
    gradients = 4 * (output.weight.numel() + output.bias.numel() + states.numel())
    most = max(held) - min(held)
    # All logits at once would be 76 MiB.
    assert most < (1 if chosen else 2) * gradients + 2.2 * mib * 2**20
