"""TensorBoard's events: all scalars, and the series, histograms, pictures and texts of evaluations."""

import json
import threading

import numpy as np
from tensorboard.summary.writer.event_file_writer import EventFileWriter  # type: ignore[import-untyped]
from torch.utils.tensorboard import SummaryWriter

from rlgan.runs.sinks.sink import Record, SinkContext
from rlgan.types import Evaluation


class TensorBoard:
    """Writes to RUN/events."""

    def __init__(self, context: SinkContext) -> None:
        # Before there is a writer: its thread may fail at once.
        self._excepthook = threading.excepthook
        threading.excepthook = self._ignore_writer
        # What an earlier life of the run wrote after the checkpoint stays in its
        # file; purge_step has TensorBoard hide it.
        self._events = SummaryWriter(str(context.run.events), purge_step=context.after + 1)
        # Once, where the run begins.
        if context.after < 0 and context.run.config_file.is_file():
            self._add_data(context.run.config().get("data", {}))

    def write(self, step: int, record: Record) -> None:
        """Add what a record has; an evaluation is on the disk when this returns.

        Raises:
            OSError: the disk is full, say.
        """
        # What comes every few seconds between evaluations is for monitoring; the curves are by evaluation.
        if not record.training and record.evaluation is None:
            return
        for tag, value in record.scalars().items():
            self._events.add_scalar(tag, value, step)
        if record.evaluation is not None:
            self._add_evaluation(step, record.evaluation)
            # The writer's thread would otherwise write when it likes, up to two minutes later.
            self._events.flush()

    def close(self) -> None:
        """Write what is not written yet.

        Raises:
            OSError: the disk is full, say.
        """
        # Not put back where this fails: the writer's thread may be about to report what it could not write.
        self._events.close()
        threading.excepthook = self._excepthook

    def _add_evaluation(self, step: int, evaluation: Evaluation) -> None:
        for name, sample in evaluation.histograms.items():
            self._events.add_histogram(name, np.asarray(sample), step)
        for name, picture in evaluation.pictures.items():
            self._events.add_image(name, picture, step, dataformats="HWC")
        if evaluation.texts:
            # As a block of code: Markdown would take `<unk>` for a tag and drop it.
            self._events.add_text("samples", "\n".join(f"    {text}" for text in evaluation.texts), step)

    def _add_data(self, account: dict[str, object]) -> None:
        """The account of the data, as config.json has it."""
        lines = json.dumps(account, indent=1).splitlines()
        self._events.add_text("data", "\n".join(f"    {line}" for line in lines), 0)

    def _ignore_writer(self, error: threading.ExceptHookArgs) -> None:
        # TensorBoard writes in a thread of its own. What that thread could not write is raised again by the next flush,
        # and then ends the run in one line: a traceback from the thread would hide that line.
        if type(error.thread).__module__ != EventFileWriter.__module__:
            self._excepthook(error)
