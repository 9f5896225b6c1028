"""Measures of text that read it with a network: perplexity and what the discriminator says."""

import math

import numpy as np
import torch

from rlgan.learning.weights import sample_noise
from rlgan.text.losses import gather_log_probs
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.types import Float, Mask, Tokens

# Rows read at a time: 64 x 20 x 10,000 log-probabilities are 51 MB.
CHUNK = 64
STRETCH = 20 * CHUNK  # tokens of a stream read at a time: as many


@torch.inference_mode()
def perplexity(generator: TextGenerator, tokens: Tokens, rng: np.random.Generator) -> float:
    """2 to the entropy in bits per counted token, given one z per row (Yala & Song, section 4.2).

    Each row is read from `<start>` with a z of its own out of `rng`; the mean is over all tokens of all rows, each
    row's `<eos>` included. This bounds the perplexity of the mixture over z from above.

    Args:
        generator: whose perplexity.
        tokens: int64 [N, T], V where a row has ended.
        rng: a stream; the same for every evaluation, so that they compare.
    """
    nats, count = 0.0, 0
    for chunk in _chunks(tokens):
        noise = sample_noise(rng, len(chunk), generator.noise_size)
        device = generator.device
        there = torch.tensor(chunk, device=device)
        log_probs = gather_log_probs(generator(there, torch.from_numpy(noise).to(device)), there).cpu().numpy()
        mask = chunk < generator.vocab_size
        nats -= float(log_probs[mask].sum(dtype=np.float64))
        count += int(mask.sum())
    return _two_to_the_entropy(nats, count)


@torch.inference_mode()
def carried_perplexity(generator: TextGenerator, tokens: Tokens, rng: np.random.Generator) -> float:
    """2 to the entropy in bits per token of the rows read as one stream, as published language models are scored.

    The counted tokens of all rows, one row after the other: `<start>` and a z stand before the first, and the
    state is carried on to the last. Of a text in windows that is all but the tail that fills none.

    Args:
        generator: whose perplexity.
        tokens: int64 [N, T], V where a row has ended.
        rng: a stream, for the one z.
    """
    device = generator.device
    read = torch.tensor(tokens[tokens < generator.vocab_size], device=device)[None]
    before = torch.cat([torch.full_like(read[:, :1], generator.vocab_size), read[:, :-1]], dim=1)
    state = generator.initial_state(torch.from_numpy(sample_noise(rng, 1, generator.noise_size)).to(device))
    nats = 0.0
    for i in range(0, read.shape[1], STRETCH):
        log_probs, state = generator.read(before[:, i : i + STRETCH], state)
        nats -= float(gather_log_probs(log_probs, read[:, i : i + STRETCH]).double().sum())
    return _two_to_the_entropy(nats, read.shape[1])


@torch.inference_mode()
def log_odds(discriminator: TextDiscriminator, tokens: Tokens) -> Float:
    """The discriminator's log-odds float32 [N, T] after every token of rows int64 [N, T]."""
    device = discriminator.device
    return np.concatenate(
        [discriminator(torch.tensor(chunk, device=device)).cpu().numpy() for chunk in _chunks(tokens)]
    )


def at_last_token(values: Float, mask: Mask) -> Float:
    """What values [N, T] hold at the last counted token of each row, [N]."""
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return np.asarray(values[np.arange(len(values)), last])


def share_by_position(right: Mask, mask: Mask) -> list[float]:
    """Of the rows that have a counted token at a position, the share for which `right` [N, T] holds there.

    The last position is the last that any row has.
    """
    counts = mask.sum(axis=0)
    return [float(share) for share in (right & mask).sum(axis=0)[counts > 0] / counts[counts > 0]]


def _two_to_the_entropy(nats: float, count: int) -> float:
    bits = nats / count / math.log(2)
    return float(2.0 ** min(bits, 1000.0))  # a number, for JSON


def _chunks(tokens: Tokens) -> list[Tokens]:
    return [tokens[i : i + CHUNK] for i in range(0, len(tokens), CHUNK)]
