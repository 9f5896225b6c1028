"""The wing of the Gaussian: a perceptron pair on N(0, 1), or on mixtures of Gaussians in the plane.

Yala & Song, section 2. `TASK` is all that the rest of the package knows of it.
"""

from rlgan.gaussian.settings import BEST, labels_of, preset_of
from rlgan.task import Figure, Operation, Task

TASK = Task(
    name="gaussian",
    summary="train a perceptron pair on N(0, 1), or on 8 or 25 Gaussians in the plane",
    defaults=BEST,
    item="samples",
    load="rlgan.gaussian.task:GaussianTask",
    sample=Operation("rlgan.gaussian.sampling:draw_samples"),
    evaluate=Operation("rlgan.gaussian.evaluation:evaluate_run"),
    headlines="rlgan.gaussian.headlines:headlines",
    preset=preset_of,
    labels=labels_of,
    title=lambda settings: f"{settings.target}-{settings.preset}",
    main_settings=("target", "preset", "seed"),
    examples=(
        "rlgan train gaussian                               # N(0, 1), without mode collapse: a minute",
        "rlgan train gaussian --target ring                 # 8 Gaussians on a ring",
        "rlgan train gaussian --preset paper --seeds 10 --run-dir g    # ten seeds of the paper's recipe",
    ),
    has_length=True,  # its iterations, over which the learning rates fall
    # No rollouts, so workers would have nothing to do; and a step takes milliseconds.
    run_defaults={"workers": 0, "checkpoint_every": 500},
    networks="rlgan.gaussian.players:networks_of",
    seeds="rlgan.gaussian.measures:summarise",
    figures={
        "figure2": Figure("density and D before and after training", "rlgan.gaussian.reproduce:figure2", seeds=5),
        "figure3": Figure("the losses of both players", "rlgan.gaussian.reproduce:figure3", seeds=5),
        "figure4": Figure("the effect of pre-training D", "rlgan.gaussian.reproduce:figure4"),
    },
)
