"""What an evaluation can call on, as the terminal shows it."""

from collections.abc import Iterator
from contextlib import contextmanager

from rlgan.task import EvaluationTools


@contextmanager
def evaluation_tools(
    which: str,
    *,
    trust_imports: bool,
    device: str = "cpu",
    data: str | None = None,
    test_data: str | None = None,
) -> Iterator[EvaluationTools]:
    """What an evaluation can call on, with the terminal's last line for what is computed now.

    Args:
        which: of the checkpoints of other runs that it opens.
        trust_imports: import what those runs name outside of this package.
        device: where to compute with those runs.
        data: where the data of all of them lies now; None: where it lay in training.
        test_data: where another test set lies; None: the runs' own is taken.
    """
    from rich.console import Console

    from rlgan.runs import evaluation
    from rlgan.runs.terminal import Terminal

    # On standard error, because standard output has the result, which with --json is for a program.
    with Terminal(Console(stderr=True)) as terminal:
        yield evaluation.evaluation_tools(
            which,
            trust_imports=trust_imports,
            status=terminal.status,
            device=device,
            data=data,
            test_data=test_data,
        )
