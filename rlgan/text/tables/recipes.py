"""The recipes of the table `scratch`, in words of `rlgan train`. Imports no torch."""

# Every row with its flags. What a preset has is left to it; ScratchGAN's recipe stands on the paper's preset, of which
# nothing is chosen by us.
SCRATCH_ROWS = {
    "mle": ("--method", "mle"),
    "policygan": ("--method", "policygan", "--estimator", "all_tokens"),
    "reinforce": ("--method", "policygan", "--estimator", "reinforce"),
    # De Masson d'Autume et al. 2019, from its source: without its layer norm, position features, L2 penalty of 1e-6 and
    # pre-trained embeddings, for which there are no settings here.
    "scratchgan": (
        "--preset", "paper", "--method", "policygan", "--estimator", "reinforce", "--batch-size", "512",
        "--reward", "centred", "--discount", "0.23", "--baseline", "moving_average", "--baseline-decay", "0.08",
        "--adam-beta1", "0.5", "--discriminator-learning-rate", "9.4e-3", "--generator-learning-rate", "9.6e-5",
        "--discriminator-dropout", "0.1",
    ),
    # CoT, Lu et al. 2019: the divergence from M at the prefixes that G wrote, over all tokens.
    "mediator": (
        "--method", "policygan", "--discriminator-form", "mediator", "--negatives", "rollouts", "--estimator",
        "all_tokens", "--weighting", "expected", "--reward", "log_odds", "--reward-limit", "0", "--discount", "0",
    ),
    "shuffled": ("--method", "policygan", "--estimator", "all_tokens", "--reward-control", "shuffled"),
}  # fmt: skip
