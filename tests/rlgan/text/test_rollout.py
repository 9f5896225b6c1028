import dataclasses
import itertools
import pickle

import gymnasium
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from envs import DiscriminatorRewardVector, TextGenerationVectorEnv
from rlgan.learning.weights import load, sample_noise, unload
from rlgan.rng import Purpose, stream
from rlgan.text.assembly import sampler
from rlgan.text.models.core import TextNetworks
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.returns.discounted import discounted_q
from rlgan.text.rollout import RolloutGenerator, RolloutSettings
from rlgan.text.scorer import DiscriminatorScorer
from rlgan.types import Rollout, Weights

CPU = torch.device("cpu")


@pytest.fixture
def maker(task):
    return task(length=20).rollout_maker(CPU)


@pytest.fixture
def weights(task):
    return task(length=20).learner(CPU).weights()


def _alike(first, second):
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("tokens", "noise", "log_probs", "rewards", "q_values", "expected", "mask")
    )


def test_a_shard_is_a_pure_function_of_its_key(maker, weights):
    first = maker.shard(weights, 3, 1, 0)
    maker.shard(weights, 4, 0, 1)
    assert _alike(first, maker.shard(weights, 3, 1, 0))
    for other in [(4, 1, 0), (3, 0, 0), (3, 1, 1)]:
        assert not np.array_equal(first.tokens, maker.shard(weights, *other).tokens)


def test_weights_that_come_again_out_of_a_store_are_not_copied_again(maker, weights, monkeypatch):
    loads, store = [], []
    monkeypatch.setattr("rlgan.text.rollout.load", lambda *given: loads.append(load(*given)))
    first = maker.shard(weights, 0, 0, 0)
    loads.clear()
    pickled = pickle.dumps(weights, protocol=5, buffer_callback=lambda buffer: store.append(bytes(buffer)))
    # Every job of a step has objects of its own.
    made = [maker.shard(pickle.loads(pickled, buffers=store), 0, 0, shard) for shard in range(2)]
    assert len(loads) == 2  # G and D, once
    assert _alike(first, made[0])
    # Those of the next step, in memory that lies elsewhere.
    weights.generator["output.bias"] += 1
    pickled, store = pickle.dumps(dataclasses.replace(weights, version=1), protocol=5), []
    maker.shard(pickle.loads(pickled), 1, 0, 0)
    assert len(loads) == 4


def test_what_a_rollout_says_is_what_the_networks_say(maker, weights):
    made = maker.shard(weights, 0, 0, 0)
    tokens = torch.from_numpy(made.tokens)
    with torch.no_grad():
        distribution = maker.rollouts.generator(tokens, torch.from_numpy(made.noise))
        log_odds = maker.rollouts.discriminator(tokens)
    words = tokens.where(torch.from_numpy(made.mask), 0)
    log_probs = distribution.gather(2, words[..., None])[..., 0].numpy() * made.mask
    np.testing.assert_allclose(made.log_probs, log_probs, atol=1e-5)
    np.testing.assert_allclose(made.rewards, torch.sigmoid(log_odds).numpy() * made.mask, atol=1e-5)
    np.testing.assert_array_equal(made.q_values, discounted_q(made.rewards, made.mask, 0.9))


def _continuations(rollouts, prefix, noise, discount):
    """The expected lambda-sum of D over all ways to go on from a prefix, and how much it scatters, by enumeration."""
    settings = rollouts.settings
    left = settings.length - len(prefix)
    rows = torch.tensor([[*prefix, *rest] for rest in itertools.product(range(3), repeat=left)])
    with torch.no_grad():
        log_probs = rollouts.generator(rows, noise.expand(len(rows), -1)).gather(2, rows[..., None])[..., 0]
        rewards = torch.sigmoid(rollouts.discriminator(rows))[:, len(prefix) :]
    probabilities = log_probs[:, len(prefix) :].sum(dim=1).exp()
    returns = (rewards * discount ** torch.arange(left)).sum(dim=1)
    mean = (probabilities * returns).sum()
    return float(mean), float((probabilities * (returns - mean) ** 2).sum().sqrt())


