"""What a run gained over its controls, which learned nothing from a discriminator."""

import math
from collections.abc import Sequence

from rlgan.settings import differences
from rlgan.task import LoadedRun, Result
from rlgan.types import Metrics


def over_controls(
    result: Result, found: Sequence[Result], run: LoadedRun, controls: Sequence[LoadedRun]
) -> list[Result]:
    """What is found of each control, with what sets it apart from a run and with the gain over it.

    Args:
        result: what is found of the run.
        found: of each control.
        run: the run.
        controls: the controls.
    """
    gains = []
    for control, measures in zip(controls, found, strict=True):
        gain = {
            # Where the data lies is no difference: that it is the same was checked when the control was opened.
            "differs_in": differences(run.settings, control.settings, ignored=run.task.places),
            "gain_nats_per_token": math.log(measures["test_perplexity"] / result["test_perplexity"]),
        }
        if "quality" in result:
            gain["difference"] = difference(result["quality"], measures["quality"])
        gains.append(measures | gain)
    return gains


def difference(one: Sequence[Metrics], other: Sequence[Metrics]) -> list[Metrics]:
    """One sweep less another over the same temperatures: what both have, measure by measure.

    Example:
        >>> difference([{"temperature": 0.7, "lm_score": 3.0, "length": 9.0}], [{"temperature": 0.7, "lm_score": 2.5}])
        [{'temperature': 0.7, 'lm_score': 0.5}]
    """
    return [
        {name: value if name == "temperature" else value - b[name] for name, value in a.items() if name in b}
        for a, b in zip(one, other, strict=True)
    ]
