"""Weights in and out of networks."""

import dataclasses
import pickle

import numpy as np
import torch

from rlgan.learning.weights import clones, load, on_host, twin, unload, views
from rlgan.types import Weights


def test_weights_go_out_and_in_as_arrays_that_are_read_only_or_as_tensors():
    network, other, third = (torch.nn.GRU(3, 4) for _ in range(3))
    arrays = unload(network)
    for array in arrays.values():
        array.setflags(write=False)
    load(other, arrays)
    load(third, clones(network))
    for mine, first, second in zip(network.parameters(), other.parameters(), third.parameters(), strict=True):
        assert torch.equal(mine, first)
        assert torch.equal(mine, second)


def test_copies_do_not_follow_the_network():
    network = torch.nn.GRU(3, 4)
    arrays, tensors, copied = unload(network), clones(network), twin(network)
    before = {name: tensor.numpy().copy() for name, tensor in tensors.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1
    for name, parameter in copied.named_parameters():
        for kept in (arrays[name], tensors[name].numpy(), parameter.detach().numpy()):
            np.testing.assert_array_equal(kept, before[name])


def test_weights_of_one_process_become_arrays_for_a_checkpoint():
    network = torch.nn.Linear(2, 3)
    weights = on_host(Weights(7, clones(network), clones(network)))
    assert weights.version == 7
    for arrays in (weights.generator, weights.discriminator):
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
        np.testing.assert_array_equal(arrays["weight"], network.weight.detach().numpy())


def test_views_follow_the_network_and_copies_of_weights_in_a_store_are_the_same():
    network = torch.nn.Linear(2, 3)
    arrays = views(network)
    with torch.no_grad():
        network.weight.fill_(5.0)
    assert (arrays["weight"] == 5).all()
    weights = Weights(3, arrays, arrays)
    store = []  # as Ray does it: the arrays lie once in memory that is read-only, and each reader has its own objects
    pickled = pickle.dumps(weights, protocol=5, buffer_callback=lambda buffer: store.append(bytes(buffer)))
    first, second = (pickle.loads(pickled, buffers=store) for _ in range(2))
    assert first.is_same(second)
    assert not first.is_same(dataclasses.replace(second, version=4))
    # As equal, but in other memory, or in memory that somebody may change.
    elsewhere = pickle.loads(pickled, buffers=[bytes(bytearray(each)) for each in store])
    assert not first.is_same(elsewhere)
    assert weights.is_same(weights)
    assert not weights.is_same(dataclasses.replace(weights))
