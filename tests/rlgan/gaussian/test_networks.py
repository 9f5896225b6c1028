import numpy as np
import pytest
import torch
from torch import nn

from rlgan.gaussian.batch_features import MinibatchDeviation, MinibatchDiscrimination, MinibatchGroup
from rlgan.gaussian.networks import PerceptronDiscriminator, PerceptronGenerator


def test_minibatch_discrimination_sums_how_near_the_others_are():
    """Three samples of one unit at 0, 1 and 3, one kernel of one dimension that reads it as it is."""
    feature = MinibatchDiscrimination(hidden=1, kernels=1, dimension=1)
    nn.init.ones_(feature.projection)
    told = feature(torch.tensor([[[0.0], [1.0], [3.0]]]))[0, :, 0]
    e = np.exp
    np.testing.assert_allclose(told.detach(), [e(-1) + e(-3), e(-1) + e(-2), e(-3) + e(-2)], rtol=1e-5)


def test_minibatch_discrimination_takes_the_distance_over_all_dimensions_of_a_kernel():
    """Two samples, two kernels of two dimensions over two units: |(1, 2)|_1 = 3 and |(0, 4)|_1 = 4."""
    feature = MinibatchDiscrimination(hidden=2, kernels=2, dimension=2)
    with torch.no_grad():
        feature.projection.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 2.0]]))
    told = feature(torch.tensor([[[0.0, 0.0], [1.0, 2.0]]]))
    np.testing.assert_allclose(told.detach(), [[[np.exp(-3), np.exp(-4)]] * 2], rtol=1e-5)


def test_minibatch_deviation_is_the_mean_over_units_of_their_spread():
    """Units (0, 2), whose standard deviation is 1, and (1, 1), whose it is 0."""
    told = MinibatchDeviation()(torch.tensor([[[0.0, 1.0], [2.0, 1.0]]]))
    np.testing.assert_allclose(told, [[[0.5], [0.5]]], atol=1e-4)


@pytest.mark.parametrize("feature", [MinibatchDiscrimination(5, 3, 2), MinibatchDeviation()])
def test_a_sample_is_judged_by_its_own_group_alone(feature):
    torch.manual_seed(0)
    discriminator = PerceptronDiscriminator([1, 6, 5, 1], MinibatchGroup(4, feature))
    samples = torch.randn(8, 1)
    before = discriminator(samples)
    samples[7] += 1.0
    moved = (discriminator(samples) != before).tolist()
    assert moved[:4] == [False] * 4
    assert moved[4:] == [True] * 4


def test_a_pack_gets_one_answer():
    torch.manual_seed(0)
    discriminator = PerceptronDiscriminator([1, 6, 5, 1], MinibatchGroup(4, packed=True))
    assert discriminator.hidden[0].weight.shape == (6, 4)
    samples = torch.randn(8, 1)
    before = discriminator(samples)
    samples[7] += 1.0
    assert (discriminator(samples) != before).tolist() == [False, True]


def test_the_perceptrons_are_the_papers_sums():
    torch.manual_seed(0)
    generator = PerceptronGenerator([1, 6, 5, 1])
    discriminator = PerceptronDiscriminator([1, 6, 5, 1])
    z = torch.tensor([[-5.0], [0.3], [4.0]])
    for network, last in ((generator, lambda x: 5 * np.tanh(x)), (discriminator, lambda x: x[:, 0])):
        weights = [p.detach().numpy() for p in network.parameters()]
        assert [w.shape for w in weights[::2]] == [(6, 1), (5, 6), (1, 5)]
        x = z.numpy()
        for w, b in zip(weights[0:4:2], weights[1:4:2], strict=True):
            x = np.tanh(x @ w.T + b)
        np.testing.assert_allclose(network(z).detach(), last(x @ weights[4].T + weights[5]), rtol=1e-5, atol=1e-6)
