"""The networks of a run, and its discriminator as a scorer for agents."""

from rlgan.errors import RunError
from rlgan.learning.weights import load
from rlgan.task import LoadedRun
from rlgan.text.assembly import rollout_settings, text_networks
from rlgan.text.methods.method import find_method
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.sampling import vocabulary_of
from rlgan.text.scorer import DiscriminatorScorer, UniformScorer
from rlgan.text.text_scorer import TextScorer


def networks_of(run: LoadedRun) -> tuple[TextGenerator, TextDiscriminator]:
    """Both networks of a run, with fresh weights."""
    networks = text_networks(run.settings, vocabulary_of(run))
    return TextGenerator(networks), TextDiscriminator(networks)


def scorer_of(run: LoadedRun) -> TextScorer:
    """The trained discriminator of a run, on the CPU.

    Raises:
        RunError: the run trained none.
    """
    method = run.settings.method
    if not find_method(method).adversarial:
        raise RunError(f"{run.path} was trained by --method {method}, which trains no discriminator: give another run")
    words = vocabulary_of(run)
    _, discriminator = networks_of(run)
    load(discriminator, run.weights.discriminator)
    settings = rollout_settings(run.settings, words)
    # In training log G is subtracted from what such a discriminator says: by itself it is of no scale.
    kind = UniformScorer if discriminator.form.reads_policy else DiscriminatorScorer
    return TextScorer(kind(discriminator.eval()), words, settings.length, settings.stop_token)
