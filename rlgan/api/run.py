"""`rlgan.load_run`: a run that is there, with its settings, metrics, samples and networks."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from numpy.typing import NDArray

from rlgan.api.isolation import isolated
from rlgan.api.metrics import read_metrics
from rlgan.api.settings import options_of
from rlgan.errors import RunError, UsageError
from rlgan.runs import loading
from rlgan.runs.directory import RunDirectory
from rlgan.settings import Checkpoint, flatten, resolve, typed_path
from rlgan.task import LoadedRun, Result, sample_line

if TYPE_CHECKING:
    from torch import nn

DEFAULT_CHECKPOINT: Checkpoint = "best"


class Run:
    """A run, opened at one of its checkpoints by `load_run`.

    Attributes:
        path: its directory or address.
        task: the name of its task.
        step: of the checkpoint: samples, evaluations and networks are of the weights after so many updates.
    """

    def __init__(self, loaded: LoadedRun, checkpoint: Checkpoint, *, trust_imports: bool) -> None:
        self.path = loaded.path
        self.task = loaded.task.name
        self.step = loaded.step
        self._loaded = loaded
        self._checkpoint = checkpoint
        self._trust_imports = trust_imports

    def __repr__(self) -> str:
        return f"<run of {self.task} in {self.path}, at step {self.step}>"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All settings of the recipe and of the run, by name."""
        directory = RunDirectory(self.path)
        run = loading.saved_run_settings(directory.config(), directory.config_file)
        return flatten(self._loaded.settings) | flatten(run)

    @cached_property
    def metrics(self) -> dict[str, NDArray[Any]]:
        """What was recorded at each evaluation, by name: see `rlgan.api.metrics.read_metrics`."""
        return read_metrics(RunDirectory(self.path).metrics_file)

    @property
    def checkpoints(self) -> list[int]:
        """The steps of the checkpoints that are there, in ascending order."""
        return RunDirectory(self.path).checkpoints.steps()

    def sample(self, count: int = 10, seed: int = 0, **options: Any) -> list[str]:
        """What `rlgan sample` prints: of text the sentences that the generator writes.

        Args:
            count: how many samples.
            seed: of the samples; the first n are the same however many are asked for.
            options: of `rlgan sample` for the run's task, by name: for text `temperature` and `prompt`.

        Raises:
            UsageError: an option makes no sense.
        """
        for name, value, least in (("count", count, 1), ("seed", seed, 0)):
            if value < least:
                raise UsageError(f"{name} is {value}: it must be {least} or more")
        operation = self._loaded.task.sample
        own = options_of(operation.options, options)
        with isolated():
            # A list, and not the iterator that it is made from: that would compute when
            # `isolated` has put the process back.
            return list(map(sample_line, resolve(operation.run, {})(self._loaded, count, seed, own)))

    def evaluate(
        self,
        *,
        status: Callable[[str], object] = lambda _: None,
        data: str | os.PathLike[str] | None = None,
        test_data: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Result:
        """What `rlgan evaluate --json` prints: perplexities, distances, quality; and which run it is.

        Args:
            status: told what is computed now.
            data: where the data that the run was trained on lies now, if it has moved.
            test_data: another test set, in place of the run's own.
            options: of `rlgan evaluate` for the run's task, by name: for text `quick`, `temperatures`, ...

        Raises:
            UsageError: an option makes no sense.
            RunError: the run's data is not there.
        """
        operation = self._loaded.task.evaluate
        own = options_of(operation.options, options)
        with isolated():
            from rlgan.runs.evaluation import check_takes_data, check_takes_test_data, evaluation_tools

            def say(what: str, done: float | None = None, /) -> None:  # noqa: ARG001 lines have no fraction
                status(what)

            own_data, tested = (None if path is None else os.fspath(path) for path in (data, test_data))
            check_takes_data(self._loaded, own_data)
            check_takes_test_data(self._loaded, tested)
            tools = evaluation_tools(
                self._checkpoint, trust_imports=self._trust_imports, status=say, data=own_data, test_data=tested
            )
            result: Result = resolve(operation.run, {})(self._loaded, own, tools)
        return result

    @property
    def generator(self) -> "nn.Module":
        """The generator, on the CPU in evaluation mode; a copy of its own each time."""
        return self._networks()[0]

    @property
    def discriminator(self) -> "nn.Module":
        """The discriminator, on the CPU in evaluation mode; a copy of its own each time."""
        return self._networks()[1]

    def _networks(self) -> "tuple[nn.Module, nn.Module]":
        if not self._loaded.task.networks:
            raise RunError(f"{self.path} is a run of {self.task}, whose task gives no networks")
        with isolated():
            from rlgan.learning.weights import load

            generator, discriminator = resolve(self._loaded.task.networks, {})(self._loaded)
            load(generator, self._loaded.weights.generator)
            load(discriminator, self._loaded.weights.discriminator)
            return generator.eval(), discriminator.eval()


def load_run(
    run: str | os.PathLike[str], checkpoint: Checkpoint = DEFAULT_CHECKPOINT, *, trust_imports: bool = False
) -> Run:
    """Open a run.

    Args:
        run: its directory, or an address that fsspec opens.
        checkpoint: "best" by the task's selection metric, or "newest".
        trust_imports: import code from outside of rlgan that the run's config.json names; a run from a stranger is
            data, not a program.

    Raises:
        UsageError: there is no such kind of checkpoint.
        RunError: there is no run, none of its checkpoints is whole, or it is not trusted.
    """
    return Run(open_run(run, checkpoint, trust_imports=trust_imports), checkpoint, trust_imports=trust_imports)


def open_run(run: str | os.PathLike[str], checkpoint: Checkpoint, *, trust_imports: bool) -> LoadedRun:
    """The weights and settings of a run; arguments and errors as those of `load_run`."""
    if checkpoint not in get_args(Checkpoint):
        raise UsageError(f"checkpoint is {checkpoint!r}: give {' or '.join(get_args(Checkpoint))}")
    with isolated():
        # Isolated, so that what was imported for names in the run's settings is forgotten again at the end.
        return loading.load_run(typed_path("run", os.fspath(run)), checkpoint, trust_imports=trust_imports)
