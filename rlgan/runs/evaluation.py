"""What an evaluation of a run can call on."""

from functools import partial

from rlgan.engine.processes import in_processes
from rlgan.runs.loading import load_run, measure, prepare_task
from rlgan.task import EvaluationTools, Say


def evaluation_tools(which: str, *, trust_imports: bool, status: Say, device: str = "cpu") -> EvaluationTools:
    """What an evaluation can call on.

    Args:
        which: of the checkpoints of other runs that it opens: `newest` or `best`.
        trust_imports: import what those runs name outside of this package.
        status: is told what is computed now.
        device: where to compute with those runs.
    """
    return EvaluationTools(
        load_run=lambda path: load_run(path, which, trust_imports=trust_imports, device=device),
        prepare=partial(prepare_task, map_=in_processes, status=status),
        measure=measure,
        status=status,
    )
