"""The pictures that evaluations draw, as PNG files."""

from rlgan.images.grids import save_png
from rlgan.runs.sinks.sink import Record, SinkContext


class Pictures:
    """Writes RUN/pictures/<name>-epoch-<epoch>.png."""

    def __init__(self, context: SinkContext) -> None:
        self._folder = context.run.pictures

    def write(self, step: int, record: Record) -> None:  # noqa: ARG002
        """Write the pictures of an evaluation.

        Raises:
            OSError: the disk is full, say.
        """
        if record.evaluation is None:
            return
        for name, picture in record.evaluation.pictures.items():
            self._folder.mkdir(exist_ok=True)  # only where there are pictures: most runs have none
            # The epoch has a fixed width, so that files sort by it.
            save_png(picture, self._folder / f"{name}-epoch-{record.run['epoch']:06.2f}.png")

    def close(self) -> None:
        """Nothing is left to write."""
