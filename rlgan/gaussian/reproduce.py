"""The figures of Yala & Song, section 2, from runs of our own: trained here, drawn, and said in numbers."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rlgan.device import prepare
from rlgan.drawing import save
from rlgan.gaussian import figures
from rlgan.gaussian.evaluation import EVALUATION_SAMPLES
from rlgan.gaussian.figures import Seen
from rlgan.gaussian.measures import summarise
from rlgan.gaussian.sampling import sample
from rlgan.gaussian.settings import GaussianSettings
from rlgan.gaussian.task import GaussianTask
from rlgan.task import FigureRequest, Tell
from rlgan.types import Float, Metrics, Weights

# Iterations in which figure 4 trains D before G (section 2.3).
PRETRAINING = (0, 1_000, 10_000, 100_000)
VALUES = ("value_generator", "value_discriminator")


@dataclass(frozen=True)
class Trace:
    """A training, as the figures need it."""

    before: Seen
    after: Seen
    values: Float  # [2, iterations] of VALUES, pre-training left out
    measures: Metrics  # of the end
    summary: str  # the same in words


def trace(settings: GaussianSettings, tell: Tell, device: str = "cpu") -> Trace:
    """Train in this process, to the bits that `rlgan train` comes to, and keep what a figure shows.

    Args:
        settings: the recipe.
        tell: is told which fraction is done.
        device: the CPU unless asked otherwise: the paper's recipe is chaotic under rounding, and another order of
            summing draws another figure.
    """
    where = prepare(device)
    task = GaussianTask(settings)
    learner, evaluator, schedule = task.learner(where), task.evaluator(where), task.schedule

    def look(weights: Weights) -> Seen:
        made = sample(settings, weights, EVALUATION_SAMPLES, settings.seed, where)[:, 0]
        return Seen(made, evaluator.curve(weights))

    before, values, steps = look(learner.evaluated_weights()), list[list[float]](), schedule.steps(1.0)
    for step in range(steps):
        metrics = learner.update(step, schedule.plan(step), [])
        # While D is pre-trained, G is not updated and has no value to draw.
        if step >= settings.pretraining:
            values.append([metrics[name] for name in VALUES])
        tell((step + 1) / steps)
    weights = learner.evaluated_weights()
    evaluation = evaluator.evaluate(weights)
    summary = task.reporter.summary(evaluation)[0]
    return Trace(before, look(weights), np.array(values, np.float32).T, evaluation.metrics, summary)


def figure2(request: FigureRequest) -> list[str]:
    """Density and D, before and after training: a row for each recipe."""
    recipes = _recipes(request)
    traces = _traced(request, recipes)
    rows: dict[str, Any] = {
        recipe.preset: {
            "before training": [each.before for each in traced],
            f"after {recipe.iterations:,} iterations": [each.after for each in traced],
        }
        for recipe, traced in zip(recipes, traces, strict=True)
    }
    heading = "Generated samples and the discriminator before and after training on N(0, 1)"
    save(figures.densities(rows, request.seeds, heading), request.out)
    return [
        "Generated samples (a histogram of 10,000), the data's density N(0, 1) and the discriminator D(x), before and "
        f"after training: a row of panels for each recipe. {_histogram(request)}Yala & Song, section 2, figure 2.",
        *_told(request, recipes, traces),
    ]


def figure3(request: FigureRequest) -> list[str]:
    """What both players make of the game, by iteration: a panel for each recipe."""
    recipes = _recipes(request)
    traces = _traced(request, recipes)
    panels = {}
    for recipe, traced in zip(recipes, traces, strict=True):
        values = np.stack([each.values for each in traced], axis=1)
        panels[f"The game during training, preset {recipe.preset}{_of_seeds(request)}"] = (values[0], values[1])
    save(figures.losses(panels), request.out)
    return [
        "The value of the game by iteration: G's E log(1 - D(G(z))) and D's E log D(x) + E log(1 - D(G(z))), in nats, "
        "whatever the loss is; the lines are what they come to where D is .5 everywhere, also beside a generator that "
        "has collapsed. Of several seeds the line is the median, the band reaches from the least to the greatest. "
        "Yala & Song, section 2, figure 3.",
        *_told(request, recipes, traces),
    ]


def figure4(request: FigureRequest) -> list[str]:
    """Density and D at the end of the chosen recipe, by the iterations of pre-training D."""
    recipes = [dataclasses.replace(request.chosen, pretraining=pretraining) for pretraining in PRETRAINING]
    traces = _traced(request, recipes)
    panels = {
        f"D pre-trained for {recipe.pretraining:,} iterations": [each.after for each in traced]
        for recipe, traced in zip(recipes, traces, strict=True)
    }
    heading = (
        f"After training G and D, preset {request.chosen.preset}, by the iterations in which D alone was trained before"
    )
    save(figures.densities({"": panels}, heading=heading), request.out)
    return [
        f"Generated samples (a histogram of 10,000), the data's density N(0, 1) and the discriminator D(x) after "
        f"{request.chosen.iterations:,} iterations of preset {request.chosen.preset}, by how many iterations D alone "
        f"was trained before, on samples of the untrained G. {_histogram(request)}Yala & Song, section 2.3, figure 4.",
        *_told(request, recipes, traces),
    ]


def title(settings: GaussianSettings) -> str:
    """A recipe in some words."""
    pretrained = f", D pre-trained {settings.pretraining:,}" if settings.pretraining else ""
    return f"{settings.preset}{pretrained}"


def _recipes(request: FigureRequest) -> list[GaussianSettings]:
    """The paper's recipe, and beside it the one that was asked for where that is another."""
    return [request.paper] if request.chosen == request.paper else [request.paper, request.chosen]


