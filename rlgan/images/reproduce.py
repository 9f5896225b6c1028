"""Figure 5 of Yala & Song, from a run of our own: trained here, drawn, and said in numbers."""

from rlgan.device import prepare
from rlgan.images.grids import grid, labelled, save_png
from rlgan.images.measures import mean_picture
from rlgan.images.sampling import sample
from rlgan.images.task import ImageTask
from rlgan.task import FigureRequest

# After which figure 5 shows samples, and how many.
EPOCHS = (2, 5, 10, 17)
SHOWN = 24
COLUMNS = 4


def figure5(request: FigureRequest) -> None:
    """The average picture, and pictures of the same noise after epochs 2, 5, 10 and 17, laid out as in the paper."""
    device = prepare(request.device)
    task = ImageTask.load(request.chosen)
    for line in task.facts.about:
        request.say(line)
    task.prepare(request.map_, request.say)
    learner, evaluator, schedule = task.learner(device), task.evaluator(device), task.schedule
    panels = {"the average picture": mean_picture(task.pictures.train())}
    for epoch in range(1, EPOCHS[-1] + 1):
        for step in range(schedule.steps(epoch - 1), schedule.steps(epoch)):
            learner.update(step, schedule.plan(step), [])
        if epoch in EPOCHS:
            weights = learner.evaluated_weights()
            request.say(f"epoch {epoch}: {task.reporter.summary(evaluator.evaluate(weights))[0]}")
            made = sample(task.settings, weights, SHOWN, task.settings.seed, device)
            panels[f"after epoch {epoch}"] = grid(made, COLUMNS)
    save_png(labelled(panels), request.out)
