"""Forms of the discriminator: what its log-odds are made of.

A form is a `rlgan.text.forms.form.DiscriminatorForm`. Its log-odds come from f, what the network itself gives for a
token, and, where the form reads the policy, from log G, the log-probability that the generator gave that token.

- `plain`: the log-odds are f, and belong to the whole sequence so far.
- `structured`: they are f(y | prefix) - log G(y | prefix, z), and belong to the one token y (Finn et al. 2016; AIRL, Fu
  et al. 2018). The best f does not move with G where the negatives are conditional, and little where they are rollouts:
  softmax(f) is a language model, which noise-contrastive estimation would learn (Gutmann & Hyvarinen 2010) with an
  adversary for noise (Gao et al. 2020, flow contrastive estimation). A generator that follows softmax(f) by its own
  samples is akin to CoT (Lu et al. 2019) and MaliGAN (Che et al. 2017).
- `mediator`: CoT itself (Lu et al. 2019, cooperative training), which has no adversary. f is learned by likelihood on
  real and generated rows in equal parts, so that softmax(f) = M is their mixture; f - log G is log M - log G up to a
  constant of the prefix, and a generator that maximises its expectation minimises sum_y G(y) (log G(y) - log M(y)).

`FORMS` has those that are built in; one of your own is named from outside, as in
`--discriminator-form package.module:HALF`:

    HALF = DiscriminatorForm(lambda scores, log_probs: scores - log_probs / 2, reads_policy=True)

The table names objects as strings: reading it imports nothing.
"""

FORMS = {
    "plain": "rlgan.text.forms.form:PLAIN",
    "structured": "rlgan.text.forms.form:STRUCTURED",
    "mediator": "rlgan.text.forms.form:MEDIATOR",
}
# Those whose log-odds belong to one token, given what the generator says of it.
STRUCTURED_FORMS = ("structured", "mediator")
# Those whose network learns by likelihood, and has no negative examples.
MEDIATING_FORMS = ("mediator",)
