import numpy as np
import pytest

from rlgan.drawing import pixels
from rlgan.gaussian import figures
from rlgan.gaussian.coverage import coverage
from rlgan.gaussian.mixtures import GRID, RING, Mixture

# Two modes on a line, at 0 and 10, of standard deviation 1.
PAIR = Mixture("pair", np.array([[0.0], [10.0]], np.float32), 1.0)


def _at(*places):
    return np.array(places, np.float32).reshape(-1, 1)


def test_a_sample_within_3_standard_deviations_is_good_and_covers_its_mode():
    """By hand: 0 and 2.9 are good for the mode at 0; 3.1, 4.9 and 5.1 are too far; 5.1 is nearer to the mode at 10."""
    found = coverage(_at(0, 2.9, 3.1, 4.9, 5.1), PAIR)
    assert (found["modes"], found["fewest"], found["high_quality"]) == (1, 0, pytest.approx(0.4))
    # 4 of 5 samples belong to the first mode: .8 ln 1.6 + .2 ln .4.
    assert found["reverse_kl"] == pytest.approx(0.8 * np.log(1.6) + 0.2 * np.log(0.4), abs=1e-6)
    # (|.4 - .5| + |0 - .5| + .6) / 2
    assert found["total_variation"] == pytest.approx(0.6)
    assert found["mode_std"] == pytest.approx(np.sqrt(2.9**2 / 2), rel=1e-5)
    assert found["collapsed"] == 0


def test_one_good_sample_covers_a_mode():
    found = coverage(_at(0, 0, 0, 12.9), PAIR)
    assert (found["modes"], found["fewest"], found["high_quality"]) == (2, 1, 1)


def test_distance_is_that_in_the_plane():
    """(.025, .025) is .035 from its centre, more than 3 times .01, though each part is less."""
    centre = RING.centres[0]
    for offset, good in (((0.025, 0.025), 0.0), ((0.021, 0.021), 1.0)):
        assert coverage((centre + np.array([offset])).astype(np.float32), RING)["high_quality"] == good


def test_all_samples_in_one_mode_are_a_collapse_of_high_quality():
    found = coverage(np.repeat(GRID.centres[:1], 100, axis=0), GRID)
    assert (found["modes"], found["high_quality"], found["collapsed"], found["mode_std"]) == (1, 1, 1, 0)
    assert found["reverse_kl"] == pytest.approx(np.log(25))
    assert found["total_variation"] == pytest.approx(24 / 25)


def test_nothing_good_is_the_farthest_there_is():
    found = coverage(np.full((100, 2), 50, np.float32), RING)
    assert (found["modes"], found["high_quality"], found["total_variation"], found["mode_std"]) == (0, 0, 1, 0)


@pytest.mark.parametrize(("mixture", "count"), [(RING, 8), (GRID, 25)])
def test_real_samples_have_all_modes_and_the_quality_of_the_law(mixture, count):
    """In the plane, the share within 3 standard deviations is 1 - exp(-9 / 2) (Rayleigh), not the line's .9973."""
    found = coverage(mixture.sample(np.random.default_rng(0), 100_000), mixture)
    assert found["modes"] == count
    assert found["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.002)
    # The mean square of a Rayleigh law cut at 3: 2 - 9 e^-4.5 / (1 - e^-4.5).
    assert found["mode_std"] == pytest.approx(np.sqrt(1 - 4.5 * np.exp(-4.5) / (1 - np.exp(-4.5))), abs=0.003)
    # 2 N KL is nearly chi-square of as many degrees of freedom as there are modes less one.
    assert found["reverse_kl"] < 3 * (count - 1) / 2 / 100_000
    assert found["total_variation"] < 0.03
    assert found["fewest"] > 0.9 * 100_000 / count
    assert found["collapsed"] == 0


def test_a_scatter_has_a_panel_for_each_and_shows_what_lies_outside():
    inside, outside = (pixels(figures.scatters({"": RING.centres * far}, RING.centres)) for far in (1, 4))
    assert inside.shape == (470, 400, 3)
    assert not np.array_equal(inside, outside)
    assert pixels(figures.scatters({"a": GRID.centres, "b": GRID.centres}, GRID.centres)).shape[1] == 800
