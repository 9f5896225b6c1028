"""Quality against diversity of text, as `rlgan evaluate --figure` draws it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from rlgan.drawing import Look, looks, new_figure, save, save_caption, styled
from rlgan.task import Result

Point = Mapping[str, float]  # measures by name
# In points of the page: half a point's mark and half the star; how far labels are from a point, a letter and a line.
MARK, STAR, APART, LETTER, LINE = 3.0, 8.0, 4.0, 5.0, 9.0
CAPTION = (
    "Quality against diversity of generated text, a curve for each run and a point for each sampling temperature, "
    "which stands beside it. Left, by language models: lm_score is that of generated text under a model of real text, "
    "reverse_lm_score that of real text under a model of generated text, in nats per token; less is better. Right, by "
    "n-grams of up to 4 words: BLEU-4 against the test set, and Self-BLEU-4 of the generated texts among themselves. "
    "The star is real text.",
    "A generator that repeats one good sentence has quality without diversity, one that draws words by chance has "
    "diversity without quality: a single point says little, how near to real text a curve comes says more.",
)


def write_quality(file: Path, result: Result, command: str) -> None:
    """Draw the quality of a run against its diversity, beside that of its controls, and write the caption beside it.

    Args:
        file: to write, in the format that its name ends in.
        result: of an evaluation with its quality.
        command: that was typed, for the caption.
    """
    entries = (result, *result.get("controls", []))
    # A policy writes in the words of a run, whose name is not its own.
    curves = {entry.get("policy", entry["run"]): entry["quality"] for entry in entries}
    figure = quality_against_diversity(curves, result["quality_floor"])
    save(figure, file)
    of = ", ".join(
        f"{entry['run']} at step {entry['step']}" if "step" in entry else entry["policy"] for entry in entries
    )
    facts = {"command": f"`{command}`", "runs": of, "samples at each temperature": f"{result['quality_samples']:,}"}
    save_caption(file, "Quality against diversity", CAPTION, facts)


@styled()
def quality_against_diversity(curves: Mapping[str, Sequence[Point]], real: Point) -> Figure:
    """Draw quality against diversity, a curve per run and a point per temperature, twice: by language models, by BLEU.

    Args:
        curves: by the name of a run, its measures by rising temperature.
        real: the measures of real text.
    """
    figure = new_figure(10, 5)
    by_models, by_bleu = figure.subplots(1, 2)
    by_models.set(
        title="By language models",
        xlabel="reverse_lm_score, nats per token\n← better: nothing of real text is lacking",
        ylabel="← better: nothing unlike real text\nlm_score, nats per token",
    )
    by_bleu.set(
        title="By n-grams",
        xlabel="self_bleu_4: how much the texts are alike\n← more diverse",
        ylabel="bleu_4: how much they are like the test set\nmore alike →",
    )
    _draw(by_models, curves, real, "reverse_lm_score", "lm_score")
    _draw(by_bleu, curves, real, "self_bleu_4", "bleu_4")
    handles, labels = by_models.get_legend_handles_labels()
    title = "Quality against diversity of generated text: a point is a sampling temperature"
    figure.legend(handles, labels, title=title, loc="outside upper center", ncols=2)
    figure.draw_without_rendering()  # so that it is known where the points lie
    _label(by_models, curves, real, "reverse_lm_score", "lm_score")
    _label(by_bleu, curves, real, "self_bleu_4", "bleu_4")
    return figure


def _draw(axes: Axes, curves: Mapping[str, Sequence[Point]], real: Point, x: str, y: str) -> None:
    for (name, points), look in zip(curves.items(), looks(), strict=False):
        axes.plot(
            [point[x] for point in points],
            [point[y] for point in points],
            label=name,
            **vars(look),
        )
    axes.plot(real[x], real[y], "*", color="black", markersize=13, label="real text")
    axes.margins(0.1)


def _label(axes: Axes, curves: Mapping[str, Sequence[Point]], real: Point, x: str, y: str) -> None:
    """Write the temperatures beside the points; those that would cover a point or another label are left out."""

    def place(point: Point) -> tuple[float, float]:
        across, up = axes.transData.transform((point[x], point[y])) * 72 / axes.figure.dpi
        return across, up

    # In points of the page.
    taken = [_box(*place(point), -MARK, MARK, -MARK, MARK) for points in curves.values() for point in points]
    across, up = place(real)
    taken.append(_box(across, up, -STAR, STAR, -STAR, STAR))
    for points, look in zip(curves.values(), looks(), strict=False):
        rising = (points[-1][x] - points[0][x]) * (points[-1][y] - points[0][y]) > 0
        side = -1 if rising else 1  # where the curve does not run, if there is room
        for point in points:
            name = f"{point['temperature']:g}"
            for right, above in ((side, 1), (-side, -1), (-side, 1), (side, -1)):
                box = _box(*place(point), *_beside(right, LETTER * len(name)), *_beside(above, LINE))
                if not any(box.overlaps(other) for other in taken):
                    taken.append(box)
                    _annotate(axes, name, (point[x], point[y]), right, above, look)
                    break


def _annotate(axes: Axes, name: str, xy: tuple[float, float], right: int, above: int, look: Look) -> None:
    axes.annotate(
        name,
        xy,
        xytext=(APART * right, APART * above),
        ha="left" if right > 0 else "right",
        va="bottom" if above > 0 else "top",
        textcoords="offset points",
        color=look.color,
        fontsize=8,
    )


def _beside(side: int, length: float) -> tuple[float, float]:
    """From where to where a label reaches that stands on a side of a point, -1 or 1."""
    near, far = side * APART, side * (APART + length)
    return min(near, far), max(near, far)


def _box(across: float, up: float, left: float, right: float, below: float, above: float) -> Bbox:
    return Bbox([[across + left, up + below], [across + right, up + above]])
