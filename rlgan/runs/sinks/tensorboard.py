"""TensorBoard's events: scalars in numbered groups, charts of several lines, histograms, pictures, texts, settings."""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # type: ignore[import-untyped]
from tensorboard.summary.writer.event_file_writer import EventFileWriter  # type: ignore[import-untyped]
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from rlgan.drawing import new_figure, styled
from rlgan.runs.sinks.sink import Record, SinkContext
from rlgan.runs.sinks.tags import (
    DESCRIPTIONS,
    QUALITY,
    charts,
    evaluation_tags,
    score_tag,
    summed_over_workers,
    training_tag,
)
from rlgan.types import Evaluation, Metrics

# Of updates, which come after the layout of the charts is written.
EXPECTED = (
    "loss_generator", "loss_policy_gradient", "loss_discriminator", "discriminator_real", "discriminator_generated",
)  # fmt: skip
SCORED = "quick_"  # so names begin of what is measured between evaluations


class TensorBoard:
    """Writes to RUN/events."""

    def __init__(self, context: SinkContext) -> None:
        # Before there is a writer: its thread may fail at once.
        self._excepthook = threading.excepthook
        threading.excepthook = self._ignore_writer
        # What an earlier life of the run wrote after the checkpoint stays in its
        # file; purge_step has TensorBoard hide it.
        self._events = SummaryWriter(str(context.run.events), purge_step=context.after + 1)
        self._writer: Any = self._events.file_writer  # untyped
        self._run = context.run
        self._charts, self._references = context.measures.charts, context.measures.references
        self._descriptions = {**DESCRIPTIONS, **context.measures.descriptions}
        self._tags: dict[str, str] = {}  # of what was written, by name
        self._has_settings = False
        self._trained: set[str] = set()  # names of what each update has

    def write(self, step: int, record: Record) -> None:
        """Add what a record has; an evaluation is on the disk when this returns.

        Raises:
            OSError: the disk is full, say.
        """
        # What comes every few seconds between evaluations is for monitoring; the curves are by evaluation.
        if not record.training and not record.score and record.evaluation is None:
            return
        self._add(step, record.score, {name: score_tag(name) for name in record.score})
        self._trained |= record.training.keys()
        self._add(step, record.training, {name: training_tag(name) for name in record.training})
        if record.evaluation is None:
            return
        metrics = record.evaluation.metrics
        self._add(step, metrics, evaluation_tags(metrics, self._references))
        run = summed_over_workers(record.run, record.shards_by_worker)
        # Means of what each update has a point of are not shown beside it.
        own = {name: value for name, value in run.items() if name not in self._trained}
        self._add(step, own, {name: training_tag(name) for name in own})
        self._add_evaluation(step, record.evaluation)
        if not self._has_settings:
            self._add_settings(metrics)
            self._has_settings = True
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

    def _add(self, step: int, metrics: Metrics, tags: Mapping[str, str]) -> None:
        """Write scalars with what they mean, which torch's own `add_scalar` has no place for."""
        self._tags |= tags
        for name, value in metrics.items():
            metadata = SummaryMetadata(display_name=name, summary_description=self._descriptions.get(name, ""))
            metadata.plugin_data.plugin_name = "scalars"
            scalar = Summary.Value(tag=tags[name], simple_value=value, metadata=metadata)
            self._writer.add_summary(Summary(value=[scalar]), step)

    def _add_settings(self, metrics: Metrics) -> None:
        """Write what does not change: the layout of the charts, the settings, and which measures go beside them."""
        scored = [name for names in self._charts.values() for name in names if name.startswith(SCORED)]
        expected = {name: training_tag(name) for name in EXPECTED} | {name: score_tag(name) for name in scored}
        self._events.add_custom_scalars(charts(self._tags | expected, self._charts))
        if not self._run.config_file.is_file():
            return
        config = self._run.config()
        self._add_json(
            "settings", {name: config[name] for name in ("task", "recipe", "run", "versions") if name in config}
        )
        self._add_json("data", config.get("data", {}))
        tags = evaluation_tags(metrics, self._references)
        quality = {tag: metrics[name] for name, tag in tags.items() if tag.startswith(QUALITY)}
        # TensorBoard reads the last value of each of these tags, which are then the final metrics of the run.
        recipe = {name: _plain(value) for name, value in config["recipe"].items()}
        for summary in hparams(recipe, quality):  # type: ignore[no-untyped-call]
            self._writer.add_summary(summary)

    def _add_json(self, name: str, content: dict[str, Any]) -> None:
        lines = json.dumps(content, indent=1).splitlines()
        self._events.add_text(name, "\n".join(f"    {line}" for line in lines), 0)

    def _add_evaluation(self, step: int, evaluation: Evaluation) -> None:
        for name, sample in evaluation.histograms.items():
            self._events.add_histogram(name, np.asarray(sample), step)
        for name, picture in evaluation.pictures.items():
            self._events.add_image(name, picture, step, dataformats="HWC")
        if evaluation.series:
            self._events.add_figure("by_position", _curves(evaluation.series), step)
        if evaluation.texts:
            # As a block of code: Markdown would take `<unk>` for a tag and drop it.
            self._events.add_text("samples", "\n".join(f"    {text}" for text in evaluation.texts), step)

    def _ignore_writer(self, error: threading.ExceptHookArgs) -> None:
        # TensorBoard writes in a thread of its own. What that thread could not write is raised again by the next flush,
        # and then ends this sink in one line: a traceback from the thread would hide that line.
        if type(error.thread).__module__ != EventFileWriter.__module__:
            self._excepthook(error)


def _plain(value: Any) -> str | float:
    """A setting as TensorBoard's table of hyperparameters takes it."""
    return value if isinstance(value, str | int | float) else json.dumps(value)


@styled()
def _curves(series: Mapping[str, Sequence[float]]) -> Figure:
    """What is measured by position in the sequence: a panel for each, beside each other."""
    figure = new_figure(5 * len(series), 3.5)
    for axes, (name, values) in zip(figure.subplots(1, len(series), squeeze=False)[0], series.items(), strict=True):
        axes.plot(range(1, len(values) + 1), values, marker="o")
        words = name.replace("_", " ")
        axes.set(title=words, xlabel="position in the sequence, tokens", ylabel=words.removesuffix(" by position"))
    return figure
