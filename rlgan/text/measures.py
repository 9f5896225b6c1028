"""Measures of text that read it with a network: perplexity and what the discriminator says."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rlgan.learning.weights import sample_noise
from rlgan.rng import Purpose, stream
from rlgan.text.corpus import Rows
from rlgan.text.losses import gather_log_probs
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.perplexities import two_to_the_entropy
from rlgan.types import AnyTokens, Float, Mask

# Rows read at a time: 64 x 20 x 10,000 log-probabilities are 51 MB.
CHUNK = 64
CHUNK_ON_GPU = 512  # a launch costs as much for few rows as for these
STRETCH = 20 * CHUNK  # tokens of a stream read at a time: as many


@torch.inference_mode()
def perplexity(generator: TextGenerator, tokens: AnyTokens, rng: np.random.Generator) -> float:
    """2 to the entropy in bits per counted token, given one z per row (Yala & Song, section 4.2).

    Each row is read from `<start>` with a z of its own out of `rng`; the mean is over all tokens of all rows, each
    row's `<eos>` included. This bounds the perplexity of the mixture over z from above.

    Args:
        generator: whose perplexity.
        tokens: [N, T], V where a row has ended.
        rng: a stream; the same for every evaluation, so that they compare.

    Example:
        >>> from rlgan.text.models.core import TextNetworks
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)
        >>> generator = TextGenerator(networks)
        >>> zeros = [each.data.zero_() for each in generator.output.parameters()]  # each of the 9 words is as likely
        >>> round(perplexity(generator, np.array([[2, 7, 9]]), np.random.default_rng(0)), 4)
        9.0
    """
    mask = tokens < generator.vocab_size
    # Added up in float64, here and below, so that the number of tokens costs no digits.
    nats = -float(log_probs(generator, tokens, rng)[mask].sum(dtype=np.float64))
    return two_to_the_entropy(nats, int(mask.sum()))


def nats_per_token(generator: TextGenerator, rows: Rows) -> float:
    """Nats per counted token of rows: ln of `perplexity`, one z per row from a fixed seed.

    Example:
        >>> from rlgan.text.models.core import TextNetworks
        >>> model = TextGenerator(TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False))
        >>> zeros = [each.data.zero_() for each in model.output.parameters()]  # each of the 9 words is as likely
        >>> round(nats_per_token(model, Rows(np.array([[2, 7]]), np.ones((1, 2), bool))), 4)  # log 9
        2.1972
    """
    return math.log(perplexity(generator, rows.tokens, stream(0, Purpose.EVALUATION)))


@torch.inference_mode()
def carried_perplexity(generator: TextGenerator, tokens: AnyTokens, rng: np.random.Generator) -> float:
    """2 to the entropy in bits per token of the rows read as one stream, as published language models are scored.

    The counted tokens of all rows, one row after the other: `<start>` and a z stand before the first, and the
    state is carried on to the last. Of a text in windows that is all but the tail that fills none.

    Args:
        generator: whose perplexity.
        tokens: [N, T], V where a row has ended.
        rng: a stream, for the one z.
    """
    device = generator.device
    read = torch.tensor(tokens[tokens < generator.vocab_size], dtype=torch.int64, device=device)[None]
    before = torch.cat([torch.full_like(read[:, :1], generator.vocab_size), read[:, :-1]], dim=1)
    state = generator.initial_state(torch.from_numpy(sample_noise(rng, 1, generator.noise_size)).to(device))
    nats = 0.0
    for i in range(0, read.shape[1], STRETCH):
        all_log_probs, state = generator.read(before[:, i : i + STRETCH], state)
        nats -= float(gather_log_probs(all_log_probs, read[:, i : i + STRETCH]).double().sum())
    return two_to_the_entropy(nats, read.shape[1])


@torch.inference_mode()
def log_odds(discriminator: TextDiscriminator, tokens: AnyTokens, log_probs: Float | None = None) -> Float:
    """The discriminator's log-odds float32 [N, T] after every token of rows [N, T].

    Args:
        discriminator: whose log-odds.
        tokens: V where a row has ended.
        log_probs: float32 [N, T], what the generator gave the tokens; for a form that reads it.

    Example:
        >>> from rlgan.text.models.core import TextNetworks
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", True, discriminator_form="structured")
        >>> discriminator = TextDiscriminator(networks)
        >>> zeros = [each.data.zero_() for each in discriminator.output.parameters()]  # f is 0 of every word
        >>> log_odds(discriminator, np.array([[2, 7]]), log_probs=np.float32([[-1, -3]]))  # f - log G
        array([[1., 3.]], dtype=float32)
    """
    device = discriminator.device
    # Here and below as a whole from the start: many small results, kept among large ones that are given back, would
    # leave holes in memory that nothing fits into.
    scores = torch.empty(tokens.shape, device=device)
    for rows, chunk in _chunks(tokens, device):
        scores[rows] = discriminator(chunk)
    if log_probs is not None:
        scores = discriminator.form.log_odds(scores, torch.tensor(log_probs, device=device))
    return scores.cpu().numpy()


@torch.inference_mode()
def log_probs(generator: TextGenerator, tokens: AnyTokens, rng: np.random.Generator) -> Float:
    """Log-probabilities float32 [N, T] of the tokens of rows [N, T] by the generator, one z per row.

    Example:
        >>> from rlgan.text.models.core import TextNetworks
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", scores_all_tokens=False)
        >>> generator = TextGenerator(networks)
        >>> zeros = [each.data.zero_() for each in generator.output.parameters()]  # each of the 9 words is as likely
        >>> log_probs(generator, np.array([[2, 7]]), np.random.default_rng(0)).round(4)  # -log 9
        array([[-2.1972, -2.1972]], dtype=float32)
    """
    device = generator.device
    found = torch.empty(tokens.shape, device=device)
    for rows, chunk in _chunks(tokens, device):
        noise = torch.from_numpy(sample_noise(rng, len(chunk), generator.noise_size)).to(device)
        found[rows] = gather_log_probs(generator(chunk, noise), chunk)
    return found.cpu().numpy()


@torch.inference_mode()
def implied_perplexity(discriminator: TextDiscriminator, tokens: AnyTokens) -> float:
    """Perplexity per counted token of softmax(f), the language model that a structured discriminator's scores imply.

    Args:
        discriminator: one that scores all tokens.
        tokens: [N, T], V where a row has ended.

    Example:
        >>> from rlgan.text.models.core import TextNetworks
        >>> networks = TextNetworks(9, 4, 5, 3, "gru", "gru", True, discriminator_form="structured")
        >>> discriminator = TextDiscriminator(networks)
        >>> weights = discriminator.output.weight.data.zero_()  # each of the 9 words is as likely
        >>> round(implied_perplexity(discriminator, np.array([[2, 7, 9]])), 4)
        9.0
    """
    nats, count = 0.0, 0
    for rows, chunk in _chunks(tokens, discriminator.device):
        implied = functional.log_softmax(discriminator.all_next_log_odds(chunk), dim=-1)
        mask = tokens[rows] < discriminator.vocab_size
        nats -= float(gather_log_probs(implied, chunk).cpu().numpy()[mask].sum(dtype=np.float64))
        count += int(mask.sum())
    return two_to_the_entropy(nats, count)


def at_last_token(values: Float, mask: Mask) -> Float:
    """What values [N, T] hold at the last counted token of each row, [N].

    Example:
        >>> mask = np.array([[True, True, False], [True, True, True]])
        >>> at_last_token(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), mask)
        array([2., 6.])
    """
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return np.asarray(values[np.arange(len(values)), last])


def counted(values: Float, mask: Mask) -> Float:
    """What values [N, T] hold at the counted tokens of all rows, one after the other.

    Example:
        >>> counted(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[True, False], [True, True]]))
        array([1., 3., 4.])
    """
    return np.asarray(values[mask])


def share_by_position(right: Mask, mask: Mask) -> list[float]:
    """The share, by position, of the rows with a counted token there for which `right` [N, T] holds.

    The last position is the last that any row has.

    Example:
        >>> mask = np.array([[True, True, False], [True, False, False]])  # rows of two tokens and of one
        >>> share_by_position(np.array([[True, True, False], [False, True, False]]), mask)
        [0.5, 1.0]
    """
    counts = mask.sum(axis=0)
    return [float(share) for share in (right & mask).sum(axis=0)[counts > 0] / counts[counts > 0]]


def _chunks(tokens: AnyTokens, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Rows, some at a time: which ones, and their tokens on a device, int64, by which torch looks things up."""
    size = CHUNK_ON_GPU if device.type == "cuda" else CHUNK
    for first in range(0, len(tokens), size):
        rows = slice(first, first + size)
        yield rows, torch.tensor(tokens[rows], dtype=torch.int64, device=device)
