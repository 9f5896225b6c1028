"""The figures of Yala & Song, section 2, from runs of our own: trained here, drawn, and said in numbers."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from rlgan.device import prepare
from rlgan.gaussian import figures
from rlgan.gaussian.evaluation import EVALUATION_SAMPLES
from rlgan.gaussian.sampling import sample
from rlgan.gaussian.settings import GaussianSettings
from rlgan.gaussian.task import GaussianTask
from rlgan.task import FigureRequest, Say
from rlgan.types import Float, Metrics, Weights

# Iterations in which figure 4 trains D before G (section 2.3).
PRETRAINING = (0, 1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Trace:
    """A training, as the figures need it."""

    before: tuple[Float, Float]  # samples and D over figures.GRID, untrained
    after: tuple[Float, Float]
    metrics: list[Metrics]  # by iteration, pre-training left out


def trace(settings: GaussianSettings, device: str, say: Say) -> Trace:
    """Train in this process, to the bits that `rlgan train` comes to, and keep what a figure shows."""
    # The CPU unless asked otherwise: the paper's recipe is chaotic under rounding, and another order of summing draws
    # another figure.
    where = prepare(device)
    task = GaussianTask(settings)
    learner, evaluator, schedule = task.learner(where), task.evaluator(where), task.schedule

    def look(weights: Weights) -> tuple[Float, Float]:
        made = sample(settings, weights, EVALUATION_SAMPLES, settings.seed, where)[:, 0]
        return made, evaluator.curve(weights)

    before = look(learner.evaluated_weights())
    metrics = [learner.update(step, schedule.plan(step), []) for step in range(schedule.steps(1.0))]
    weights = learner.evaluated_weights()
    say(f"{title(settings)}: {task.reporter.summary(evaluator.evaluate(weights))[0]}")
    # While D is pre-trained, G is not updated and has no value to draw.
    return Trace(before, look(weights), metrics[settings.pretraining :])


def figure2(request: FigureRequest) -> None:
    """Density and D, before and after training: a pair of panels for each recipe."""
    panels: dict[str, tuple[Float, Float]] = {}
    for recipe in _recipes(request):
        seen = trace(recipe, request.device, request.say)
        panels |= {f"{title(recipe)}, before": seen.before, f"{title(recipe)}, after": seen.after}
    _save(figures.densities(panels), request.out)


def figure3(request: FigureRequest) -> None:
    """What both players make of the game, by iteration: a panel for each recipe."""
    panels = {}
    for recipe in _recipes(request):
        seen = trace(recipe, request.device, request.say).metrics
        values = tuple([step[f"value_{player}"] for step in seen] for player in ("generator", "discriminator"))
        panels[title(recipe)] = (values[0], values[1])
    _save(figures.losses(panels), request.out)


def figure4(request: FigureRequest) -> None:
    """Density and D at the end of the chosen recipe, by the iterations of pre-training D."""
    panels = {}
    for pretraining in PRETRAINING:
        recipe = dataclasses.replace(request.chosen, pretraining=pretraining)
        panels[title(recipe)] = trace(recipe, request.device, request.say).after
    _save(figures.densities(panels), request.out)


def title(settings: GaussianSettings) -> str:
    """A recipe in some words."""
    pretrained = f", D pre-trained {settings.pretraining:,}" if settings.pretraining else ""
    return f"{settings.preset}, seed {settings.seed}{pretrained}"


def _recipes(request: FigureRequest) -> list[GaussianSettings]:
    """The paper's recipe, and beside it the one that was asked for where that is another."""
    return [request.paper] if request.chosen == request.paper else [request.paper, request.chosen]


def _save(figure: Figure, out: Path) -> None:
    figure.savefig(out, dpi=100)
