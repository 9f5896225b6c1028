import numpy as np
import pytest
import torch
from torch import nn

from rlgan.drawing import pixels
from rlgan.gaussian import figures, measures
from rlgan.gaussian.batch_features import MinibatchGroup
from rlgan.gaussian.figures import Seen
from rlgan.gaussian.networks import PerceptronDiscriminator

REAL = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)


def test_the_distances_on_cases_by_hand():
    """Moved by half: every sample has half a unit to go. Between disjoint samples the curves are 1 apart."""
    moved = measures.distances(REAL + np.float32(0.5), REAL)
    assert moved["w1"] == pytest.approx(0.5, abs=1e-4)
    assert moved["ks"] == pytest.approx(0.1974, abs=0.02)  # 2 Phi(1/4) - 1, where the two densities cross
    assert measures.distances(REAL + 100, REAL)["ks"] == 1.0
    assert measures.distances(REAL, REAL) == {"w1": 0.0, "ks": 0.0}


def test_a_spike_at_the_mode_is_a_mean_absolute_deviation_away():
    """E|x| of N(0, 1) is sqrt(2 / pi); half of the data lie on each side."""
    spike = measures.distances(np.zeros(10_000, np.float32), REAL)
    assert spike["w1"] == pytest.approx(np.sqrt(2 / np.pi), abs=0.02)
    assert spike["ks"] == pytest.approx(0.5, abs=0.02)


def test_the_floors_are_what_real_samples_are_apart():
    rng = np.random.default_rng(1)
    samples = [rng.standard_normal(10_000).astype(np.float32) for _ in range(21)]
    floors = measures.floors(samples)
    assert 0.012 < floors["w1_floor"] < 0.022
    # The mean of Kolmogorov's distribution, sqrt(pi / 2) ln 2 = .8687, times sqrt(2 / n).
    assert floors["ks_floor"] == pytest.approx(0.8687 * np.sqrt(2 / 10_000), rel=0.15)


def test_the_curve_is_d_over_the_grid():
    discriminator = PerceptronDiscriminator([1, 6, 5, 1])
    curve = measures.curve(discriminator, REAL[:, None])
    x = measures.GRID[150]
    assert x == 2.5
    assert curve[150] == pytest.approx(float(discriminator(torch.tensor([[x]])).sigmoid()), rel=1e-5)
    for parameter in discriminator.parameters():
        nn.init.zeros_(parameter)
    np.testing.assert_array_equal(measures.curve(discriminator, REAL[:, None]), 0.5)


def test_in_groups_the_curve_is_the_mean_over_groups_of_real_samples():
    torch.manual_seed(0)
    discriminator = PerceptronDiscriminator([1, 6, 5, 1], MinibatchGroup(3, packed=True))
    curve = measures.curve(discriminator, REAL[:, None])
    odds = [
        float(discriminator(torch.tensor([[2.5], [REAL[2 * i]], [REAL[2 * i + 1]]])))
        for i in range(measures.MINIBATCH_GROUPS)
    ]
    assert curve[150] == pytest.approx(1 / (1 + np.exp(-np.mean(odds))), rel=1e-5)


def test_several_seeds_have_medians_a_worst_and_a_share_that_collapsed():
    one = [{"w1": w1, "ks": ks, "collapsed": c} for w1, ks, c in ((0.1, 0.3, 0.0), (0.9, 0.1, 1.0), (0.2, 0.2, 0.0))]
    assert measures.summarise(one) == {"w1": 0.2, "ks": 0.2, "w1_worst": 0.9, "collapsed": 1 / 3, "seeds": 3.0}


def test_a_figure_has_the_pixels_it_says():
    curve = np.full(measures.GRID.shape, 0.5, np.float32)
    one, two = Seen(REAL, curve), Seen(0 * REAL, curve)
    narrow = pixels(figures.densities({"": {"one": [one]}}))
    wide = pixels(figures.densities({"": {"one": [one, two], "two": [two, one]}}, seeds=(0, 1)))
    assert narrow.dtype == np.uint8
    assert narrow.shape == (370, 400, 3)
    assert wide.shape == (370, 960, 3)
    assert narrow.std() > 10
    values = np.array([[-0.7, -0.6]]), np.array([[-1.4, -1.3]])
    assert pixels(figures.losses({"": values})).shape == (360, 520, 3)
