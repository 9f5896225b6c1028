"""Returns: what a token is worth together with what comes after it.

A return is a function `(rewards, mask, discount) -> Q`, numpy float32 [B, T] each but for the mask, which is bool: true
where a token was chosen. Rewards are 0 where it is not, and so must Q be. `RETURNS` has those that are built in; one of
your own is named from outside, as in `--returns package.module:total`:

    def total(rewards, mask, discount):  # every token is worth the whole sequence
        return rewards.sum(axis=1, keepdims=True) * mask

The table names objects as strings: reading it imports nothing.
"""

RETURNS = {"discounted": "rlgan.text.returns.discounted:discounted_q"}
