"""Measures of text: perplexity, accuracy of the discriminator, diversity."""

import math

import numpy as np
import torch

from rlgan.networks.gru import GRUDiscriminator, GRUGenerator
from rlgan.objectives import chosen
from rlgan.rollout import sample_noise
from rlgan.types import Float, Mask, Tokens

# Rows read at a time: 64 x 20 x 10,000 log-probabilities are 51 MB.
CHUNK = 64


@torch.inference_mode()
def perplexity(generator: GRUGenerator, tokens: Tokens, numbers: np.random.Generator) -> float:
    """2 to the entropy in bits per counted token, given one z per row (Yala & Song, section 4.2).

    Each row is read from `<start>` with a z of its own out of `numbers`; the mean is over all tokens of all rows, each
    row's `<eos>` included. This bounds the perplexity of the mixture over z from above.

    Args:
        generator: whose perplexity.
        tokens: int64 [N, T], V where a row has ended.
        numbers: a stream; the same for every evaluation, so that they compare.
    """
    nats, count = 0.0, 0
    for chunk in _chunks(tokens):
        noise = sample_noise(numbers, len(chunk), generator.gru.hidden_size)
        device = generator.output.weight.device
        there = torch.tensor(chunk, device=device)
        log_probs = chosen(generator(there, torch.from_numpy(noise).to(device)), there).cpu().numpy()
        mask = chunk < generator.vocab_size
        nats -= float(log_probs[mask].sum(dtype=np.float64))
        count += int(mask.sum())
    bits = nats / count / math.log(2)
    return float(2.0 ** min(bits, 1000.0))  # a number, for JSON


@torch.inference_mode()
def log_odds(discriminator: GRUDiscriminator, tokens: Tokens) -> Float:
    """The discriminator's log-odds float32 [N, T] after every token of rows int64 [N, T]."""
    device = discriminator.output.weight.device
    return np.concatenate(
        [discriminator(torch.tensor(chunk, device=device)).cpu().numpy() for chunk in _chunks(tokens)]
    )


def at_last_token(values: Float, mask: Mask) -> Float:
    """What values [N, T] hold at the last counted token of each row, [N]."""
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return np.asarray(values[np.arange(len(values)), last])


def distinct_sequences(tokens: Tokens) -> float:
    """Share of different rows among all rows int64 [N, T]."""
    return len(np.unique(tokens, axis=0)) / len(tokens)


def distinct_bigrams(tokens: Tokens, mask: Mask) -> float:
    """Share of different pairs of neighbours among all such pairs within the rows (distinct-2)."""
    both = mask[:, :-1] & mask[:, 1:]
    pairs = np.stack([tokens[:, :-1][both], tokens[:, 1:][both]], axis=1)
    return len(np.unique(pairs, axis=0)) / len(pairs) if len(pairs) else 0.0


def _chunks(tokens: Tokens) -> list[Tokens]:
    return [tokens[i : i + CHUNK] for i in range(0, len(tokens), CHUNK)]
