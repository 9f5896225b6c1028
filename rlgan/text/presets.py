"""Presets of text: the recipe of the paper, the best that we have for each method, and what follows from a recipe."""

from collections.abc import Collection
from typing import Any

from rlgan.errors import UsageError
from rlgan.settings import all_settings, resolve, updated
from rlgan.task import Bounds
from rlgan.text.estimators import POSITIVE_WEIGHTINGS, WEIGHTED_ESTIMATORS, weightings_of
from rlgan.text.methods import METHODS
from rlgan.text.rewards import POSITIVE_REWARDS
from rlgan.text.settings import OF_THE_DISCRIMINATOR, TextSettings

# Where the paper is silent, the defaults of the fields are its recipe; docs/text.md says what was chosen and why.
PAPER = TextSettings(preset="paper")

# A discriminator that does not know the generator.
PLAIN = updated(
    TextSettings(),
    {
        "estimator": "all_tokens",
        "weighting": "forward_kl",
        "reward": "density_ratio",
        "discount": 0.0,
        # With more momentum, or with a slower discriminator, the generator oscillates.
        "adam_beta1": 0.5,
        "generator_learning_rate": 1e-3,
        "discriminator_learning_rate": 4e-3,
        # Against learning the training text by heart.
        "discriminator_dropout": 0.5,
        "discriminator_word_dropout": 0.2,
        "generator_ema_decay": 0.99,
    },
)
PLAIN_REINFORCE = updated(
    PLAIN,
    {
        "estimator": "reinforce",
        "weighting": "expected",
        # What D thinks of the words before is paid at those words, and does not hide what this one changes.
        "reward": "token_ratio",
        "discount": 0.3,
        "baseline": "leave_one_out",
        "normalise_advantages": True,
        "importance_limit": 2.0,
        "discriminator_learning_rate": 8e-3,
    },
)

# A structured discriminator, whose log-odds take any limit off: forward KL goes to softmax(f).
STRUCTURED = updated(PLAIN, {"discriminator_form": "structured", "reward": "log_odds"})
# Of a large vocabulary, with and without an adversary: ten passes over a text, such as the Penn Treebank's.
TEN_PASSES = {
    "preset_for": "large",
    "generator_learning_rate": 2e-3,
    "generator_ema_decay": 0.995,
    "decay": "cosine",
    "decay_epochs": 10.0,
}
BEST_FOR: dict[str, dict[str, Any]] = {
    # Of text that hardly repeats in a run, where dropout only slows the discriminator.
    "small": {
        "preset_for": "small",
        "negatives": "conditional",
        "generator_learning_rate": 3e-3,
        "discriminator_learning_rate": 3e-3,
        "discriminator_dropout": 0.0,
        "discriminator_word_dropout": 0.0,
    },
    "large": {
        **TEN_PASSES,
        "batch_size": 128,
        "negatives": "both",
        "discriminator_learning_rate": 3e-3,
        # With twice as much it takes ten epochs for what it has learned with this after three.
        "discriminator_dropout": 0.25,
        "discriminator_word_dropout": 0.1,
    },
}
# The reward of the sampled token, centred by what was to be expected; what comes later would only add noise.
REINFORCE = {
    "estimator": "reinforce",
    "weighting": "expected",
    "baseline": "expected",
    "reward_limit": 5.0,
    "importance_limit": 2.0,
}
REINFORCE_FOR: dict[str, dict[str, Any]] = {
    "small": {"entropy_bonus": 0.1},
    # More rollouts are what brings its variance down, and let the generator learn faster.
    "large": {"entropy_bonus": 0.02, "rollouts": 512, "generator_learning_rate": 4e-3},
}

# Of a large vocabulary, where likelihood teaches beside the adversary: less dropout than of likelihood alone, since the
# policy gradient does a part of what keeps G from learning the text by heart; and as many steps.
MIXED: dict[str, Any] = {"batch_size": 64, "generator_dropout": 0.1}
BESIDE_LIKELIHOOD: dict[str, dict[str, Any]] = {
    "mixedgan": MIXED,
    # Not down to 0, where G goes to what D knows, which is less than likelihood beside it has taught.
    "curriculum": MIXED | {"curriculum": ((0.0, 1.0), (5.0, 0.5))},
}

