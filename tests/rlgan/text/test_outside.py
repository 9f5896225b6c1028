"""Every part of the algorithm can come from outside the package, named as `module:object`."""

# ruff: noqa: ARG002 (a contract has more arguments than each of these needs)

import dataclasses

import numpy as np
import pytest
import torch

from envs.arrays import namespace
from rlgan.errors import DataError, UsageError
from rlgan.learning.loss import Loss
from rlgan.settings import check, updated
from rlgan.text.controls.control import RewardControl
from rlgan.text.corpora.build import build_corpus
from rlgan.text.corpora.layouts import Layout, windows
from rlgan.text.estimators.estimator import baseline_losses
from rlgan.text.forms.form import DiscriminatorForm
from rlgan.text.losses import policy_gradient
from rlgan.text.negatives.negatives import Negatives
from rlgan.text.settings import TextSettings
from rlgan.text.task import TextTask
from rlgan.types import Rollout

CPU = torch.device("cpu")
SMALL = {"preset": "paper", "length": 8, "batch_size": 4, "embedding_size": 6, "hidden_size": 6}


def hinge(log_odds, _):
    return log_odds.clip(-1, 1)


def total(rewards, mask, _):
    return rewards.sum(axis=1, keepdims=True) * mask


class MeanOfTheBatch:
    def __init__(self, settings, networks, group):
        self.group = group

    def advantage(self, q_values, mask, states):
        return (q_values - self.group.masked_mean(q_values, mask)) * mask, None


class Greedy:
    scores_all_tokens, reads_rewards = False, True

    def __init__(self, policy, rewards): ...

    def loss(self, policy, rollout, judge):
        weights, baseline_loss = policy.weigh(rollout.q_values)
        return Loss(
            policy_gradient(policy.log_probs, (weights > 0).float(), rollout.mask), {}, baseline_losses(baseline_loss)
        )


def reverse_ranks(log_probs, rewards, mask):
    return -((log_probs.exp() * rewards.argsort(dim=-1)).sum(dim=-1) * mask).mean()


def noise(rewards, mask, rng):
    xp = namespace(rewards)
    return mask * xp.asarray(rng.random(rewards.shape, dtype=np.float32), device=rewards.device)


NOISE = RewardControl(noise, reads_rewards=False)
HALF = DiscriminatorForm(lambda scores, log_probs: scores - log_probs / 2, reads_policy=True)
SCORES = DiscriminatorForm(lambda scores, _: scores, reads_policy=False)
MOSTLY_ROLLOUTS = Negatives(rollouts=0.9, conditional=0.1)
HALVES = Layout(lambda stream, length: windows(stream, length), ends_with_eos=False)


class LastWord(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.linear = torch.nn.Linear(sizes.input_size, sizes.hidden_size)

    def initial_state(self, noise):
        return (noise,)

    def forward(self, inputs, state):
        return self.linear(inputs) + state[0][:, None], state


def counting(settings):
    lines = [["one", "two", "three", "four", "<eos>"]] * 60
    return build_corpus("counting", [lines[20:], lines[:10], lines[10:20]], settings)


def contradictory(settings):
    return dataclasses.replace(counting(settings), stop_token=1)


def wordless(settings):
    corpus = counting(settings)
    return dataclasses.replace(corpus, words=tuple("abcdef"), layout="sentences")


@pytest.mark.parametrize(
    "changes",
    [
        {"reward": "hinge"},
        {"returns": "total"},
        {"baseline": "MeanOfTheBatch"},
        {"estimator": "Greedy", "baseline": "learned"},
        {"estimator": "all_tokens", "weighting": "reverse_ranks", "discount": 0.0},
        {"discriminator_form": "HALF", "negatives": "MOSTLY_ROLLOUTS"},
        {"reward_control": "NOISE"},
        {"estimator": "all_tokens", "reward_control": "NOISE"},
        {"generator_core": "LastWord", "discriminator_core": "LastWord"},
        {"estimator": "all_tokens", "generator_core": "LastWord", "discriminator_core": "LastWord"},
        {"data": "counting"},
        {"data": "counting", "layout": "sentences"},
        {"layout": "HALVES"},
    ],
    ids=lambda changes: " ".join(changes.values()) if all(isinstance(v, str) for v in changes.values()) else None,
)
def test_a_part_of_a_strangers_trains(changes):
    outside = {name: f"{__name__}:{value}" if value in globals() else value for name, value in changes.items()}
    settings = updated(TextSettings(), SMALL | outside)
    check(settings)
    loaded = TextTask.load(settings)
    learner, maker = loaded.learner(CPU), loaded.rollout_maker(CPU)
    before = learner.weights()
    for step in range(2):
        made = Rollout.join([maker.shard(learner.weights(), step, 0, shard) for shard in range(2)])
        assert "loss_policy_gradient" in learner.update(step, loaded.schedule.plan(step), [made])
    assert any((learner.weights().generator[name] != value).any() for name, value in before.generator.items())


def test_a_strangers_data_set_chooses_its_layout_and_is_sampled_and_evaluated(task):
    loaded = task(data=f"{__name__}:counting", length=5, vocab_size=None)
    assert (loaded.settings.corpus.layout, loaded.settings.corpus.vocab_size) == ("windows", 6)
    found = loaded.evaluator(CPU).evaluate(loaded.learner(CPU).weights())
    assert found.metrics["test_perplexity"] == pytest.approx(6, rel=0.2)
    assert set(found.texts[0].split()) <= {"one", "two", "three", "four", "<unk>"}


@pytest.mark.parametrize(
    ("name", "due"),
    [
        ("contradictory", "layout windows and the stop token 1, not None: give"),
        ("wordless", "layout sentences ends rows with <eos>, which is none of the 6 words"),
    ],
)
def test_a_strangers_data_set_ends_its_rows_as_its_layout_does(task, name, due):
    with pytest.raises(DataError, match=due):
        task(data=f"{__name__}:{name}")


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"discriminator_form": "HALF", "reward": "token_ratio"}, "--reward token_ratio with --discriminator-form"),
        ({"discriminator_form": "SCORES", "negatives": "conditional"}, "--negatives conditional with"),
    ],
)
def test_a_form_from_outside_goes_with_what_one_of_ours_goes_with(changes, due):
    outside = {name: f"{__name__}:{value}" if value in globals() else value for name, value in changes.items()}
    with pytest.raises(UsageError, match=due):
        TextTask.load(updated(TextSettings(), SMALL | outside))
