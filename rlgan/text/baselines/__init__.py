"""Baselines: what is subtracted from Q to reduce the variance of the policy gradient.

A baseline is a `rlgan.text.baselines.baseline.Baseline`. It is made by `(settings, networks, group)`, a
`BaselineSettings`, a `TextNetworks` and the `Group` of learners that share every batch, and has one method,
`advantage(q_values, mask, states) -> (advantages, loss or None)`. One that keeps or learns something from step to step
is a `torch.nn.Module`: its tensors are saved with every checkpoint, and the loss that it gives trains its parameters.

`BASELINES` has those that are built in; one of your own is named from outside, as in
`--baseline package.module:MeanOfTheBatch`:

    class MeanOfTheBatch:
        def __init__(self, settings, networks, group):
            self.group = group

        def advantage(self, q_values, mask, states):
            return (q_values - self.group.masked_mean(q_values, mask)) * mask, None

The table names objects as strings: reading it imports nothing.
"""

BASELINES = {
    "none": "rlgan.text.baselines.none:NoBaseline",
    "leave_one_out": "rlgan.text.baselines.leave_one_out:LeaveOneOut",
    "moving_average": "rlgan.text.baselines.moving_average:moving_average",
    "per_position": "rlgan.text.baselines.moving_average:per_position",
    "learned": "rlgan.text.baselines.learned:LearnedBaseline",
    "expected": "rlgan.text.baselines.leave_one_out:LeaveOneOut",  # of what comes after the token
}
# Those that compare a sequence with the others of its update.
COMPARING_BASELINES = ("leave_one_out",)
# Those in which the reward of a token itself is centred by its expectation under the generator's next-token
# distribution, which the discriminator's scores of all tokens give; the baseline sees later tokens' rewards alone.
EXPECTING_BASELINES = ("expected",)
