"""Reward rules: functions from a scorer's log-odds to the reward of a token, on numpy arrays and torch tensors alike.

A rule takes the log-odds after the token and those before it, arrays of any shape that broadcast together, and
returns the rewards in the same namespace, data type and device. Before the first token the log-odds are 0: nothing
is read, nothing is known. To add a rule, pass a function where the name of a rule is asked for, or add it to
`REWARD_RULES`.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from envs.arrays import Array, namespace

RewardRule: TypeAlias = Callable[[Array, Array], Array]

# exp(log-odds) estimates how much likelier real text is; where the scorer is sure, it has no upper bound of its own.
LOG_DENSITY_RATIO_LIMIT = 5.0
# The same for one token: lower, since a single word that looks right is no more than a hint.
LOG_TOKEN_RATIO_LIMIT = 2.0


def probability(log_odds: Array, log_odds_before: Array) -> Array:
    """Return sigmoid(l), computed from its logarithm: precise where it is tiny, and without overflow.

    Example:
        >>> import numpy as np
        >>> probability(np.array([math.log(3), -1000.0]), np.zeros(2))  # odds of 3 to 1, and of next to nothing
        array([0.75, 0.  ])
    """
    return namespace(log_odds).exp(log_probability(log_odds, log_odds_before))


def log_probability(log_odds: Array, log_odds_before: Array) -> Array:  # noqa: ARG001 (every rule takes both)
    """Return log sigmoid(l) = -log(1 + exp(-l)).

    Example:
        >>> import numpy as np
        >>> log_probability(np.array([0.0, -1000.0]), np.zeros(2)).round(4).tolist()  # -log 2, and not log 0
        [-0.6931, -1000.0]
    """
    xp = namespace(log_odds)
    # An array, since torch's `logaddexp` takes no plain number.
    zero = xp.zeros((), dtype=log_odds.dtype, device=log_odds.device)
    return -xp.logaddexp(zero, -log_odds)


def centred(log_odds: Array, log_odds_before: Array) -> Array:  # noqa: ARG001
    """Return 2 sigmoid(l) - 1 = tanh(l / 2), in [-1, 1] (ScratchGAN, de Masson d'Autume et al. 2019).

    Example:
        >>> import numpy as np
        >>> centred(np.array([0.0, math.log(3), -1000.0]), np.zeros(3))  # probabilities of 1/2, 3/4 and 0
        array([ 0. ,  0.5, -1. ])
    """
    return namespace(log_odds).tanh(log_odds / 2)


def log_odds(log_odds: Array, log_odds_before: Array) -> Array:  # noqa: ARG001
    """Return the log-odds l themselves."""
    return log_odds


def density_ratio(log_odds: Array, log_odds_before: Array) -> Array:  # noqa: ARG001
    """Return exp(l), at most exp(LOG_DENSITY_RATIO_LIMIT): it estimates p_real(Y_0:t) / p_G(Y_0:t).

    Example:
        >>> import numpy as np
        >>> density_ratio(np.array([math.log(2), 1000.0]), np.zeros(2)).round(2)  # the limit is exp(5)
        array([  2.  , 148.41])
    """
    xp = namespace(log_odds)
    # Clipped before the exponential, which would be infinite where the scorer is very sure.
    return xp.exp(xp.clip(log_odds, None, LOG_DENSITY_RATIO_LIMIT))


def token_ratio(log_odds: Array, log_odds_before: Array) -> Array:
    """Return exp(l - l_before), at most exp(LOG_TOKEN_RATIO_LIMIT): how much likelier real text goes on so.

    exp(l) estimates p_real(Y_0:t) / p_G(Y_0:t), so this estimates p_real(y_t | Y_0:t-1) / p_G(y_t | Y_0:t-1).

    Example:
        >>> import numpy as np
        >>> after, before = np.array([math.log(6), 1000.0]), np.array([math.log(2), 0.0])
        >>> token_ratio(after, before).round(2)  # 6 / 2, and the limit exp(2)
        array([3.  , 7.39])
    """
    xp = namespace(log_odds)
    return xp.exp(xp.clip(log_odds - log_odds_before, None, LOG_TOKEN_RATIO_LIMIT))


REWARD_RULES: dict[str, RewardRule] = {
    "probability": probability,
    "log_probability": log_probability,
    "centred": centred,
    "log_odds": log_odds,
    "density_ratio": density_ratio,
    "token_ratio": token_ratio,
}


def reward_rule(rule: str | RewardRule) -> RewardRule:
    """Return the rule of that name, or the function itself where one is given.

    Raises:
        ValueError: if no rule has that name.

    Example:
        >>> import numpy as np
        >>> reward_rule("centred")(np.array([0.0]), np.array([0.0]))
        array([0.])
    """
    if not isinstance(rule, str):
        return rule
    if rule not in REWARD_RULES:
        names = ", ".join(REWARD_RULES)
        raise ValueError(f"Reward rule {rule!r} does not exist. Choose one of: {names}; or pass a function.")
    return REWARD_RULES[rule]


def limited(rule: str | RewardRule, limit: float) -> RewardRule:
    """Return a rule that clips the reward of each token to [-limit, limit].

    Args:
        rule: the name of a rule, or a rule.
        limit: the largest reward by its absolute value, positive and finite.

    Raises:
        ValueError: if no rule has that name, or the limit is not a positive number.

    Example:
        >>> import numpy as np
        >>> limited("log_odds", 5.0)(np.array([-9.0, 1.0, 7.0]), np.zeros(3))
        array([-5.,  1.,  5.])
    """
    if not 0 < limit < math.inf:
        raise ValueError(f"The limit {limit} of a reward is not a positive, finite number.")
    return partial(_clip, reward_rule(rule), limit)


def potential(rule: str | RewardRule, discount: float = 1.0) -> RewardRule:
    """Return a rule that pays what a token adds to another rule's value: discount * rule(l) - rule(l_before).

    The sum telescopes: after T tokens it is the value of the whole text less the value of the empty text,
    discount^T * rule(l_T) - rule(0), the rewards discounted alike (Ng, Harada & Russell 1999, section 3). A rule that
    reads the log-odds before the token, such as `token_ratio`, is given 0 for them.

    Args:
        rule: the name of a rule, or a rule.
        discount: in [0, 1], the agent's own.

    Raises:
        ValueError: if no rule has that name, or the discount is not in [0, 1].

    Example:
        >>> import numpy as np
        >>> potential("log_odds")(np.array([0.5, 2.0]), np.array([0.0, 0.5]))
        array([0.5, 1.5])
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"The discount {discount} is not in [0, 1].")
    return partial(_difference, reward_rule(rule), discount)


def _difference(rule: RewardRule, discount: float, log_odds: Array, log_odds_before: Array) -> Array:
    xp = namespace(log_odds)
    after = rule(log_odds, xp.zeros_like(log_odds))
    before = rule(log_odds_before, xp.zeros_like(log_odds_before))
    return discount * after - before


def _clip(rule: RewardRule, limit: float, log_odds: Array, log_odds_before: Array) -> Array:
    rewards = rule(log_odds, log_odds_before)
    return namespace(rewards).clip(rewards, -limit, limit)
