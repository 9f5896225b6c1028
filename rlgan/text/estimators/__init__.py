"""Estimators of the policy gradient.

An estimator is a `rlgan.text.estimators.estimator.Estimator`. It is made by `(policy, rewards)`, an `EstimatorSettings`
and a `RewardSettings`, and has

- `scores_all_tokens`: whether it asks the judge, and so needs a discriminator that scores every next token;
- `reads_rewards`: whether it reads the rewards and Q of the rollouts; where it does not, workers compute none;
- `loss(policy, rollout, judge)`: what the generator minimises.

The policy is the generator as it is now on that batch; `policy.weigh(q_values)` subtracts the baseline and gives what
each sampled choice is weighed with. `ESTIMATORS` has those that are built in; one of your own is named from outside, as
in `--estimator package.module:Greedy`:

    class Greedy:  # imitates the better half of the tokens
        scores_all_tokens, reads_rewards = False, True

        def __init__(self, policy, rewards): ...

        def loss(self, policy, rollout, judge):
            weights, baseline_loss = policy.weigh(rollout.q_values)
            value = policy_gradient(policy.log_probs, (weights > 0).float(), rollout.mask)
            return Loss(value, {}, baseline_losses(baseline_loss))

`all_tokens` has a weighting, a function `(log_probs, rewards, mask) -> loss` of [b, T, V], [b, T, V] and [b, T]:
`WEIGHTINGS`, or `--weighting package.module:function`. It is given some rows b of the batch at a time, and must be a
mean over b * T places of what depends on each place alone.

The tables name objects as strings: reading them imports nothing.
"""

ESTIMATORS = {
    "reinforce": "rlgan.text.estimators.reinforce:Reinforce",
    "all_tokens": "rlgan.text.estimators.all_tokens:AllTokens",
}
WEIGHTINGS = {
    "expected": "rlgan.text.estimators.weightings:expected_reward",
    "forward_kl": "rlgan.text.estimators.weightings:forward_kl",
}
# Reward rules that give logarithms, and weightings that take these in place of those of the same names.
LOG_REWARDS = ("log_odds",)
LOG_WEIGHTINGS = {"forward_kl": "rlgan.text.estimators.weightings:forward_kl_of_log_odds"}
# Estimators that have a weighting, and what implements weightings whose rewards must not be negative.
WEIGHTED_ESTIMATORS = ("all_tokens",)
POSITIVE_WEIGHTINGS = (WEIGHTINGS["forward_kl"],)


def weightings_of(reward: str) -> dict[str, str]:
    """The table of weightings for the rewards of a rule.

    Example:
        >>> weightings_of("log_odds")["forward_kl"], weightings_of("centred")["forward_kl"] in POSITIVE_WEIGHTINGS
        ('rlgan.text.estimators.weightings:forward_kl_of_log_odds', True)
    """
    return WEIGHTINGS | (LOG_WEIGHTINGS if reward in LOG_REWARDS else {})
