"""The wing of pictures: a pair of networks on faces or on any folder of pictures (Yala & Song, section 3).

`TASK` is all that the rest of the package knows of it.
"""

from rlgan.images.settings import BEST, EvaluateOptions, SampleOptions, bounds_of, labels_of, preset_of
from rlgan.task import Figure, Operation, Task

TASK = Task(
    name="image",
    summary="train on pictures; without arguments on faces that are drawn here",
    defaults=BEST,
    item="samples",
    load="rlgan.images.task:ImageTask.load",
    same_data="rlgan.images.task:ImageTask.with_settings",
    sample=Operation("rlgan.images.sampling:draw_samples", SampleOptions),
    takes_test_data=True,
    evaluate=Operation("rlgan.images.evaluation:evaluate_run", EvaluateOptions),
    headlines="rlgan.images.headlines:headlines",
    caveats="rlgan.images.headlines:caveats",
    preset=preset_of,
    labels=labels_of,
    title=lambda settings: str(settings.preset),
    bounds=bounds_of,
    main_settings=("data", "size", "preset"),
    examples=(
        "rlgan train image                                  # on faces that are drawn here: five minutes",
        "rlgan train image --data pictures/ --epochs 17     # a folder of pictures of your own",
    ),
    # Rollout workers would decode the pictures, once, and then be idle.
    run_defaults={"workers": 0},
    places=("data", "cache"),
    networks="rlgan.images.players:networks_of",
    figures={
        "figure5": Figure(
            "the average picture, and pictures after epochs 2, 5, 10 and 17",
            "rlgan.images.reproduce:figure5",
            epochs=17,
        )
    },
)
