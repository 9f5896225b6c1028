"""`rlgan.train`: trains one run in this process, as `rlgan train` does."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Unpack

from rlgan.api.isolation import isolated
from rlgan.api.run import Run, load_run
from rlgan.api.settings import asking
from rlgan.api.train_settings import TrainSettings
from rlgan.runs.observers import Callback, Observers, ignore
from rlgan.runs.request import DEFAULT_TASK, named_task, resolve_request
from rlgan.runs.signals import Stop


def train(
    task: str = DEFAULT_TASK,
    *,
    on_step: Callback = ignore,
    on_evaluation: Callback = ignore,
    say: Callable[[str], object] = print,
    trust_imports: bool = False,
    **settings: Unpack[TrainSettings],
) -> Run:
    """Train one run, to its end or until a callback stops it.

    The settings are the flags of `rlgan train TASK`, with underscores for hyphens: `method="mle"`, `workers=0`,
    `run_dir="runs/a"`, `steps=200`. They are checked as those are, with the same messages.

    Works in any thread and in a running event loop, which it blocks. It installs no signal handlers: an interrupt
    raises KeyboardInterrupt as usual, and the run can be continued with `resume=True` from its last checkpoint. What
    it changes of the process (`rlgan.api.isolation`) is put back at the end; a call from another thread waits.

    Args:
        task: a name that `rlgan train` takes, or `package.module:TASK`.
        on_step: called after every update with the number of updates so far and the metrics of the update, such as
            the losses. It may raise `rlgan.StopTraining`: the run then saves a checkpoint and ends.
        on_evaluation: the same, after every evaluation, with what was measured; the first of a new run comes at step 0.
        say: called with every line that the command line would print.
        trust_imports: with `resume=True`: import code from outside of rlgan that the run's config.json names.
        settings: of the recipe and of the run, by name.

    Returns:
        The run, at its best checkpoint.

    Raises:
        UsageError: a setting makes no sense.
        RunError: it can't be done here and now, or a loss is not finite.
    """
    with isolated():
        record = named_task(task)
        ask = asking(settings, type(record.defaults), trust_imports=trust_imports)
        request = resolve_request(record, task, ask)
        # They import torch, and what is asked for may make no sense.
        from rlgan.api.display import Lines
        from rlgan.runs.start import train_run

        # Without signals: only the main thread may set handlers, and they are the caller's.
        observers = Observers(Lines(say), lambda: nullcontext(Stop()), on_step, on_evaluation)
        address = train_run(request, observers)
    # What this call named itself is trusted.
    return load_run(address, trust_imports=True)