def test_q_over_many_rollouts_nears_the_expectation_over_all_ways_to_go_on():
    count, discount = 400, 0.9
    settings = RolloutSettings(
        TextNetworks(3, 4, 4, 4, "gru", "gru", scores_all_tokens=False), length=4, stop_token=None, rows=3,
        reward="probability", reward_control="none", returns="discounted", discount=discount,
        monte_carlo_rollouts=count, seed=0, discriminator_rows=3,
    )  # fmt: skip
    rollouts = RolloutGenerator(settings, CPU)
    with torch.no_grad():  # judgements and choices that depend on what came before
        for tensor in (*rollouts.discriminator.parameters(), *rollouts.generator.parameters()):
            tensor *= 4
    weights = Weights(0, unload(rollouts.generator), unload(rollouts.discriminator))
    made = rollouts.generate(weights, stream(0, Purpose.ROLLOUT))
    np.testing.assert_array_equal(made.q_values[:, -1], made.rewards[:, -1])
    spreads = []
    for b in range(3):
        for t in range(3):
            mean, spread = _continuations(
                rollouts, made.tokens[b, : t + 1].tolist(), torch.from_numpy(made.noise[b]), discount
            )
            spreads.append(spread)
            error = made.q_values[b, t] - made.rewards[b, t] - discount * mean
            assert abs(error) < 4 * discount * spread / count**0.5 + 1e-5
    assert max(spreads) > 0.05


def length(_rewards, mask, _discount):
    return (mask * mask.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_return_of_whole_sequences_is_averaged_over_continuations_too(task, weights):
    weights.generator["output.bias"][1] = 3.0  # some sequences end early
    changes = {"length": 20, "returns": f"{__name__}:length"}
    one = task(**changes).rollout_maker(CPU).shard(weights, 0, 0, 0)
    several = task(**changes, monte_carlo_rollouts=4).rollout_maker(CPU).shard(weights, 0, 0, 0)
    own = one.mask.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(one.q_values, one.mask * own)
    # Each mean is of the sequence's own length and of three that are longer than the place.
    place = np.arange(1, 21) * one.mask
    assert (4 * several.q_values >= (own + 3 * place) * one.mask).all()
    assert (4 * several.q_values <= (own + 60) * one.mask).all()
    assert (several.q_values != one.q_values).any()


def test_one_rollout_is_the_sequence_itself_and_several_leave_it_as_it_is(task, maker, weights):
    weights.generator["output.bias"][1] = 3.0  # some sequences end early
    one = maker.shard(weights, 0, 0, 0)
    several = task(length=20, monte_carlo_rollouts=3).rollout_maker(CPU).shard(weights, 0, 0, 0)
    for name in ("tokens", "log_probs", "rewards", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))
    ends = several.mask.sum(axis=1) - 1
    rows = np.arange(len(ends))
    np.testing.assert_array_equal(several.q_values[rows, ends], one.q_values[rows, ends])
    assert (several.q_values[~several.mask] == 0).all()
    assert (several.q_values[rows[ends > 0], 0] != one.q_values[rows[ends > 0], 0]).all()


def test_temperature_divides_the_log_probabilities(task, weights):
    loaded = task(length=20)
    made = sampler(loaded.settings, loaded.corpus.words, CPU, 0.5).generate(weights, stream(0, Purpose.EVALUATION))
    generator = loaded.learner(CPU).adapter.generator
    load(generator, weights.generator)
    with torch.no_grad():
        distribution = generator(torch.from_numpy(made.tokens), torch.from_numpy(made.noise))
    sharp = distribution.exp() ** 2
    sharp = (sharp / sharp.sum(dim=-1, keepdim=True)).log()
    words = torch.from_numpy(made.tokens).clamp(max=393)
    due = sharp.gather(2, words[..., None])[..., 0].numpy() * made.mask
    np.testing.assert_allclose(made.log_probs, due, atol=1e-4)


def test_a_completion_begins_with_its_prefix_and_goes_on_as_the_generator_would(task, weights):
    loaded = task(length=20)
    rollouts = sampler(loaded.settings, loaded.corpus.words, CPU, 0.01)  # so cold that the likeliest token comes
    prefix = loaded.corpus.test.tokens[0, :3]
    tokens = rollouts.complete(weights, prefix, stream(0, Purpose.EVALUATION, 0))
    assert (tokens[:, :3] == prefix).all()
    rows, size = len(tokens), rollouts.generator.noise_size
    noise = torch.from_numpy(sample_noise(stream(0, Purpose.EVALUATION, 0), rows, size))
    with torch.no_grad():
        likeliest = rollouts.generator(torch.from_numpy(tokens), noise)[:, 3].argmax(dim=1)
    # The weights are untrained, so that a few rows have two likely tokens.
    assert (tokens[:, 3] == likeliest.numpy()).mean() > 0.5
    nothing = rollouts.complete(weights, prefix[:0], stream(0, Purpose.EVALUATION, 0))
    whole = rollouts.generate(weights, stream(0, Purpose.EVALUATION, 0), rewards=False)
    np.testing.assert_array_equal(nothing, whole.tokens)


