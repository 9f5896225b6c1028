import dataclasses
import itertools

import gymnasium
import numpy as np
import pytest
import torch
from rlgan.text.networks import TextDiscriminator, TextNetworks

from envs import DiscriminatorRewardVector, TextGenerationVectorEnv
from rlgan.learning.weights import load, unload
from rlgan.rng import Purpose, stream
from rlgan.text.returns import discounted_q
from rlgan.text.rollout import DiscriminatorScorer, Player, RolloutSettings, sample, shuffled
from rlgan.types import Rollout, Weights


@pytest.fixture
def player(task):
    return task(length=20).shard_maker(torch.device("cpu"))


@pytest.fixture
def weights(task):
    return task(length=20).learner(torch.device("cpu")).weights()


def _alike(first, second):
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("tokens", "noise", "log_probs", "rewards", "q_values", "mask")
    )


def test_a_shard_is_a_pure_function_of_its_key(player, weights):
    first = player.shard(weights, 3, 1, 0)
    player.shard(weights, 4, 0, 1)
    assert _alike(first, player.shard(weights, 3, 1, 0))
    for other in [(4, 1, 0), (3, 0, 0), (3, 1, 1)]:
        assert not np.array_equal(first.tokens, player.shard(weights, *other).tokens)


def test_what_a_rollout_says_is_what_the_networks_say(player, weights):
    made = player.shard(weights, 0, 0, 0)
    tokens = torch.from_numpy(made.tokens)
    with torch.no_grad():
        distribution = player.generator(tokens, torch.from_numpy(made.noise))
        log_odds = player.discriminator(tokens)
    words = tokens.where(torch.from_numpy(made.mask), 0)
    log_probs = distribution.gather(2, words[..., None])[..., 0].numpy() * made.mask
    np.testing.assert_allclose(made.log_probs, log_probs, atol=1e-5)
    np.testing.assert_allclose(made.rewards, torch.sigmoid(log_odds).numpy() * made.mask, atol=1e-5)
    np.testing.assert_array_equal(made.q_values, discounted_q(made.rewards, 0.9))


def _continuations(player, prefix, noise, discount):
    """The expected lambda-sum of D over all ways to go on from a prefix, and how much it scatters, by enumeration."""
    settings = player.settings
    left = settings.length - len(prefix)
    rows = torch.tensor([[*prefix, *rest] for rest in itertools.product(range(3), repeat=left)])
    with torch.no_grad():
        log_probs = player.generator(rows, noise.expand(len(rows), -1)).gather(2, rows[..., None])[..., 0]
        rewards = torch.sigmoid(player.discriminator(rows))[:, len(prefix) :]
    probabilities = log_probs[:, len(prefix) :].sum(dim=1).exp()
    returns = (rewards * discount ** torch.arange(left)).sum(dim=1)
    mean = (probabilities * returns).sum()
    return float(mean), float((probabilities * (returns - mean) ** 2).sum().sqrt())


def test_q_over_many_rollouts_nears_the_expectation_over_all_ways_to_go_on():
    count, discount = 400, 0.9
    settings = RolloutSettings(
        TextNetworks(3, 4, 4, "gru", "gru", every_token=False), length=4, stop_token=None, rows=3, reward="probability",
        reward_control="none", discount=discount, monte_carlo_rollouts=count, seed=0,
    )  # fmt: skip
    player = Player(settings, torch.device("cpu"))
    with torch.no_grad():  # judgements and choices that depend on what came before
        for tensor in (*player.discriminator.parameters(), *player.generator.parameters()):
            tensor *= 4
    weights = Weights(0, unload(player.generator), unload(player.discriminator))
    made = player.shard(weights, 0, 0, 0)
    np.testing.assert_array_equal(made.q_values[:, -1], made.rewards[:, -1])
    spreads = []
    for b in range(3):
        for t in range(3):
            mean, spread = _continuations(
                player, made.tokens[b, : t + 1].tolist(), torch.from_numpy(made.noise[b]), discount
            )
            spreads.append(spread)
            error = made.q_values[b, t] - made.rewards[b, t] - discount * mean
            assert abs(error) < 4 * discount * spread / count**0.5 + 1e-5
    assert max(spreads) > 0.05


