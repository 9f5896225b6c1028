"""Random numbers by name: every draw of a run comes from a counter-based stream with a key of its own.

Nothing here has state, so every process that asks for a stream, however often, gets the same numbers: that is what
makes a rollout a pure function of its key.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for; the first part of its key, so that no two uses ever share numbers."""

    # A number stays with its purpose for ever: with another one, an old run could not be repeated.
    INITIALISE = 0
    REAL = 1
    ROLLOUT = 2
    CONTROL = 3
    LEARNER = 4
    EVALUATION = 5
    STORIES = 6
    ORACLE = 7
    FACES = 8
    SPLIT = 9


def stream(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """Give the stream of (seed, purpose, key): Philox, counter-based, the same on every machine.

    Args:
        seed: of the run, not negative.
        purpose: what it is for.
        key: what it is for more closely, e.g. (step, draw, shard); not negative.

    Example:
        >>> stream(0, Purpose.ROLLOUT, 1).random() == stream(0, Purpose.ROLLOUT, 1).random()
        True
        >>> stream(0, Purpose.ROLLOUT, 1).random() == stream(0, Purpose.ROLLOUT, 1, 0).random()
        False
    """
    # As a spawn key, keys of different lengths differ; as plain entropy, (1,) and (1, 0) would be the same.
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(purpose, *key))))


def torch_seed(seed: int, purpose: Purpose, *key: int) -> int:
    """Give a 63-bit seed for a `torch.Generator` out of the same keys.

    Example:
        >>> torch_seed(0, Purpose.LEARNER, 1) == torch_seed(0, Purpose.LEARNER, 1)
        True
        >>> all(torch_seed(0, Purpose.LEARNER, step) < 2**63 for step in range(9))  # what torch takes at most
        True
    """
    # 63 bits, since numpy draws signed numbers of 64 unless told otherwise.
    return int(stream(seed, purpose, *key).integers(2**63))
