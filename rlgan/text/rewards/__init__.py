"""Reward rules: what the discriminator's log-odds make of a token.

A rule is a function `(log_odds, log_odds_before) -> rewards` of arrays of any shape, elementwise, numpy arrays and
torch tensors alike: the log-odds after the token, and those before it (0 before the first). The rules that are built in
belong to the environment, which pays them: see `envs.rewards`. One of your own is named from outside, as in
`--reward package.module:hinge`:

    def hinge(log_odds, log_odds_before):
        return log_odds.clip(-1, 1)

The table names objects as strings: reading it imports nothing.
"""

REWARD_RULES = {
    name: f"envs.rewards:{name}"
    for name in ("probability", "log_probability", "centred", "log_odds", "density_ratio", "token_ratio")
}
# Those that are never negative, so that they can be weights.
POSITIVE_REWARDS = ("probability", "density_ratio", "token_ratio")