def test_one_rollout_is_the_sequence_itself_and_several_leave_it_as_it_is(task, player, weights):
    weights.generator["output.bias"][1] = 3.0  # some sequences end early
    one = player.shard(weights, 0, 0, 0)
    several = task(length=20, monte_carlo_rollouts=3).shard_maker(torch.device("cpu")).shard(weights, 0, 0, 0)
    for name in ("tokens", "log_probs", "rewards", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))
    ends = several.mask.sum(axis=1) - 1
    rows = np.arange(len(ends))
    np.testing.assert_array_equal(several.q_values[rows, ends], one.q_values[rows, ends])
    assert (several.q_values[~several.mask] == 0).all()
    assert (several.q_values[rows[ends > 0], 0] != one.q_values[rows[ends > 0], 0]).all()


def test_temperature_divides_the_log_probabilities(task, weights):
    cool = dataclasses.replace(task(length=20).shard_maker.args[0], temperature=0.5, rows=64)
    made = Player(cool, torch.device("cpu")).play(weights, stream(0, Purpose.EVALUATION))
    player = Player(dataclasses.replace(cool, temperature=1.0), torch.device("cpu"))
    load(player.generator, weights.generator)
    with torch.no_grad():
        distribution = player.generator(torch.from_numpy(made.tokens), torch.from_numpy(made.noise))
    sharp = distribution.exp() ** 2
    sharp = (sharp / sharp.sum(dim=-1, keepdim=True)).log()
    words = torch.from_numpy(made.tokens).clamp(max=393)
    due = sharp.gather(2, words[..., None])[..., 0].numpy() * made.mask
    np.testing.assert_allclose(made.log_probs, due, atol=1e-4)


def _control(task, weights, name):
    return task(length=20, reward_control=name).shard_maker(torch.device("cpu")).shard(weights, 0, 0, 0)


def test_a_constant_reward_pays_every_token_one(task, weights):
    made = _control(task, weights, "constant")
    np.testing.assert_array_equal(made.rewards, made.mask)


def test_shuffled_rewards_are_the_same_ones_in_other_hands(task, player, weights):
    weights.generator["output.bias"][1] = 4.0  # some sequences end early
    plain, dealt = player.shard(weights, 0, 0, 0), _control(task, weights, "shuffled")
    np.testing.assert_array_equal(plain.tokens, dealt.tokens)
    company = dealt.mask & (dealt.mask.sum(axis=0) > 1)  # who is alone has nobody to take a reward from
    assert (~company & dealt.mask).any()
    np.testing.assert_array_equal(dealt.rewards != 0, company)
    np.testing.assert_array_equal(np.sort(plain.rewards * company, axis=0), np.sort(dealt.rewards, axis=0))
    assert (plain.rewards != dealt.rewards)[company].all()


def test_a_shuffled_reward_is_in_expectation_the_mean_of_the_others():
    rewards = np.float32([[1.0, 7.0], [10.0, 7.0], [100.0, 7.0], [1000.0, 7.0]])
    mask = np.array([[True, False], [True, True], [True, False], [False, False]])
    numbers = np.random.default_rng(0)
    dealt = np.array([shuffled(rewards, mask, numbers) for _ in range(4000)])
    np.testing.assert_allclose(dealt[:, :, 0].mean(axis=0), [55, 50.5, 5.5, 0], rtol=0.06)
    np.testing.assert_array_equal(dealt[:, :, 1], 0)
    for row in range(3):
        assert not (dealt[:, row, 0] == rewards[row, 0]).any()


def test_a_random_discriminators_rewards_do_not_follow_what_d_learns(task, weights):
    before = _control(task, weights, "random_discriminator")
    for tensor in weights.discriminator.values():
        tensor += 1
    after = _control(task, weights, "random_discriminator")
    np.testing.assert_array_equal(before.rewards, after.rewards)
    assert not np.array_equal(before.rewards, _control(task, weights, "none").rewards)


def test_a_sequence_ends_with_its_stop_token_and_nothing_counts_after_it(task, weights):
    eos, blank = 1, 394
    weights.generator["output.bias"][eos] = 4.0  # ends often
    made = task(length=20).shard_maker(torch.device("cpu")).shard(weights, 0, 0, 0)
    assert made.mask.sum(axis=1).min() < 20
    for tokens, mask in zip(made.tokens, made.mask, strict=True):
        length = mask.sum()
        assert mask[:length].all()
        assert (tokens[:length] < blank).all()
        assert (tokens[length:] == blank).all()
        assert eos not in tokens[: length - 1]
        assert length == 20 or tokens[length - 1] == eos
    for values in (made.log_probs, made.rewards, made.q_values):
        assert (values[~made.mask] == 0).all()
        assert (values[made.mask] != 0).all()


