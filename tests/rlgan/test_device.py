"""How torch is set up in a process."""

import resource

import torch

from rlgan.device import prepare

MIB_64 = 2**24  # numbers of four bytes


def test_a_large_array_takes_the_memory_of_the_last_one():
    prepare("cpu")
    torch.ones(MIB_64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(MIB_64)
    # Pages that the system had to get: had the first array been given back, 16,384 of 4 KiB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 1000