def _traced(request: FigureRequest, recipes: Sequence[GaussianSettings]) -> list[list[Trace]]:
    """Of each recipe, a training of each seed."""
    each = [dataclasses.replace(recipe, seed=seed) for recipe in recipes for seed in request.seeds]
    found = request.side_by_side(
        partial(trace, device=request.device), {f"{title(one)}, seed {one.seed}": one for one in each}
    )
    count = len(request.seeds)
    return [found[start : start + count] for start in range(0, len(found), count)]


def _told(request: FigureRequest, recipes: Sequence[GaussianSettings], traces: Sequence[Sequence[Trace]]) -> list[str]:
    """The numbers of each recipe, which are said too: of a seed, or the median of several and their range."""
    lines = []
    for recipe, traced in zip(recipes, traces, strict=True):
        for seed, each in zip(request.seeds, traced, strict=True):
            request.say(f"{title(recipe)}, seed {seed}: {each.summary}")
        if len(traced) == 1:
            lines.append(f"{title(recipe)}, seed {request.seeds[0]}: {traced[0].summary}.")
            continue
        medians = summarise([each.measures for each in traced])
        off = sorted(abs(each.measures["mean"]) for each in traced)
        lines.append(
            f"{title(recipe)}, {len(traced)} seeds: median W1 {medians['w1']:.3f} (worst {medians['w1_worst']:.3f}, "
            f"floor {medians['w1_floor']:.3f}), median standard deviation of G(z) {medians['std']:.2f}, collapsed "
            f"{medians['collapsed'] * len(traced):.0f} of {len(traced)}, mean of G(z) {np.median(off):.2f} from 0 "
            f"at the median ({off[0]:.2f} to {off[-1]:.2f}), D at most {medians['discriminator_distance']:.2f} from .5 "
            "at the median."
        )
        request.say(lines[-1])
    return lines


def _histogram(request: FigureRequest) -> str:
    return "The histogram is that of the first seed. " if len(request.seeds) > 1 else ""


def _of_seeds(request: FigureRequest) -> str:
    count = len(request.seeds)
    return f"\nmedian and range of {count} seeds" if count > 1 else f", seed {request.seeds[0]}"
