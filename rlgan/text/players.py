"""Both players of a recipe of text, and the generator of rollouts that they play in."""

import dataclasses

import torch

from rlgan.text.measures import CHUNK
from rlgan.text.networks import TextNetworks
from rlgan.text.rollout import Player, RolloutSettings
from rlgan.text.settings import TextSettings
from rlgan.text.stories import END


def text_networks(settings: TextSettings, words: tuple[str, ...]) -> TextNetworks:
    """What both players are made of."""
    n = settings.networks
    return TextNetworks(
        vocab_size=len(words),
        embedding_size=n.embedding_size,
        hidden_size=n.hidden_size,
        generator=n.generator_core,
        discriminator=n.discriminator_core,
        every_token=settings.policy.estimator == "all_tokens",
    )


def rollout_settings(settings: TextSettings, words: tuple[str, ...]) -> RolloutSettings:
    """How the environment is played in training: a sentence ends with `<eos>`, a window is always full."""
    return RolloutSettings(
        networks=text_networks(settings, words),
        length=settings.corpus.length,
        stop_token=words.index(END) if settings.corpus.layout == "sentences" else None,
        rows=settings.shard_size,
        reward=settings.rewards.reward,
        reward_control=settings.rewards.reward_control,
        discount=settings.rewards.discount,
        monte_carlo_rollouts=settings.rewards.monte_carlo_rollouts,
        seed=settings.seed,
    )


def sampler(settings: TextSettings, words: tuple[str, ...], device: torch.device, temperature: float = 1.0) -> Player:
    """A player of the same environment for samples: needs no data, and shows D's own rewards."""
    own = dataclasses.replace(
        rollout_settings(settings, words),
        rows=CHUNK,
        reward_control="none",
        monte_carlo_rollouts=1,
        temperature=temperature,
    )
    return Player(own, device)