def test_rollouts_play_the_public_environment_and_its_reward_wrapper(player, weights):
    assert type(player.environment) is DiscriminatorRewardVector
    assert type(player.environment.env) is TextGenerationVectorEnv
    # A public environment that takes the same actions pays the same rewards.
    made = player.shard(weights, 0, 0, 0)
    environment = gymnasium.make_vec(
        "envs:rlgan/TextGeneration-v0", num_envs=len(made.tokens), vectorization_mode="vector_entry_point",
        vocab_size=394, max_length=20, stop_token=1, autoreset_mode="Disabled",
    )  # fmt: skip
    environment = DiscriminatorRewardVector(environment, DiscriminatorScorer(player.discriminator))
    environment.reset()
    for t in range(20):
        _, rewards, _, _, _ = environment.step(made.tokens[:, t].clip(max=393))
        np.testing.assert_allclose(rewards, made.rewards[:, t], atol=1e-6)


def test_changing_one_sequences_tokens_changes_no_other_sequences_rewards_or_q_values():
    torch.manual_seed(0)
    scorer = DiscriminatorScorer(TextDiscriminator(TextNetworks(50, 8, 8, "gru", "gru", every_token=False)).eval())
    tokens = np.random.default_rng(0).integers(50, size=(8, 10))

    def q_values(tokens):
        environment = DiscriminatorRewardVector(TextGenerationVectorEnv(8, 50, 10), scorer)
        environment.reset()
        rewards = np.stack([environment.step(tokens[:, t])[1] for t in range(10)], axis=1)
        return rewards, discounted_q(rewards.astype(np.float32), 0.9)

    changed = tokens.copy()
    changed[3] = (changed[3] + 1) % 50
    for before, after in zip(q_values(tokens), q_values(changed), strict=True):
        np.testing.assert_array_equal(np.delete(before, 3, 0), np.delete(after, 3, 0))
        assert (before[3] != after[3]).all()


def test_tokens_are_drawn_as_often_as_their_probabilities_say():
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.1, 0.02, 0.004, 0.001])
    count = 200_000
    uniforms = torch.from_numpy(stream(0, Purpose.ROLLOUT).random(count, dtype=np.float32))
    drawn = sample(probabilities.log().expand(count, -1), uniforms)
    seen = torch.bincount(drawn, minlength=7).double()
    due = probabilities.double() / probabilities.sum() * count
    # Chi-square of 6 degrees of freedom: above 22.5 once in a thousand.
    assert float(((seen - due) ** 2 / due).sum()) < 22.5


@pytest.mark.parametrize("vocab_size", [1, 2, 3, 99, 100, 101, 394, 10_000])
def test_two_levels_draw_what_one_level_in_double_precision_draws(vocab_size):
    generator = np.random.default_rng(vocab_size)
    logits = torch.from_numpy(generator.standard_normal((64, vocab_size), dtype=np.float32) * 2)
    uniforms = generator.random(64, dtype=np.float32)
    drawn = sample(logits.log_softmax(1), torch.from_numpy(uniforms)).numpy()
    heights = np.cumsum(np.exp(logits.double().log_softmax(1).numpy()), axis=1)
    due = np.array([np.searchsorted(row, u, side="right") for row, u in zip(heights, uniforms, strict=True)])
    # They may differ by rounding alone: where the uniform lies on an edge.
    off = drawn != due.clip(max=vocab_size - 1)
    edges = np.abs(heights[np.arange(64), np.minimum(drawn, due)] - uniforms)
    assert (edges[off] < 1e-5).all()


def test_the_ends_of_the_uniform_draw_words_that_are_there():
    log_probs = torch.full((2, 5), -1e4)
    log_probs[:, 2] = 0
    assert sample(log_probs, torch.tensor([0.0, 1 - 2**-24])).tolist() == [2, 2]


def test_a_rollout_refuses_fields_that_do_not_match():
    ok = {name: np.zeros((2, 3), np.float32) for name in ("log_probs", "rewards", "q_values")}
    ok |= {"tokens": np.zeros((2, 3), np.int64), "mask": np.ones((2, 3), np.bool_), "noise": np.zeros((2, 4))}
    Rollout(**ok, version=0)
    with pytest.raises(ValueError, match="rewards has shape"):
        Rollout(**ok | {"rewards": np.zeros((2, 4), np.float32)}, version=0)
    with pytest.raises(ValueError, match="noise has 1 rows"):
        Rollout(**ok | {"noise": np.zeros((1, 4))}, version=0)


def test_shards_of_different_versions_are_not_joined(player, weights):
    first = player.shard(weights, 0, 0, 0)
    with pytest.raises(ValueError, match="versions"):
        Rollout.join([first, Rollout(**vars(first) | {"version": 1})])
