"""The wing of text: a pair of sequence networks on a corpus, trained by policy gradients (Yala & Song, section 4).

`TASK` is all that the rest of the package knows of it.
"""

from rlgan.task import Operation, Task
from rlgan.text.presets import BEST, bounds_of, check_typed, labels_of, preset_of
from rlgan.text.settings import EvaluateOptions, SampleOptions
from rlgan.text.tables import TABLES

TASK = Task(
    name="text",
    summary="train on text; without arguments PolicyGan on the built-in stories",
    defaults=BEST,
    item="sentences",
    load="rlgan.text.task:TextTask.load",
    same_data="rlgan.text.task:TextTask.with_settings",
    sample=Operation("rlgan.text.sampling:sample_lines", SampleOptions),
    takes_test_data=True,
    evaluate=Operation(
        "rlgan.text.evaluation:evaluate_run",
        EvaluateOptions,
        suggested=(
            ("figure", "quality against diversity", "--temperatures 0.5 0.7 1 1.3 --figure quality.png"),
            (
                "control",
                "beside a run that learned nothing, say of --reward-control shuffled",
                "--control runs/control",
            ),
            ("policy", "an agent of your own, a function of my_agent.py", "--policy my_agent:policy"),
        ),
    ),
    preset=preset_of,
    check_typed=check_typed,
    labels=labels_of,
    title=lambda settings: str(settings.method),
    bounds=bounds_of,
    main_settings=("data", "method", "preset"),
    examples=(
        "rlgan train                                        # PolicyGan on the built-in stories: three minutes",
        "rlgan train --data lines.txt --minutes 10          # a text of your own, a sentence per line",
        "rlgan train --method mle --run-dir runs/mle        # maximum likelihood",
        "rlgan train --run-dir runs/mle --resume --steps 2000    # longer",
    ),
    evaluation_lines="rlgan.text.evaluation_lines:result_lines",
    headlines="rlgan.text.headlines:headlines",
    caveats="rlgan.text.headlines:caveats",
    places=("data",),
    networks="rlgan.text.trained:networks_of",
    scorer="rlgan.text.trained:scorer_of",
    tables=TABLES,
)
