"""How figures look: nothing over data, words on every axis, colours for everybody."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import style
from PIL import Image

from rlgan import drawing
from rlgan.gaussian import figures as gaussian
from rlgan.gaussian.figures import BINS, Seen
from rlgan.gaussian.measures import GRID
from rlgan.gaussian.targets import GRID as MODES
from rlgan.gaussian.targets import RING, TITLE
from rlgan.settings import FIGURE_ENDINGS
from rlgan.text.figures import quality_against_diversity
from rlgan.text.tables.curves import Curve, perplexity_against_words, quality_panels

RNG = np.random.default_rng(0)
SEEN = [Seen(RNG.normal(0, width, 1000).astype(np.float32), 0 * GRID + 0.5) for width in (0.01, 1)]
REAL = {"lm_score": 3.0, "reverse_lm_score": 4.0, "bleu_4": 0.3, "self_bleu_4": 0.3}
POINTS = [{name: value * (1 + t) for name, value in REAL.items()} | {"temperature": t} for t in (0.5, 1.0, 1.5)]
SQUARE = RNG.random((50, 2))
LONG = "policygan, all_tokens, D 1024, --rollouts 512, --generator-learning-rate 0.004, --discriminator-learning-rate 1"
CURVES = [
    Curve(f"{LONG} {i}", [([1e5, 1e6, 1e7], [1000.0 - i, 500.0, 30_000.0 if i else 300.0])] * (1 + i % 2), i == 2)
    for i in range(14)
]
FIGURES = {
    "densities": lambda: gaussian.densities({"paper": {"before": SEEN, "after": SEEN}}, (0, 1), "a heading"),
    "four densities": lambda: gaussian.densities({"": {f"D pre-trained {i}": SEEN[:1] for i in range(4)}}),
    "a ring of an evaluation": lambda: gaussian.scatters({TITLE.format(RING.mixture.name): SQUARE}, SQUARE),
    "a grid of an evaluation": lambda: gaussian.scatters(
        {TITLE.format(MODES.mixture.name): RNG.random((9, 2))}, SQUARE
    ),
    "losses": lambda: gaussian.losses({"the game": (RNG.random((2, 50)), RNG.random((2, 50)) - 2)}),
    "scatters": lambda: gaussian.scatters({"a ring": RNG.random((50, 2))}, RNG.random((50, 2))),
    "perplexities": lambda: perplexity_against_words(CURVES, 600.0),
    "no perplexities": lambda: perplexity_against_words([], None),
    "quality": lambda: quality_against_diversity({"runs/a": POINTS, "runs/b": POINTS[:2]}, REAL),
    "panels": lambda: quality_panels({"stories": ({LONG: POINTS, "b": POINTS}, REAL), "coco": ({"b": POINTS}, REAL)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_axis_says_what_it_shows_and_nothing_lies_over_the_data_or_beyond_the_page(name):
    figure = FIGURES[name]()
    figure.set_dpi(drawing.DPI)
    figure.draw_without_rendering()
    page = figure.bbox
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.get_title() or figure.get_suptitle()
        assert axes.get_legend() is None
    boxes = [axes.get_tightbbox() for axes in figure.axes] + [each.get_window_extent() for each in figure.legends]
    for box in boxes:
        assert box.x0 >= page.x0 - 1
        assert box.y0 >= page.y0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y1 <= page.y1 + 1
    for one, other in itertools.combinations(boxes, 2):
        assert not one.padded(-1).overlaps(other.padded(-1))


def test_a_label_of_a_temperature_covers_no_point_and_no_other_label():
    close = [{name: value * (1 + 0.02 * t) for name, value in REAL.items()} | {"temperature": t} for t in (0.7, 1, 1.3)]
    figure = quality_against_diversity({"a": close, "b": POINTS}, REAL)
    figure.draw_without_rendering()
    radius = 3 * figure.dpi / 72
    for axes in figure.axes:
        labels = [text.get_window_extent() for text in axes.texts]
        assert len(labels) >= 3
        for one, other in itertools.combinations(labels, 2):
            assert not one.overlaps(other)
        marks = np.concatenate([axes.transData.transform(line.get_xydata()) for line in axes.lines])
        for label, (x, y) in itertools.product(labels, marks):
            assert not label.padded(radius).contains(x, y)


def test_a_spike_is_cut_and_its_height_is_said():
    figure = gaussian.densities({"": {"a": SEEN[:1]}})
    highest = np.histogram(SEEN[0].made, bins=BINS, density=True)[0].max()
    assert f"up to {highest:.1f}" in figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylim()[1] < 2 < highest


def test_lines_are_told_apart_without_their_colours_which_are_those_for_the_colour_blind():
    with style.context("tableau-colorblind10"):
        safe = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    assert set(drawing.COLOURS) <= set(safe)
    first = list(itertools.islice(drawing.looks(), 40))
    assert len(set(first)) == 40
    assert len({look.marker for look in first[:5]}) == 5


def test_the_style_holds_for_our_figures_alone():
    with mpl.rc_context():
        mpl.rcdefaults()
        FIGURES["losses"]()
        assert dict(mpl.rcParams) == dict(mpl.rcParamsDefault)


def test_of_several_seeds_the_line_is_the_median_between_the_least_and_the_greatest():
    runs = [([1.0, 2.0], [value, 2 * value]) for value in (100.0, 300.0, 120.0)]
    axes = perplexity_against_words([Curve("a", runs)], None).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [120, 240])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (100, 600)
    # Measured elsewhere, each seed is a line of its own.
    runs[2] = ([1.0, 3.0], runs[2][1])
    assert len(perplexity_against_words([Curve("a", runs)], None).axes[0].lines) == 3


def test_a_figure_is_kept_with_200_dots_per_inch_or_as_a_pdf(tmp_path):
    figure = FIGURES["scatters"]()
    for ending in FIGURE_ENDINGS:
        drawing.save(figure, tmp_path / f"a{ending}")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert picture.size == (800, 940)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    one, again = (drawing.encoded(FIGURES["densities"](), "pdf") for _ in range(2))
    assert one == again  # whenever it is drawn


def test_an_animation_has_every_frame_in_its_order_and_at_most_so_many(tmp_path, monkeypatch):
    frames = {}
    for i in range(9):
        frames[f"step {i}"] = tmp_path / f"{i}.png"
        drawing.save_png(np.full((30, 40, 3), 25 * i, np.uint8), frames[f"step {i}"])
    drawing.save_animation(frames, tmp_path / "a.gif")
    assert _levels(tmp_path / "a.gif") == [25 * i for i in range(9)]
    monkeypatch.setattr(drawing, "FRAMES", 5)
    drawing.save_animation(frames, tmp_path / "b.gif")
    assert _levels(tmp_path / "b.gif") == [0, 50, 100, 150, 200]


def _levels(file):
    """The grey of the middle of each frame."""
    with Image.open(file) as animation:
        assert animation.size == (40, 30 + drawing.HEAD)
        levels = []
        for i in range(animation.n_frames):
            animation.seek(i)
            levels.append(animation.convert("RGB").getpixel((20, 35))[0])
        return levels
