"""A mediator in the discriminator's place: CoT (Lu et al. 2019), against its definition."""

import numpy as np
import pytest
import torch

from rlgan.errors import UsageError
from rlgan.settings import check
from rlgan.text.estimators.weightings import expected_reward
from rlgan.text.forms.form import MEDIATOR
from rlgan.types import Rollout

CPU = torch.device("cpu")
COT = {
    "discriminator_form": "mediator", "estimator": "all_tokens", "weighting": "expected", "reward": "log_odds",
    "discount": 0.0, "batch_size": 4, "length": 8,
}  # fmt: skip


def test_the_generators_gradient_is_that_of_the_divergence_from_the_mediator():
    """CoT, equation 10: G lowers sum_y G(y) (log G(y) - log M(y)); M is a softmax, of which we keep the scores."""
    logits = torch.tensor([[[0.2, -0.5, 1.0]]], dtype=torch.float64, requires_grad=True)
    scores = torch.tensor([[[4.3, 3.0, 4.5]]], dtype=torch.float64)  # of which 4 is a constant of the prefix
    log_probs = logits.log_softmax(-1)
    loss = expected_reward(log_probs, MEDIATOR.log_odds(scores, log_probs.detach()), torch.ones(1, 1, dtype=torch.bool))
    divergence = (log_probs.exp() * (log_probs - scores.log_softmax(-1))).sum()
    (found,), (due,) = torch.autograd.grad(loss, logits, retain_graph=True), torch.autograd.grad(divergence, logits)
    torch.testing.assert_close(found, due)


def test_the_mediator_learns_the_likelihood_of_real_and_written_rows_half_of_each(task):
    loaded = task(**COT)
    learner, maker = loaded.learner(CPU), loaded.rollout_maker(CPU)
    made = Rollout.join([maker.shard(learner.weights(), 0, 0, shard) for shard in range(2)])
    real = loaded.real(0, 0)

    def nats_per_token(tokens):
        with torch.no_grad():
            scores = learner.adapter.discriminator.all_next_log_odds(torch.from_numpy(tokens)).double().numpy()
        log_probs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
        there = tokens < 394
        return -np.take_along_axis(log_probs, tokens.clip(max=393)[..., None], 2)[..., 0][there].mean()

    due = (nats_per_token(real.real) + nats_per_token(made.tokens)) / 2
    found = learner.adapter.discriminator_loss(made, real, np.random.default_rng(0))
    assert found.value.item() == pytest.approx(due, rel=1e-5)


def test_the_mixture_is_what_the_mediator_comes_to(task):
    """Of one token: real rows say 5, written ones 7, and M gives each a half."""
    loaded = task(**COT)
    adapter = loaded.learner(CPU).adapter
    optimizer = torch.optim.Adam(adapter.discriminator.parameters(), 0.05)
    real, fake, rng = torch.full((4, 1), 5), torch.full((4, 1), 7), np.random.default_rng(0)
    for _ in range(100):
        optimizer.zero_grad()
        adapter.discrimination.loss_against_random_words(real, fake, rng).value.backward()
        optimizer.step()
    mixture = adapter.discriminator.all_next_log_odds(real)[0, 0].softmax(-1)
    assert mixture[[5, 7]].tolist() == pytest.approx([0.5, 0.5], abs=0.01)


def test_negatives_are_refused(small):
    with pytest.raises(UsageError, match="learns real and generated rows by likelihood"):
        check(small(**COT | {"negatives": "conditional"}))


def test_a_generator_learns_from_a_mediator_alone(learn):
    words = "--layout windows --discriminator-form mediator --estimator all_tokens --weighting expected --steps 60"
    sizes = "--embedding-size 32 --hidden-size 32 --generator-learning-rate 6e-3 --discriminator-learning-rate 6e-3"
    last = learn(*words.split(), *sizes.split(), "--reward", "log_odds", "--negatives", "rollouts")
    assert last["test_perplexity"] < 80  # seen: 71.6
