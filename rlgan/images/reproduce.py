"""Figure 5 of Yala & Song, from a run of our own: trained here, drawn, and said in numbers."""

from collections.abc import Callable
from pathlib import Path

from rlgan.device import prepare
from rlgan.images.grids import grid, labelled, save_png
from rlgan.images.measures import mean_picture
from rlgan.images.settings import ImageConfig
from rlgan.images.task import ImageTask
from rlgan.images.task import samples as image_samples
from rlgan.types import Map

# After which figure 5 shows samples, and how many.
EPOCHS = (2, 5, 10, 17)
SHOWN = 24
COLUMNS = 4


def figure5(recipe: ImageConfig, out: Path, map_: Map, say: Callable[[str], None]) -> None:
    """The average picture, and pictures of the same noise after epochs 2, 5, 10 and 17, laid out as in the paper."""
    device = prepare(0)
    task = ImageTask.load(recipe)
    for line in task.about:
        say(line)
    task.prepare(map_, say)
    learner, evaluator = task.learner(device), task.evaluator(device)
    panels = {"the average picture": mean_picture(task.pictures.train())}
    for epoch in range(1, EPOCHS[-1] + 1):
        for step in range(task.steps(epoch - 1), task.steps(epoch)):
            learner.update(step, task.plan(step), [])
        if epoch in EPOCHS:
            weights = learner.evaluated_weights()
            say(f"epoch {epoch}: {task.summary(evaluator.evaluate(weights))[0]}")
            made = image_samples(task.config, weights, SHOWN, recipe.seed, device)
            panels[f"after epoch {epoch}"] = grid(made, COLUMNS)
    save_png(labelled(panels), out)