def _control(task, weights, name):
    return task(length=20, reward_control=name).rollout_maker(CPU).shard(weights, 0, 0, 0)


def test_a_constant_reward_pays_every_token_one(task, weights):
    made = _control(task, weights, "constant")
    np.testing.assert_array_equal(made.rewards, made.mask)


def test_shuffled_rewards_are_the_same_ones_in_other_hands(task, maker, weights):
    weights.generator["output.bias"][1] = 4.0  # some sequences end early
    plain, given = maker.shard(weights, 0, 0, 0), _control(task, weights, "shuffled")
    np.testing.assert_array_equal(plain.tokens, given.tokens)
    together = given.mask & (given.mask.sum(axis=0) > 1)  # who is alone has nobody to take a reward from
    assert (~together & given.mask).any()
    np.testing.assert_array_equal(given.rewards != 0, together)
    np.testing.assert_array_equal(np.sort(plain.rewards * together, axis=0), np.sort(given.rewards, axis=0))
    assert (plain.rewards != given.rewards)[together].all()


def test_a_random_discriminators_rewards_do_not_follow_what_d_learns(task, weights):
    before = _control(task, weights, "random_discriminator")
    for tensor in weights.discriminator.values():
        tensor += 1
    after = _control(task, weights, "random_discriminator")
    np.testing.assert_array_equal(before.rewards, after.rewards)
    assert not np.array_equal(before.rewards, _control(task, weights, "none").rewards)


@pytest.fixture
def scored(monkeypatch):
    """Count the sequences' tokens that a discriminator reads one by one."""
    calls, step = [], TextDiscriminator.step

    def counted(self, tokens, state):
        calls.append(len(tokens))
        return step(self, tokens, state)

    monkeypatch.setattr(TextDiscriminator, "step", counted)
    return calls


READ = {"length": 20, "layout": "windows"}
UNREAD = READ | {"estimator": "all_tokens", "discount": 0.0}


@pytest.mark.parametrize(
    ("changes", "draw", "read"),
    [
        (READ, 0, True),
        (READ, 1, False),  # only the discriminator reads what is not draw 0
        (READ | {"method": "curriculum"}, 0, False),  # it begins with MLE alone
        (READ | {"method": "mixedgan"}, 0, True),
        (READ | {"reward_control": "constant"}, 0, False),
        (UNREAD, 0, False),
        (UNREAD | {"discount": 0.5}, 0, True),
    ],
)
def test_nothing_is_scored_whose_rewards_nobody_reads(task, scored, changes, draw, read):
    loaded = task(**changes)
    made = loaded.rollout_maker(CPU).shard(loaded.learner(CPU).weights(), 0, draw, 0)
    assert scored == ([len(made.tokens)] * 20 if read else [])
    assert made.mask.all()


def test_a_step_that_reads_no_rewards_learns_the_same_and_its_metrics_are_of_the_learners_own(task, scored):
    loaded = task(**UNREAD)
    learner, maker = loaded.learner(CPU), loaded.rollout_maker(CPU)
    start = learner.weights()
    made = maker.shard(start, 0, 0, 0)
    rng = stream(loaded.settings.seed, Purpose.ROLLOUT, 0, 0, 0)
    with_rewards = maker.rollouts.generate(start, rng)
    np.testing.assert_array_equal(with_rewards.tokens, made.tokens)
    np.testing.assert_array_equal(with_rewards.log_probs, made.log_probs)
    scored.clear()
    metrics = learner.update(0, loaded.schedule.plan(0), [made])
    assert not scored
    assert metrics["reward"] == pytest.approx(with_rewards.rewards[made.mask].mean(), abs=1e-5)
    assert metrics["q_value"] == metrics["reward"]


def test_a_sequence_ends_with_its_stop_token_and_nothing_counts_after_it(task, weights):
    eos, blank = 1, 394
    weights.generator["output.bias"][eos] = 4.0  # ends often
    made = task(length=20).rollout_maker(CPU).shard(weights, 0, 0, 0)
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


