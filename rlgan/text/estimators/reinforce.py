"""REINFORCE: the sampled tokens alone."""

from rlgan.learning.loss import Loss
from rlgan.text.estimators.estimator import Judge, Policy, RolloutTensors, baseline_losses
from rlgan.text.losses import policy_gradient
from rlgan.text.settings import EstimatorSettings, RewardSettings


class Reinforce:
    """Minus the mean of log G(y_t | Y_0:t-1) * advantage_t over the sampled tokens; the paper's (section 4.1).

    Example:
        >>> import torch
        >>> from types import SimpleNamespace  # stand-ins, with what is read
        >>> policy = SimpleNamespace(log_probs=torch.tensor([[-0.5]]), weigh=lambda q_values: (q_values - 1, None))
        >>> rollout = SimpleNamespace(q_values=torch.tensor([[5.0]]), mask=torch.tensor([[True]]))
        >>> Reinforce(EstimatorSettings(), RewardSettings()).loss(policy, rollout, judge=None).value  # 0.5 * (5 - 1)
        tensor(2.)
    """

    scores_all_tokens = False
    reads_rewards = True

    def __init__(self, policy: EstimatorSettings, rewards: RewardSettings) -> None: ...

    def loss(self, policy: Policy, rollout: RolloutTensors, judge: Judge) -> Loss:  # noqa: ARG002
        """The loss of a batch, from the rollouts' Q."""
        weights, baseline_loss = policy.weigh(rollout.q_values)
        value = policy_gradient(policy.log_probs, weights, rollout.mask)
        return Loss(value, {}, baseline_losses(baseline_loss))
