"""Reward controls: rewards that carry no information, to compare a gain with.

A control is a `rlgan.text.controls.control.RewardControl`: a function of the rewards of either estimator, numpy arrays
or torch tensors, and whether a discriminator is asked at all, and which. `CONTROLS` has those that are built in; one of
your own is named from outside, as in `--reward-control package.module:NEGATED`:

    NEGATED = RewardControl(lambda rewards, mask, rng: -rewards)

The table names objects as strings: reading it imports nothing.
"""

CONTROLS = {
    "none": "rlgan.text.controls.control:NONE",
    "constant": "rlgan.text.controls.control:CONSTANT",
    "shuffled": "rlgan.text.controls.shuffled:SHUFFLED",
    "random_discriminator": "rlgan.text.controls.control:RANDOM_DISCRIMINATOR",
}
# Those that need several sequences in a shard.
COMPARING_CONTROLS = ("shuffled",)
