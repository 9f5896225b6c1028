"""Presets of text: the recipe of the paper, the best that we have for each method, and what follows from a recipe."""

from rlgan.errors import UsageError
from rlgan.settings import differences, flatten, resolve, updated
from rlgan.task import Bounds
from rlgan.text.estimators import WEIGHTED_ESTIMATORS
from rlgan.text.methods import METHODS
from rlgan.text.settings import OF_THE_DISCRIMINATOR, TextSettings

# Where the paper is silent, the defaults of the fields are its recipe; docs/text.md says what was chosen and why.
PAPER = TextSettings(preset="paper")
BEST = updated(
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
BEST_REINFORCE = updated(
    BEST,
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
# With a structured discriminator, forward KL goes to softmax(f), and expected log-odds are the reverse KL.
BEST_STRUCTURED = updated(
    BEST, {"discriminator_form": "structured", "reward": "log_odds", "discriminator_learning_rate": 3e-3}
)
BEST_STRUCTURED_REINFORCE = updated(
    BEST_STRUCTURED,
    {"estimator": "reinforce", "weighting": "expected", "baseline": "expected", "reward_limit": 5.0},
)
BEST_SCORER = updated(
    BEST_REINFORCE,
    {
        # A scorer from outside says what it says of the whole text so far, or of one token: this reward suits both.
        "reward": "probability",
        # A scorer does not follow the generator as a discriminator does, so that without it one text takes all.
        "entropy_bonus": 0.3,
    },
)
BEST_MLE = updated(PAPER, {"preset": "best", "generator_ema_decay": 0.99})


# What `best` is for methods and for estimators that have a recipe of their own.
BEST_OF_METHOD = {"mle": BEST_MLE}
BEST_OF_ESTIMATOR = {"reinforce": BEST_REINFORCE}
BEST_STRUCTURED_OF_ESTIMATOR = {"reinforce": BEST_STRUCTURED_REINFORCE}
# Three minutes of two cores with all that comes before and after.
BOUNDS_OF_DATA = {"stories": Bounds(steps=800, minutes=2.4)}


def preset_of(typed: TextSettings) -> TextSettings:
    """The recipe that the typed preset has for the typed method; the best has one for each estimator."""
    of_estimator, other = (
        (BEST_STRUCTURED_OF_ESTIMATOR, BEST_STRUCTURED) if typed.structured else (BEST_OF_ESTIMATOR, BEST)
    )
    if typed.rewards.scorer is not None:
        _check_no_discriminator(typed)
        of_estimator, other = {}, BEST_SCORER
    # By method before estimator: maximum likelihood has no estimator, whatever the field holds.
    best = BEST_OF_METHOD.get(typed.method, of_estimator.get(typed.policy.estimator, other))
    preset = {"paper": PAPER, "best": best}[typed.preset]
    return updated(preset, {"method": typed.method})


def _check_no_discriminator(typed: TextSettings) -> None:
    """Check that nothing was typed of a discriminator, which a scorer takes the place of.

    Raises:
        UsageError: it was.
    """
    # What is typed holds over `BEST`, the defaults of the command line: there the two differ.
    others = tuple(name for name in flatten(typed) if name not in OF_THE_DISCRIMINATOR)
    if typed_of_it := differences(BEST, typed, ignored=others):
        flag = typed_of_it[0].partition(" ")[0]
        raise UsageError(f"{flag} with --scorer {typed.rewards.scorer}: no discriminator learns, so leave it out")


def labels_of(settings: TextSettings) -> dict[str, str]:
    """What every result of a run says of its recipe: the choices that count in its method."""
    labels = {"preset": settings.preset, "method": settings.method}
    if not resolve(settings.method, METHODS).adversarial:
        return labels
    if settings.rewards.scorer is not None:
        labels["scorer"] = settings.rewards.scorer
    labels["estimator"] = settings.policy.estimator
    if settings.policy.estimator in WEIGHTED_ESTIMATORS:
        labels["weighting"] = settings.policy.weighting
    if settings.structured:
        discriminator = settings.discriminator
        labels |= {"discriminator_form": discriminator.discriminator_form, "negatives": discriminator.negatives}
    return labels | {"reward": settings.rewards.reward, "reward_control": settings.rewards.reward_control}


def bounds_of(settings: TextSettings) -> Bounds:
    """Without a bound: a short look at the stories, also on a slow machine; an epoch of anything else."""
    return BOUNDS_OF_DATA.get(settings.corpus.data, Bounds(epochs=1))
