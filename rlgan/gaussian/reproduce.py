"""The figures of Yala & Song, section 2, from runs of our own: trained here, drawn, and said in numbers."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from rlgan.device import prepare
from rlgan.gaussian import figures
from rlgan.gaussian.settings import GaussianConfig
from rlgan.gaussian.task import EVALUATION_SAMPLES, GaussianTask, samples
from rlgan.types import Float, Metrics, Weights

# Iterations in which figure 4 trains D before G (section 2.3).
PRETRAINING = (0, 1_000, 10_000, 100_000)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trace:
    """A training, as the figures need it."""

    before: tuple[Float, Float]  # samples and D over figures.GRID, untrained
    after: tuple[Float, Float]
    metrics: list[Metrics]  # by iteration, pre-training left out


def trace(config: GaussianConfig, say: Say) -> Trace:
    """Train in this process, to the bits that `rlgan train` comes to, and keep what a figure shows."""
    device = prepare(0)
    task = GaussianTask(config)
    learner, evaluator = task.learner(device), task.evaluator(device)

    def look(weights: Weights) -> tuple[Float, Float]:
        made = samples(config, weights, EVALUATION_SAMPLES, config.seed, device)[:, 0]
        return made, evaluator.curve(weights)

    before = look(learner.evaluated_weights())
    metrics = [learner.update(step, task.plan(step), []) for step in range(task.steps(1.0))]
    weights = learner.evaluated_weights()
    say(f"{title(config)}: {task.summary(evaluator.evaluate(weights))[0]}")
    return Trace(before, look(weights), metrics[config.pretraining :])


def figure2(recipes: list[GaussianConfig], out: Path, say: Say) -> None:
    """Density and D, before and after training: a pair of panels for each recipe."""
    panels: dict[str, tuple[Float, Float]] = {}
    for recipe in recipes:
        seen = trace(recipe, say)
        panels |= {f"{title(recipe)}, before": seen.before, f"{title(recipe)}, after": seen.after}
    _save(figures.densities(panels), out)


def figure3(recipes: list[GaussianConfig], out: Path, say: Say) -> None:
    """What both players make of the game, by iteration: a panel for each recipe."""
    panels = {}
    for recipe in recipes:
        seen = trace(recipe, say).metrics
        values = tuple([step[f"value_{player}"] for step in seen] for player in ("generator", "discriminator"))
        panels[title(recipe)] = (values[0], values[1])
    _save(figures.losses(panels), out)


def figure4(recipes: list[GaussianConfig], out: Path, say: Say) -> None:
    """Density and D at the end of the last recipe, by the iterations of pre-training D."""
    panels = {}
    for pretraining in PRETRAINING:
        recipe = dataclasses.replace(recipes[-1], pretraining=pretraining)
        panels[title(recipe)] = trace(recipe, say).after
    _save(figures.densities(panels), out)


FIGURES: dict[str, Callable[[list[GaussianConfig], Path, Say], None]] = {
    "figure2": figure2,
    "figure3": figure3,
    "figure4": figure4,
}


def title(config: GaussianConfig) -> str:
    """A recipe in some words."""
    pretrained = f", D pre-trained {config.pretraining:,}" if config.pretraining else ""
    return f"{config.preset}, seed {config.seed}{pretrained}"


def _save(figure: Figure, out: Path) -> None:
    figure.savefig(out, dpi=100)
