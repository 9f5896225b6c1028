"""REINFORCE: the sampled tokens alone."""

from rlgan.learning.loss import Loss
from rlgan.text.estimators.estimator import Judge, Policy, RolloutTensors, baseline_losses
from rlgan.text.losses import policy_gradient
from rlgan.text.settings import EstimatorSettings, RewardSettings


class Reinforce:
    """Minus the mean of log G(y_t | Y_0:t-1) * advantage_t over the sampled tokens; the paper's (section 4.1)."""

    scores_all_tokens = False
    reads_rewards = True

    def __init__(self, policy: EstimatorSettings, rewards: RewardSettings) -> None: ...

    def loss(self, policy: Policy, rollout: RolloutTensors, judge: Judge) -> Loss:  # noqa: ARG002
        """The loss of a batch, from the rollouts' Q."""
        weights, baseline_loss = policy.weigh(rollout.q_values)
        value = policy_gradient(policy.log_probs, weights, rollout.mask)
        return Loss(value, {}, baseline_losses(baseline_loss))
