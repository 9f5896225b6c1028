"""Puts the parts that a recipe names together: networks, rollouts, learning signal, optimisers."""

import dataclasses
from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from rlgan.learning.group import ALONE, Group
from rlgan.learning.learner import Learner, RealSource
from rlgan.learning.optimizers import adam
from rlgan.learning.precision import find_precision
from rlgan.learning.settings import OptimizerSettings
from rlgan.rng import Purpose, torch_seed
from rlgan.text.advantages import Advantages
from rlgan.text.baselines import EXPECTING_BASELINES
from rlgan.text.baselines.baseline import make_baseline
from rlgan.text.controls.control import find_control
from rlgan.text.corpora.layouts import stop_token
from rlgan.text.discrimination import Discrimination
from rlgan.text.estimators.estimator import make_estimator
from rlgan.text.forms.form import find_form
from rlgan.text.judge import DiscriminatorJudge
from rlgan.text.measures import CHUNK
from rlgan.text.models.core import TextNetworks
from rlgan.text.models.discriminator import TextDiscriminator, random_discriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.negatives.negatives import find_negatives
from rlgan.text.policy_gradient import PolicyGradient
from rlgan.text.rewards.rule import find_reward_rule
from rlgan.text.rollout import RolloutGenerator, RolloutSettings
from rlgan.text.settings import TextSettings


def text_networks(settings: TextSettings, words: tuple[str, ...]) -> TextNetworks:
    """What both players are made of."""
    n, form = settings.networks, settings.discriminator.discriminator_form
    estimator = make_estimator(settings.policy, settings.rewards)
    return TextNetworks(
        vocab_size=len(words),
        embedding_size=n.embedding_size,
        hidden_size=n.hidden_size,
        length=settings.corpus.length,
        generator_core=n.generator_core,
        discriminator_core=n.discriminator_core,
        scores_all_tokens=(
            estimator.scores_all_tokens
            or find_form(form).reads_policy
            or settings.baselines.baseline in EXPECTING_BASELINES
        ),
        discriminator_form=form,
        discriminator_embedding_size=settings.discriminator.discriminator_embedding_size,
        discriminator_hidden_size=settings.discriminator.discriminator_hidden_size,
        precision=settings.products.precision,
    )


def rollout_settings(settings: TextSettings, words: tuple[str, ...]) -> RolloutSettings:
    """How the environment is used in training; the settings must name the layout."""
    return RolloutSettings(
        networks=text_networks(settings, words),
        length=settings.corpus.length,
        stop_token=_stop_token(settings, words),
        rows=settings.shard_size,
        discriminator_rows=settings.batch_size // settings.shards,
        reward=settings.rewards.reward,
        reward_limit=settings.rewards.reward_limit,
        reward_control=settings.rewards.reward_control,
        returns=settings.rewards.returns,
        discount=settings.rewards.discount,
        monte_carlo_rollouts=settings.rewards.monte_carlo_rollouts,
        seed=settings.seed,
        scorer=settings.rewards.scorer,
        words=words if settings.rewards.scorer else (),
        expects=settings.baselines.baseline in EXPECTING_BASELINES,
    )


def sampler(
    settings: TextSettings, words: tuple[str, ...], device: torch.device, temperature: float = 1.0
) -> RolloutGenerator:
    """A generator of samples in the same environment: needs no data, and shows D's own rewards."""
    # What a person is shown are the rewards that the run's own D gives, also where the run learned from others.
    run = rollout_settings(settings, words)
    own = dataclasses.replace(
        run,
        # What is reported is comparable then, however the run learned.
        networks=dataclasses.replace(run.networks, precision="float32"),
        rows=CHUNK,
        reward_control="none",
        monte_carlo_rollouts=1,
        expects=False,
        temperature=temperature,
    )
    return RolloutGenerator(own, device)


def policy_gradient(
    settings: TextSettings, words: tuple[str, ...], stop_token: int | None, device: torch.device, group: Group
) -> PolicyGradient:
    """Both networks with fresh weights, the same for the same seed everywhere, and how they learn."""
    # The order of what follows is that in which the weights are drawn.
    torch.manual_seed(torch_seed(settings.seed, Purpose.INITIALISE))
    networks = text_networks(settings, words)
    # Drawn on the CPU and then moved: a GPU draws other numbers from the same seed.
    generator = TextGenerator(networks).to(device)
    n = settings.networks
    discriminator = TextDiscriminator(networks, n.discriminator_dropout, n.discriminator_word_dropout).to(device)
    control = find_control(settings.rewards.reward_control)
    judging = discriminator
    if control.random_discriminator:
        # It seeds torch anew, so that it must come after both players, whose weights a control must not change.
        judging = random_discriminator(networks, settings.seed).to(device)
    rule = find_reward_rule(settings.rewards.reward, settings.rewards.reward_limit)
    baseline = make_baseline(settings.baselines, networks, group)
    if isinstance(baseline, nn.Module):
        baseline.to(device)
    return PolicyGradient(
        generator,
        Discrimination(
            generator,
            discriminator,
            discriminator.form,
            find_negatives(settings.discriminator.negatives),
            group,
            settings.lag,
            settings.memory.logits_mib,
        ),
        estimator=make_estimator(settings.policy, settings.rewards),
        advantages=Advantages(
            baseline,
            settings.policy.normalise_advantages,
            # Without a lag the generator that chose the tokens is the one that learns from them.
            settings.policy.importance_limit if settings.lag else 0.0,
            group,
            settings.baselines.baseline in EXPECTING_BASELINES,
        ),
        judge=partial(DiscriminatorJudge, judging, rule, control),
        entropy_bonus=settings.policy.entropy_bonus,
        likelihood_dropout=n.generator_dropout,
        stop_token=stop_token,
        logits_mib=settings.memory.logits_mib,
        group=group,
    )


def learner(
    settings: TextSettings,
    words: tuple[str, ...],
    stop_token: int | None,
    source: RealSource,
    device: torch.device,
    group: Group = ALONE,
) -> Learner:
    """A learner with fresh networks, the same for the same seed on every device and in every place of a group.

    Args:
        settings: the recipe.
        words: the vocabulary, by token.
        stop_token: what ends a row, or None.
        source: of the real batches.
        device: where it learns.
        group: the learners that share every batch.
    """
    adapter = policy_gradient(settings, words, stop_token, device, group)
    networks = {"generator": adapter.generator, "discriminator": adapter.discriminator} | adapter.auxiliary_modules
    return Learner(
        adapter,
        source,
        optimizers(settings, networks),
        gradient_norm=settings.adam.gradient_norm,
        generator_ema_decay=settings.players.generator_ema_decay,
        seed=settings.seed,
        precision=find_precision(settings.products.precision),
    )


def optimizers(settings: TextSettings, networks: Mapping[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
    """An Adam for each network that has parameters, by name."""
    rates = {
        "generator": settings.players.generator_learning_rate,
        "discriminator": settings.players.discriminator_learning_rate,
        "baseline": settings.baselines.baseline_learning_rate,
    }
    shared = OptimizerSettings(momentum=settings.adam.adam_beta1)
    return {
        name: adam(network, rates[name], shared)
        for name, network in networks.items()
        # torch refuses an optimiser without parameters: a moving average has buffers alone, and what an older
        # generator knew is not to be trained.
        if any(parameter.requires_grad for parameter in network.parameters())
    }


def _stop_token(settings: TextSettings, words: tuple[str, ...]) -> int | None:
    if settings.corpus.layout is None:
        raise ValueError("the settings name no layout: give that of the corpus")
    return stop_token(settings.corpus.layout, words)