SCORER = updated(
    PLAIN_REINFORCE,
    {
        # A scorer from outside says what it says of the whole text so far, or of one token: this reward suits both.
        "reward": "probability",
        # A scorer does not follow the generator as a discriminator does, so that without it one text takes all.
        "entropy_bonus": 0.3,
    },
)
MLE = updated(PAPER, {"preset": "best", "generator_ema_decay": 0.99})
MLE_FOR: dict[str, dict[str, Any]] = {
    "small": {"preset_for": "small", "generator_learning_rate": 3e-3},
    # With the dropout it learns nothing by heart.
    "large": {**TEN_PASSES, "generator_dropout": 0.25},
}
# What `best` is where nothing is typed; `preset_for` stays open, so that it is seen whether it is typed.
BEST = updated(STRUCTURED, BEST_FOR["small"] | {"preset_for": None})

# Three minutes of two cores with all that comes before and after. A pass over a small text may be five steps.
BOUNDS_OF_SMALL = Bounds(steps=800, minutes=2.4)


def preset_of(typed: TextSettings) -> TextSettings:
    """The recipe that the typed preset has for what is typed beside it.

    The best depends on method, estimator, form of the discriminator and reward, and on the vocabulary.

    Example:
        >>> preset_of(TextSettings(preset="paper")) == PAPER
        True
        >>> [preset_of(TextSettings(method="mle", preset_for=size)).rate_decay.decay for size in ("small", "large")]
        ['none', 'cosine']
    """
    preset = PAPER if typed.preset == "paper" else _weighing(_best_of(typed), typed.rewards.reward)
    return updated(preset, {"method": typed.method})


def _weighing(preset: TextSettings, reward: str) -> TextSettings:
    """A preset with a weighting that takes the rewards of a rule, also where they may be negative."""
    takes_any_sign = weightings_of(reward).get(preset.policy.weighting) not in POSITIVE_WEIGHTINGS
    return preset if takes_any_sign or reward in POSITIVE_REWARDS else updated(preset, {"weighting": "expected"})


def _best_of(typed: TextSettings) -> TextSettings:
    if typed.rewards.scorer is not None:
        return SCORER
    sampled, mle = typed.policy.estimator == "reinforce", typed.method == "mle"
    if not typed.structured and not mle:
        return PLAIN_REINFORCE if sampled else PLAIN
    size = typed.preset_for or _size_of(typed)
    # Whatever the other fields hold: maximum likelihood has no estimator and no discriminator.
    if mle:
        return updated(MLE, MLE_FOR[size])
    of_the_method = BESIDE_LIKELIHOOD.get(typed.method, {}) if size == "large" else {}
    return updated(STRUCTURED, BEST_FOR[size] | of_the_method | (REINFORCE | REINFORCE_FOR[size] if sampled else {}))


def check_typed(typed: TextSettings, names: Collection[str]) -> None:
    """Check that nothing was typed of a discriminator where a scorer takes its place.

    Args:
        typed: the settings.
        names: of those that were typed, whatever their values.

    Raises:
        UsageError: it was.
    """
    if typed.rewards.scorer is None:
        return
    for setting in all_settings(TextSettings):
        if setting.name in OF_THE_DISCRIMINATOR.intersection(names):
            scorer = f"--scorer {typed.rewards.scorer}"
            raise UsageError(f"{setting.flag} with {scorer}: no discriminator learns, so leave it out")


def _size_of(typed: TextSettings) -> str:
    """Which vocabulary the data has, small or large."""
    # Late: it may read the data.
    from rlgan.text.corpora.size import is_large

    return "large" if is_large(typed.corpus) else "small"


def labels_of(settings: TextSettings) -> dict[str, str]:
    """What every result of a run says of its recipe: the choices that count in its method."""
    labels = {"preset": settings.preset, "method": settings.method}
    if settings.preset_for is not None:
        labels["preset_for"] = settings.preset_for
    if not resolve(settings.method, METHODS).adversarial:
        return labels
    if settings.rewards.scorer is not None:
        labels["scorer"] = settings.rewards.scorer
    labels["estimator"] = settings.policy.estimator
    if settings.policy.estimator in WEIGHTED_ESTIMATORS:
        labels["weighting"] = settings.policy.weighting
    discriminator = settings.discriminator
    if discriminator.discriminator_form != "plain":
        labels |= {"discriminator_form": discriminator.discriminator_form, "negatives": discriminator.negatives}
    return labels | {"reward": settings.rewards.reward, "reward_control": settings.rewards.reward_control}


def bounds_of(settings: TextSettings) -> Bounds:
    """Without a bound: a short look where the vocabulary is small, also on a slow machine; else an epoch."""
    # `best` has said which it is; to find out may take the whole text.
    size = settings.preset_for or _size_of(settings)
    return BOUNDS_OF_SMALL if size == "small" else Bounds(epochs=1)
