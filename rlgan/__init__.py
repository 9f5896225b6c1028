"""rlgan: distributed, actor-based training of GANs, and of text generators by reinforcement learning.

    run = rlgan.train("text", method="policygan", workers=0, run_dir="runs/a")
    run = rlgan.load_run("runs/a")
    scorer = rlgan.load_scorer("runs/a")

Importing the package imports none of this: each name is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlgan.api.run import Run, load_run
    from rlgan.api.scorer import Scorer, load_scorer
    from rlgan.api.train import train
    from rlgan.errors import RunError, UsageError
    from rlgan.runs.observers import StopTraining

__version__ = "0.2.0"
__all__ = ["Run", "RunError", "Scorer", "StopTraining", "UsageError", "load_run", "load_scorer", "train"]

_MODULES = {
    "Run": "rlgan.api.run",
    "RunError": "rlgan.errors",
    "Scorer": "rlgan.api.scorer",
    "StopTraining": "rlgan.runs.observers",
    "UsageError": "rlgan.errors",
    "load_run": "rlgan.api.run",
    "load_scorer": "rlgan.api.scorer",
    "train": "rlgan.api.train",
}


def __getattr__(name: str) -> Any:
    """Import a name of the Python API when it is first used.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'rlgan' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All names, those that are not imported yet too."""
    return sorted({*globals(), *__all__})
