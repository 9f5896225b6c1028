"""What an evaluation of a run can call on."""

from dataclasses import replace

from rlgan.engine.processes import in_processes
from rlgan.errors import UsageError
from rlgan.runs.files import fingerprint
from rlgan.runs.loading import load_run, measure, prepare_task
from rlgan.settings import resolve, updated
from rlgan.task import EvaluationTools, LoadedRun, LoadedTask, Status


def evaluation_tools(
    which: str,
    *,
    trust_imports: bool,
    status: Status,
    device: str = "cpu",
    data: str | None = None,
    test_data: str | None = None,
) -> EvaluationTools:
    """What an evaluation can call on.

    Args:
        which: of the checkpoints of other runs that it opens: `newest` or `best`.
        trust_imports: import what those runs name outside of this package.
        status: shows what is computed now.
        device: where to compute with those runs.
        data: where the data of all of them lies now; None: where it lay in training.
        test_data: where another test set lies; None: the runs' own is taken.
    """
    return EvaluationTools(
        load_run=lambda path: load_run(path, which, trust_imports=trust_imports, device=device),
        prepare=PreparedTasks(status, data).of,
        measure=measure,
        map_=in_processes,
        test_data=test_data,
        status=status,
    )


def check_takes_test_data(run: LoadedRun, test_data: str | None) -> None:
    """Check that a run can be measured on another test set, where one is given.

    Raises:
        UsageError: runs of its task can't.
    """
    if test_data is not None and not run.task.takes_test_data:
        raise UsageError(
            f"--test-data {test_data}: {run.path} is a run of {run.task.name}, which has no test set: leave it out"
        )


def check_takes_data(run: LoadedRun, data: str | None) -> None:
    """Check that a run has data whose place can be given, where one is.

    Raises:
        UsageError: runs of its task have none.
    """
    if data is not None and "data" not in run.task.places:
        raise UsageError(f"--data {data}: {run.path} is a run of {run.task.name}, which has none: leave it out")


class PreparedTasks:
    """Gives the tasks of runs with their data, which runs on the same data share: it is read once.

    Args:
        status: shows what is computed now.
        data: where the data of all of them lies now; None: where it lay in training.
    """

    def __init__(self, status: Status, data: str | None = None) -> None:
        self._status = status
        self._data = data
        self._last: dict[str, LoadedTask] = {}  # by the task's name

    def of(self, run: LoadedRun) -> LoadedTask:
        """The task of a run with its data, prepared.

        Raises:
            UsageError: data is named of a run that has none.
            DataError: the data can't be had.
            RunError: it is not what the run was trained on.
        """
        if self._data is not None:
            check_takes_data(run, self._data)
            run = replace(run, settings=updated(run.settings, {"data": self._data}))
        last = self._last.get(run.task.name)
        if last is not None and run.task.same_data:
            task: LoadedTask = resolve(run.task.same_data, {})(last, run.settings)
            # It is a hash of the recipe and of the data: where it is the run's, so is the data.
            if fingerprint(*task.facts.identity) == run.recipe_id:
                return task
        self._last[run.task.name] = prepare_task(run, in_processes, self._status, self._data)
        self._status("measuring")
        return self._last[run.task.name]
