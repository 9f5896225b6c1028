"""What a run has: its words, its networks, and its discriminator as a scorer for agents."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from envs import Scorer
from rlgan.errors import RunError, UsageError
from rlgan.learning.weights import load
from rlgan.task import LoadedRun, ScorerForm
from rlgan.text.assembly import rollout_settings, text_networks
from rlgan.text.corpora.layouts import find_layout
from rlgan.text.corpora.token_kinds import find_token_kind
from rlgan.text.methods.method import find_method
from rlgan.text.models.discriminator import TextDiscriminator
from rlgan.text.models.generator import TextGenerator
from rlgan.text.scorer import DiscriminatorScorer, TrainingScorer, UniformScorer
from rlgan.text.text_scorer import TextScorer
from rlgan.text.vocabulary import END


def vocabulary_of(run: LoadedRun) -> tuple[str, ...]:
    """The words of a run.

    Raises:
        RunError: they are not those of the checkpoint's networks.
    """
    words = run.read_words()
    # The bias of the output has a number for each word, whatever the core is.
    due = len(run.weights.generator["output.bias"])
    ends = END in words or not find_layout(run.settings.corpus.layout).ends_with_eos
    if len(words) != due or len(words) != len(set(words)) or not ends:
        different = "" if len(words) == len(set(words)) else f", {len(set(words))} of them different,"
        has = f"{len(words)} words{different}" if ends else f"no {END}"
        raise RunError(
            f"{run.path}/vocabulary.json has {has} and does not fit the networks of checkpoint {run.step}, which know "
            f"{due}: put the run's own back"
        )
    return words


def networks_of(run: LoadedRun) -> tuple[TextGenerator, TextDiscriminator]:
    """Both networks of a run, with fresh weights."""
    networks = replace(text_networks(run.settings, vocabulary_of(run)), precision="float32")
    return TextGenerator(networks), TextDiscriminator(networks)


def scorer_of(run: LoadedRun, form: str) -> TextScorer:
    """The trained discriminator of a run, on the CPU.

    Args:
        run: the run.
        form: a key of `SCORER_FORMS`, for a discriminator whose log-odds need a policy; others have one form.

    Raises:
        RunError: the run trained none.
        UsageError: there is no such form.
    """
    if form not in SCORER_FORMS:
        raise UsageError(f"form is {form!r}: give one of {', '.join(SCORER_FORMS)}")
    method = run.settings.method
    if not find_method(method).adversarial:
        raise RunError(f"{run.path} was trained by --method {method}, which trains no discriminator: give another run")
    if run.settings.rewards.scorer:
        raise RunError(
            f"{run.path} was trained by --scorer {run.settings.rewards.scorer}, in whose presence no discriminator "
            "learns: take that scorer itself"
        )
    words = vocabulary_of(run)
    generator, discriminator = networks_of(run)
    load(discriminator, run.weights.discriminator)
    # The generator that wrote in training, not the average of its weights.
    load(generator, run.weights.raw or run.weights.generator)
    settings = rollout_settings(run.settings, words)
    make: ScorerMaker = SCORER_FORMS[form] if discriminator.form.reads_policy else _plain
    scorer = make(discriminator.eval(), generator.eval())
    kind = find_token_kind(run.settings.corpus.tokens)
    return TextScorer(scorer, words, settings.length, settings.stop_token, kind.split, kind.join)


ScorerMaker: TypeAlias = Callable[[TextDiscriminator, TextGenerator], Scorer]


def _plain(discriminator: TextDiscriminator, _: TextGenerator) -> Scorer:
    return DiscriminatorScorer(discriminator)


def _uniform(discriminator: TextDiscriminator, _: TextGenerator) -> Scorer:
    return UniformScorer(discriminator)


# What stands in the place of log G, which in training is subtracted from what such a discriminator says.
SCORER_FORMS: dict[ScorerForm, ScorerMaker] = {
    "uniform": _uniform,
    "training": TrainingScorer,
}
