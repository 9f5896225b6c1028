"""Where a structured discriminator's negative examples come from.

Negatives are a `rlgan.text.negatives.negatives.Negatives`: a weight for each of the two kinds.

- Rollouts: the tokens that the generator wrote, after prefixes that it wrote.
- Conditional: at each prefix of a real window, every token y, weighed by G(y | prefix, z). Nothing is sampled, and the
  best f is log p_real(y | prefix) for any G and z.

`NEGATIVES` has the mixtures that are built in; one of your own is named from outside, as in
`--negatives package.module:MOSTLY_ROLLOUTS`:

    MOSTLY_ROLLOUTS = Negatives(rollouts=0.9, conditional=0.1)

The table names objects as strings: reading it imports nothing.
"""

NEGATIVES = {
    "rollouts": "rlgan.text.negatives.negatives:ROLLOUTS",
    "conditional": "rlgan.text.negatives.negatives:CONDITIONAL",
    "both": "rlgan.text.negatives.negatives:BOTH",
}
# Those that need no structured form.
PLAIN_NEGATIVES = ("rollouts",)
