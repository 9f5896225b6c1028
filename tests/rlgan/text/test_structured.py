"""A structured discriminator and its negatives, against their definitions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from rlgan.errors import UsageError
from rlgan.learning.weights import sample_noise
from rlgan.rng import Purpose, stream
from rlgan.settings import check, updated
from rlgan.text.assembly import text_networks
from rlgan.text.estimators.estimator import Policy, RolloutTensors
from rlgan.text.estimators.weightings import forward_kl_of_log_odds
from rlgan.text.losses import conditional_losses
from rlgan.text.models.discriminator import random_discriminator
from rlgan.text.presets import labels_of
from rlgan.text.settings import TextSettings
from rlgan.types import RealBatch, Rollout

CPU = torch.device("cpu")
STRUCTURED = {"discriminator_form": "structured", "reward": "log_odds", "batch_size": 4, "length": 8}
MASK = torch.ones(1, 1, dtype=torch.bool)
SCORES = torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64)
POLICY = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)


def _made(task, **changes):
    """A task, its adapter and a batch of rollouts of its networks."""
    loaded = task(**STRUCTURED | changes)
    learner, maker = loaded.learner(CPU), loaded.rollout_maker(CPU)
    rng = [stream(0, Purpose.ROLLOUT, 0, 0, shard) for shard in range(2)]
    made = Rollout.join([maker.rollouts.generate(learner.weights(), each) for each in rng])
    return loaded, learner.adapter, made


def test_the_gradient_against_conditional_negatives_is_that_by_hand_on_three_words():
    scores = SCORES.clone().requires_grad_()
    log_odds = (scores - POLICY.log()).view(1, 1, 3)
    loss = conditional_losses(log_odds, POLICY.log().view(1, 1, 3), torch.tensor([[2]]))[0, 0]
    by_word = [0.3 - math.log(0.7), -1.0 - math.log(0.2), 0.5 - math.log(0.1)]

    def d(odds):
        return 1 / (1 + math.exp(-odds))

    due = -math.log(d(by_word[2])) - sum(
        g * math.log(1 - d(odds)) for g, odds in zip((0.7, 0.2, 0.1), by_word, strict=True)
    )
    assert loss.item() == pytest.approx(due)
    by_hand = [0.7 * d(by_word[0]), 0.2 * d(by_word[1]), 0.1 * d(by_word[2]) - (1 - d(by_word[2]))]
    torch.testing.assert_close(torch.autograd.grad(loss, scores)[0], torch.tensor(by_hand, dtype=torch.float64))


@pytest.mark.parametrize("seed", range(3))
def test_with_conditional_negatives_the_log_of_the_real_distribution_is_the_optimum_for_any_generator(seed):
    torch.manual_seed(seed)
    real, policy = torch.randn(2, 5, dtype=torch.float64).softmax(-1)

    def loss(scores):
        """The expectation over the real next token."""
        odds, log_probs = (scores - policy.log()).view(1, 1, 5), policy.log().view(1, 1, 5)
        each = [conditional_losses(odds, log_probs, torch.tensor([[y]])) for y in range(5)]
        return (real * torch.stack(each)[:, 0, 0]).sum()

    best = real.log().requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(loss(best), best)[0], torch.zeros(5, dtype=torch.float64))
    for _ in range(5):
        assert loss(best + 0.1 * torch.randn(5, dtype=torch.float64)) > loss(best)


@pytest.mark.parametrize("constant", [0.0, 30.0, -500.0])
def test_forward_kl_goes_to_softmax_of_f_whatever_constant_is_added_to_f(constant):
    logits = torch.tensor([0.2, -0.5, 1.0], dtype=torch.float64, requires_grad=True)
    log_probs = logits.log_softmax(0)
    log_odds = SCORES + constant - log_probs.detach()
    loss = forward_kl_of_log_odds(log_probs.view(1, 1, 3), log_odds.view(1, 1, 3), MASK)
    due = -(SCORES.softmax(0) * log_probs).sum()
    torch.testing.assert_close(loss, due)
    gradients = [torch.autograd.grad(value, logits, retain_graph=True)[0] for value in (loss, due)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("estimator", ["reinforce", "all_tokens"])
def test_the_reward_of_a_token_is_f_less_what_the_policy_gave_it(task, estimator):
    _, adapter, made = _made(task, estimator=estimator, monte_carlo_rollouts=2, discount=0.5)
    with torch.no_grad():
        scores = adapter.discriminator(torch.from_numpy(made.tokens)).numpy()
    np.testing.assert_allclose(made.rewards, (scores - made.log_probs) * made.mask, atol=1e-5)
    assert adapter.discriminator.output.bias[0].item() == pytest.approx(-math.log(394))


def test_the_judge_scores_every_token_as_the_workers_score_the_chosen_one(task):
    _, adapter, made = _made(task, estimator="all_tokens", discriminator_dropout=0.5)
    tokens = torch.from_numpy(made.tokens)
    states = adapter.generator.states(tokens, torch.from_numpy(made.noise))
    mean = adapter.group.masked_mean
    policy = Policy(states, adapter.generator.output, tokens, lambda q_values, _: (q_values, None), mean)
    rewards = adapter.judge(np.random.default_rng(0)).rewards(policy, RolloutTensors.of(made, CPU))
    picked = rewards.gather(2, tokens.clamp(max=393)[..., None])[..., 0].numpy() * made.mask
    np.testing.assert_allclose(picked, made.rewards, atol=1e-5)


@pytest.mark.parametrize("negatives", ["rollouts", "conditional", "both"])
def test_the_discriminators_loss_is_the_mixture_with_the_generator_that_wrote_the_fakes(task, negatives):
    loaded, adapter, made = _made(task, negatives=negatives)
    real = loaded.real(0, 0)
    tokens, mask = torch.from_numpy(real.real), real.real < 394
    noise = torch.from_numpy(sample_noise(np.random.default_rng(5), 4, adapter.generator.noise_size))
    with torch.no_grad():
        log_probs, scores = adapter.generator(tokens, noise).numpy(), adapter.discriminator.all_next_log_odds(tokens)
        fake = adapter.discriminator(torch.from_numpy(made.tokens)).numpy() - made.log_probs
    odds = scores.numpy() - log_probs
    chosen = np.take_along_axis(odds, real.real.clip(max=393)[..., None], 2)[..., 0]
    due = np.logaddexp(0, -chosen)[mask].mean()
    against_rollouts = np.logaddexp(0, fake)[made.mask].mean()
    against_all = (np.exp(log_probs) * np.logaddexp(0, odds)).sum(-1)[mask].mean()
    weights = {"rollouts": (1, 0), "conditional": (0, 1), "both": (0.5, 0.5)}[negatives]
    due += weights[0] * against_rollouts + weights[1] * against_all
    found = adapter.discriminator_loss(made, real, np.random.default_rng(5))
    assert found.value.item() == pytest.approx(due, rel=1e-5)
    if negatives == "conditional":
        return
    adapter.begin(0)
    with torch.no_grad():
        adapter.generator.output.bias[3] += 2.0  # an update after the rollouts were written
    assert adapter.discriminator_loss(made, real, np.random.default_rng(5)).value.item() == pytest.approx(due, rel=1e-5)


def test_under_a_lag_log_g_is_that_of_the_version_that_wrote_the_fakes(task):
    loaded, adapter, made = _made(task, negatives="both", lag=2)
    real = loaded.real(0, 0)

    def loss(version):
        return adapter.discriminator_loss(replace(made, version=version), real, np.random.default_rng(5)).value.item()

    written = {}
    for version in range(6):
        adapter.begin(version)
        written[version] = loss(version)  # while the generator is of that version
        assert [loss(older) for older in range(max(version - 2, 0), version)] == [
            written[older] for older in range(max(version - 2, 0), version)
        ]
        with torch.no_grad():
            adapter.generator.output.bias[version] += 2.0
    assert len(set(written.values())) == 6


@pytest.mark.parametrize("negatives", ["rollouts", "conditional", "both"])
def test_a_learner_that_is_resumed_under_a_lag_has_the_bits_of_one_that_never_stopped(task, negatives):
    loaded = task(**STRUCTURED | {"negatives": negatives, "lag": 2, "discriminator_steps": 2, "rollouts": 8})
    maker = loaded.rollout_maker(CPU)
    learner, weights = loaded.learner(CPU), []
    for step in range(6):
        if step == 3:
            state = learner.state_dict()
            learner = loaded.learner(CPU)
            learner.load_state_dict(state, 3)
        weights.append(learner.weights())
        _step(loaded, learner, maker, step, weights[max(step - 2, 0)])
    straight, kept = loaded.learner(CPU), []
    for step in range(6):
        kept.append(straight.weights())
        _step(loaded, straight, maker, step, kept[max(step - 2, 0)])
    for name, tensors in straight.state_dict().items():
        for key, value in tensors.items():
            np.testing.assert_array_equal(learner.state_dict()[name][key], value)
    # Three versions of the generator, where rollouts are judged; conditional negatives belong to none.
    kept_tensors = learner.state_dict().get("writers", {})
    assert len(kept_tensors) == (0 if negatives == "conditional" else 3 * len(kept[0].generator))


def _step(loaded, learner, maker, step, weights):
    plan, shards = loaded.schedule.plan(step), range(loaded.facts.shards)
    made = [[maker.shard(weights, step, draw, shard) for shard in shards] for draw in range(plan.draws)]
    learner.update(step, plan, [Rollout.join(draw) for draw in made])
    return made


@pytest.mark.parametrize("form", ["plain", "structured"])
def test_the_generator_learns_from_all_rollouts_and_the_discriminator_from_as_many_as_real_rows(task, form):
    loaded = task(
        discriminator_form=form, reward="log_odds", batch_size=4, length=8, rollouts=12, discriminator_steps=2
    )
    learner, maker = loaded.learner(CPU), loaded.rollout_maker(CPU)
    draws = [Rollout.join([maker.shard(learner.weights(), 0, draw, shard) for shard in range(2)]) for draw in range(2)]
    assert [len(draw.tokens) for draw in draws] == [12, 4]
    real = loaded.real(0, 0)

    def loss(fakes):
        return learner.adapter.discriminator_loss(fakes, real, np.random.default_rng(5)).value.item()

    # Every third: two of the six of each shard.
    assert loss(draws[0]) == loss(draws[0][::3])
    assert loss(draws[0]) != loss(draws[0][:4])
    whole = learner.adapter.generator_loss(draws[0], None, 0.0, np.random.default_rng(0))
    thirds = [learner.adapter.generator_loss(draws[0][i::3], None, 0.0, np.random.default_rng(0)) for i in range(3)]
    assert whole.value.item() == pytest.approx(sum(part.value.item() for part in thirds) / 3, rel=1e-4)
    assert whole.metrics["tokens"] == draws[0].mask.sum()


def test_random_words_were_chosen_by_the_uniform_distribution(task):
    _, adapter, _ = _made(task, layout="windows")
    with torch.no_grad():
        adapter.discriminator.output.weight.zero_()  # f is -log V for every word, and the log-odds are 0
    real = RealBatch(np.ones((4, 8), np.int64))
    loss = adapter.discriminator_loss(None, real, np.random.default_rng(0))
    assert loss.value.item() == pytest.approx(2 * math.log(2))


def test_conditional_negatives_need_no_random_words(task):
    loaded, adapter, made = _made(task, negatives="conditional")
    losses = [adapter.discriminator_loss(fakes, loaded.real(0, 0), np.random.default_rng(5)) for fakes in (made, None)]
    # Random words are drawn before z is, so only the distribution of z is the same.
    assert losses[0].value.item() == pytest.approx(losses[1].value.item(), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"discriminator_form": "structured", "reward": "token_ratio"}, "belong to one token already"),
        ({"negatives": "both"}, "--negatives both with --discriminator-form plain"),
    ],
)
def test_what_does_not_go_with_the_form_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        check(updated(TextSettings(), changes))


def test_the_discriminator_may_be_wider_than_the_generator(task):
    _, adapter, made = _made(task, discriminator_embedding_size=24, discriminator_hidden_size=40)
    assert adapter.discriminator.embedding.weight.shape == (395, 24)
    assert adapter.discriminator.output.weight.shape == (394, 40)
    assert adapter.generator.output.weight.shape == (394, 16)
    assert np.isfinite(made.rewards).all()


def test_the_reward_of_each_token_is_limited_for_workers_and_judge_alike(task):
    limits = [_made(task, estimator="all_tokens", layout="windows", reward_limit=limit)[2] for limit in (0.0, 0.1)]
    assert np.abs(limits[0].rewards).max() > 0.1
    np.testing.assert_allclose(limits[1].rewards, limits[0].rewards.clip(-0.1, 0.1), atol=1e-6)


def test_learning_rates_fall_over_the_recipes_epochs_to_a_floor(task):
    schedule = task(decay="cosine", decay_epochs=2.0, decay_floor=0.1).schedule
    due = {0.0: 1.0, 1.0: 0.5, 1.5: (1 + math.cos(0.75 * math.pi)) / 2, 2.0: 0.1, 5.0: 0.1}
    for epoch, rate in due.items():
        assert schedule.plan(schedule.steps(epoch)).learning_rate == pytest.approx(rate, abs=1e-3)
    assert {task().schedule.plan(step).learning_rate for step in (0, 10_000)} == {1.0}


def test_an_evaluation_tells_the_perplexity_of_softmax_of_f(task):
    loaded, *_ = _made(task, layout="windows")
    weights = loaded.learner(CPU).weights()
    weights.discriminator["output.weight"][:] = 0
    counts = np.bincount(loaded.corpus.train.tokens.ravel(), minlength=394) + 1
    weights.discriminator["output.bias"][:] = 7 + np.log(counts)  # f need not be normalised
    found = loaded.evaluator(CPU).evaluate(weights).metrics
    for name, rows in (("validation", loaded.corpus.validation), ("test", loaded.corpus.test)):
        due = np.exp(-np.log(counts / counts.sum())[rows.tokens].mean())
        assert found[f"implied_{name}_perplexity"] == pytest.approx(due, rel=1e-4)
    plain = task().evaluator(CPU).evaluate(task().learner(CPU).weights()).metrics
    assert not [name for name in plain if name.startswith("implied")]


@pytest.mark.parametrize(
    ("form", "reward"), [("plain", "log_odds"), ("plain", "token_ratio"), ("structured", "log_odds")]
)
def test_the_expected_reward_centres_the_tokens_own_and_the_other_sequences_what_comes_after(task, form, reward):
    changes = {"discriminator_form": form, "reward": reward, "layout": "windows", "discount": 0.5}
    changes |= {"baseline": "expected"}
    _, adapter, made = _made(task, **changes)
    tokens = torch.from_numpy(made.tokens)
    log_probs = adapter.generator(tokens, torch.from_numpy(made.noise))
    chosen = log_probs.gather(2, tokens[..., None])[..., 0]
    scores = adapter.discriminator.all_next_log_odds(tokens)
    rewards = scores - log_probs if form == "structured" else scores
    if reward == "token_ratio":
        before = functional.pad(scores.gather(2, tokens[..., None])[..., 0], (1, 0))[:, :-1]
        rewards = (rewards - before[..., None]).clamp(max=2).exp()
    expected = (log_probs.exp() * rewards).sum(-1).detach().numpy()
    np.testing.assert_allclose(made.expected, expected, atol=1e-5)
    later = made.q_values - made.rewards
    others = (later.sum(0) - later) / 3  # of four sequences
    due = torch.from_numpy(made.rewards - expected + later - others)
    gradients = [
        torch.autograd.grad(value, list(adapter.generator.parameters()))
        for value in (adapter.generator_loss(made, None, 0.0, np.random.default_rng(0)).value, -(chosen * due).mean())
    ]
    for found, by_hand in zip(*gradients, strict=True):
        torch.testing.assert_close(found, by_hand, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("control", ["constant", "random_discriminator"])
def test_a_control_is_expected_as_it_is_given(task, control):
    loaded, adapter, made = _made(task, baseline="expected", reward_control=control, discount=0.0, reward="probability")
    expected = made.mask.astype(np.float32)
    if control == "random_discriminator":
        tokens = torch.from_numpy(made.tokens)
        with torch.no_grad():
            log_probs = adapter.generator(tokens, torch.from_numpy(made.noise))
            judged = (
                random_discriminator(text_networks(loaded.settings, loaded.corpus.words), 0)
                .eval()
                .all_next_log_odds(tokens)
            )
        expected *= (log_probs.exp() * (judged - log_probs).sigmoid()).sum(-1).numpy()
    np.testing.assert_allclose(made.expected, expected, atol=1e-5)
    assert np.abs((made.rewards - made.expected)[made.mask]).max() > 0 or control == "constant"


def test_the_sum_over_all_tokens_has_no_use_for_the_expected_reward(small):
    with pytest.raises(UsageError, match="--baseline expected with --estimator all_tokens"):
        check(small(estimator="all_tokens", baseline="expected"))


@pytest.mark.parametrize("negatives", ["rollouts", "both"])
@pytest.mark.parametrize("method", ["mle", "pretraingan", "mixedgan", "curriculum"])
def test_every_method_moves_both_players(task, method, negatives):
    loaded = task(**STRUCTURED | {"method": method, "negatives": negatives})
    learner, maker = loaded.learner(CPU), loaded.rollout_maker(CPU)
    before = learner.weights()
    for step in (0, loaded.schedule.pretraining_steps + 1):
        plan = loaded.schedule.plan(step)
        shards = range(loaded.facts.shards)
        draws = [
            Rollout.join([maker.shard(learner.weights(), step, draw, shard) for shard in shards])
            for draw in range(plan.draws)
        ]
        learner.update(step, plan, draws)
    after = learner.weights()
    assert all((after.generator[name] != value).any() for name, value in before.generator.items())
    if method != "mle":
        moved = [(after.discriminator[name] != value).any() for name, value in before.discriminator.items()]
        assert all(moved)


def test_every_result_says_that_the_discriminator_was_structured(small):
    labels = labels_of(small(discriminator_form="structured", negatives="both"))
    assert (labels["discriminator_form"], labels["negatives"]) == ("structured", "both")
    assert "discriminator_form" not in labels_of(small())