def test_the_public_environment_writes_the_same_pages_and_pays_the_same_rewards(maker, weights):
    weights.generator["output.bias"][1] = 3.0  # some sequences end early
    made = maker.shard(weights, 0, 0, 0)
    environment = gymnasium.make_vec(
        "envs:rlgan/TextGeneration-v0", num_envs=len(made.tokens), vectorization_mode="vector_entry_point",
        vocab_size=394, max_length=20, stop_token=1, autoreset_mode="Disabled",
    )  # fmt: skip
    environment = DiscriminatorRewardVector(environment, DiscriminatorScorer(maker.rollouts.discriminator))
    environment.reset()
    for t in range(20):
        pages, rewards, _, _, _ = environment.step(made.tokens[:, t].clip(max=393))
        np.testing.assert_allclose(rewards, made.rewards[:, t], atol=1e-6)
    np.testing.assert_array_equal(pages, made.tokens)


class _Asked(TorchDispatchMode):
    """Counts how often the host asks for the value of a tensor."""

    def __init__(self):
        super().__init__()
        self.times = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        aten = torch.ops.aten
        self.times += operation in (aten._local_scalar_dense.default, aten.is_nonzero.default, aten.item.default)
        return operation(*arguments, **(options or {}))


@pytest.mark.parametrize("changes", [{}, {"estimator": "all_tokens"}, {"generator_core": "cnn"}, {"reward_limit": 1.0}])
def test_a_rollout_leaves_its_device_once_and_not_for_each_token(task, monkeypatch, weights, changes):
    moves = []
    for owner, name in ((torch.Tensor, "numpy"), (torch.Tensor, "__array__"), (torch, "from_numpy"), (torch, "tensor")):
        own = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, own=own, name=name: moves.append(name) or own(*given))
    loaded = task(length=20, **changes)
    weights = loaded.learner(CPU).weights()
    maker = loaded.rollout_maker(CPU)
    maker.shard(weights, 0, 0, 0)  # brings the weights there
    moves.clear()
    with _Asked() as asked:
        made = maker.shard(weights, 1, 0, 0)
    # Noise and uniform numbers go there, the sequences come back.
    assert sorted(moves) == ["from_numpy", "from_numpy", "numpy"]
    # A CPU, which waits for nothing, is asked after each token whether all have ended; a GPU is not.
    assert asked.times == made.mask.any(axis=0).sum()


def test_changing_one_sequences_tokens_changes_no_other_sequences_rewards_or_q_values():
    torch.manual_seed(0)
    scorer = DiscriminatorScorer(
        TextDiscriminator(TextNetworks(50, 8, 8, 10, "gru", "gru", scores_all_tokens=False)).eval()
    )
    tokens = np.random.default_rng(0).integers(50, size=(8, 10))

    def q_values(tokens):
        environment = DiscriminatorRewardVector(TextGenerationVectorEnv(8, 50, 10), scorer)
        environment.reset()
        rewards = np.stack([environment.step(tokens[:, t])[1] for t in range(10)], axis=1)
        return rewards, discounted_q(rewards.astype(np.float32), np.ones_like(rewards, bool), 0.9)

    changed = tokens.copy()
    changed[3] = (changed[3] + 1) % 50
    for before, after in zip(q_values(tokens), q_values(changed), strict=True):
        np.testing.assert_array_equal(np.delete(before, 3, 0), np.delete(after, 3, 0))
        assert (before[3] != after[3]).all()


def test_a_rollout_refuses_fields_that_do_not_match():
    ok = {name: np.zeros((2, 3), np.float32) for name in ("log_probs", "rewards", "q_values", "expected")}
    ok |= {"tokens": np.zeros((2, 3), np.int64), "mask": np.ones((2, 3), np.bool_), "noise": np.zeros((2, 4))}
    Rollout(**ok, version=0)
    with pytest.raises(ValueError, match="rewards has shape"):
        Rollout(**ok | {"rewards": np.zeros((2, 4), np.float32)}, version=0)
    with pytest.raises(ValueError, match="noise has 1 rows"):
        Rollout(**ok | {"noise": np.zeros((1, 4))}, version=0)


def test_shards_of_different_versions_are_not_joined(maker, weights):
    first = maker.shard(weights, 0, 0, 0)
    with pytest.raises(ValueError, match="versions"):
        Rollout.join([first, Rollout(**vars(first) | {"version": 1})])
