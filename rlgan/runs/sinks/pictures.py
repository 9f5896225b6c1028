"""The pictures that evaluations draw, as PNG files, and those that an evaluation wants animated as a GIF."""

from pathlib import Path

from rlgan.drawing import save_animation, save_png
from rlgan.runs.sinks.sink import Record, SinkContext


class Pictures:
    """Writes RUN/pictures/<name>-epoch-<epoch>-step-<step>.png, and at the end of training RUN/pictures/<name>.gif."""

    def __init__(self, context: SinkContext) -> None:
        self._folder = context.run.pictures
        self._animated: set[str] = set()

    def write(self, step: int, record: Record) -> None:
        """Write the pictures of an evaluation.

        Raises:
            OSError: the disk is full, say.
        """
        if record.evaluation is None:
            return
        for name, picture in record.evaluation.pictures.items():
            self._folder.mkdir(exist_ok=True)  # only where there are pictures: most runs have none
            save_png(picture, self._folder / picture_file(name, record.run["epoch"], step))
        self._animated |= {*record.evaluation.animated}

    def close(self) -> None:
        """Animate what there is by now, also of earlier parts of a resumed run.

        Raises:
            OSError: the disk is full, say.
        """
        for name in sorted(self._animated):
            files = sorted(self._folder.glob(picture_file(name, None, None)))
            if len(files) > 1:
                save_animation({_head(file): file for file in files}, self._folder / f"{name}.gif")


def picture_file(name: str, epoch: float | None, step: int | None) -> str:
    """The name of the file of a picture; where epoch and step are None, a pattern of the names at all steps.

    Example:
        >>> picture_file("samples", 2, 624)
        'samples-epoch-002.00-step-00000624.png'
    """
    # Of a fixed width, so that files sort by both. Several evaluations may fall into a hundredth of an epoch.
    passes = "*" if epoch is None else f"{epoch:06.2f}"
    return f"{name}-epoch-{passes}-step-{'*' if step is None else f'{step:08}'}.png"


def _head(file: Path) -> str:
    """What stands above a frame: the epoch and the step of its file.

    Example:
        >>> _head(Path("samples-epoch-002.00-step-00000624.png"))
        'epoch 2.00, step 624'
    """
    _, epoch, _, step = file.stem.rsplit("-", 3)
    return f"epoch {float(epoch):.2f}, step {int(step):,}"
