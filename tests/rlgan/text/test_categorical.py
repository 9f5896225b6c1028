import numpy as np
import pytest
import torch

from rlgan.rng import Purpose, stream
from rlgan.text.categorical import sample


def test_tokens_are_drawn_as_often_as_their_probabilities_say():
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.1, 0.02, 0.004, 0.001])
    count = 200_000
    uniforms = torch.from_numpy(stream(0, Purpose.ROLLOUT).random(count, dtype=np.float32))
    drawn, _ = sample(probabilities.log().expand(count, -1), uniforms)
    seen = torch.bincount(drawn, minlength=7).double()
    due = probabilities.double() / probabilities.sum() * count
    # Chi-square of 6 degrees of freedom: above 22.5 once in a thousand.
    assert float(((seen - due) ** 2 / due).sum()) < 22.5


@pytest.mark.parametrize("vocab_size", [1, 2, 3, 99, 100, 101, 394, 10_000])
def test_two_levels_draw_what_one_level_in_double_precision_draws(vocab_size):
    rng = np.random.default_rng(vocab_size)
    logits = torch.from_numpy(rng.standard_normal((64, vocab_size), dtype=np.float32) * 2)
    uniforms = rng.random(64, dtype=np.float32)
    drawn = sample(logits.log_softmax(1), torch.from_numpy(uniforms))[0].numpy()
    sums = np.cumsum(np.exp(logits.double().log_softmax(1).numpy()), axis=1)
    due = np.array([np.searchsorted(row, u, side="right") for row, u in zip(sums, uniforms, strict=True)])
    # They may differ by rounding alone: where the uniform lies on an edge.
    off = drawn != due.clip(max=vocab_size - 1)
    edges = np.abs(sums[np.arange(64), np.minimum(drawn, due)] - uniforms)
    assert (edges[off] < 1e-5).all()


def test_the_ends_of_the_uniform_draw_words_that_are_there():
    log_probs = torch.full((2, 5), -1e4)
    log_probs[:, 2] = 0
    assert sample(log_probs, torch.tensor([0.0, 1 - 2**-24]))[0].tolist() == [2, 2]
